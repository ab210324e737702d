/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel tells again is the same to the bit: id, addresses, counters. Another connection
 * with the same addresses may even have the same id, which is made of the entry's place in memory
 * and of its addresses; but it comes later than RECENT_S, because a closed connection is
 * remembered for longer than that. Only one that was refused can be followed at once by one just
 * like it, so those count every time, unless the time of the beginning tells them apart.
 */
#include "stats/recent.h"

#include "base/mem.h"
#include "stats/meter.h"
#include <stdlib.h>

static uint64_t rotated(uint64_t word, unsigned int by)
{
	return word << by | word >> (64 - by);
}

/* The id stands for the addresses, too. */
static uint64_t print_of(const struct flow *f)
{
	uint64_t which = (uint64_t)f->id << 32 | (uint32_t)f->zone << 16 | f->client.port;
	uint64_t in = f->packets_in << 32 ^ f->bytes_in, out = f->packets_out << 32 ^ f->bytes_out;
	uint64_t h = (which ^ rotated(f->start_ns, 24)) * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 32 ^ in ^ rotated(out, 16)) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

void recent_fini(struct recent *r)
{
	free(r->buckets);
	r->buckets = NULL;
}

/* Has any the print? Hardly ever, so that there is nothing to guess. */
static bool has(const struct recent_bucket *b, uint32_t print)
{
	typedef uint64_t words __attribute__((vector_size(sizeof(b->prints))));
	const words found = (words)(b->prints == print);

	_Static_assert(sizeof(*b) == 64, "a line");
	return found[0] | found[1] | found[2] | found[3];
}

/* Is one of those from just now? Then it is from now. */
static bool renew(struct recent_bucket *b, uint32_t print, uint16_t second)
{
	for (unsigned int i = 0; i < RECENT_WAYS; i++) {
		if (b->prints[i] != print || (uint16_t)(second - b->seconds[i]) > RECENT_S)
			continue;
		b->seconds[i] = second;
		return true;
	}
	return false;
}

static struct recent_bucket *bucket_of(const struct recent *r, uint64_t print)
{
	return &r->buckets[print % RECENT_BUCKETS];
}

void recent_fetch(const struct recent *r, const struct flow *f)
{
	if (r->buckets)
		__builtin_prefetch(bucket_of(r, print_of(f)), 1);
}

bool recent_is_again(struct recent *r, const struct flow *f)
{
	uint16_t second = (uint16_t)(f->read_ns / 1000000000u);
	struct recent_bucket *b;
	uint32_t print;
	uint64_t h;

	if (f->id == 0 || (f->start_ns == 0 && flow_end_of(f) == END_REFUSED))
		return false;
	if (!r->buckets)
		r->buckets = mem_zalloc(RECENT_BUCKETS * sizeof(*r->buckets));
	h = print_of(f);
	print = (uint32_t)(h >> 32);
	b = bucket_of(r, h);
	if (has(b, print) && renew(b, print, second))
		return true;
	b->prints[b->next] = print;
	b->seconds[b->next] = second;
	b->next = (uint8_t)((b->next + 1) % RECENT_WAYS);
	return false;
}
