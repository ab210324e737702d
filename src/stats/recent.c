/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel tells again is the same to the bit: id, addresses, counters. Another connection
 * with the same addresses may even have the same id, which is made of the entry's place in memory
 * and of its addresses; but it comes later than RECENT_S, because a closed connection is
 * remembered for longer than that. Only one that was refused can be followed at once by one just
 * like it, so those count every time, unless the time of the beginning tells them apart.
 */
#include "stats/recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/meter.h"

/* The id stands for the addresses, too. */
static uint64_t print_of(const struct flow *f)
{
	const uint64_t which[] = { (uint64_t)f->id << 32 | (uint32_t)f->zone << 16 | f->client.port,
				   f->start_ns, f->packets_in << 32 ^ f->bytes_in,
				   f->packets_out << 32 ^ f->bytes_out };
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		h = (h ^ which[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return h;
}

void recent_fini(struct recent *r)
{
	free(r->buckets);
	r->buckets = NULL;
}

/* In the order in which they came, the latest first: the oldest one is forgotten for it. */
static void remember(struct recent_slot bucket[RECENT_WAYS], uint32_t print, uint32_t second)
{
	memmove(&bucket[1], &bucket[0], (RECENT_WAYS - 1) * sizeof(*bucket));
	bucket[0] = (struct recent_slot){ print, second };
}

bool recent_is_again(struct recent *r, const struct flow *f)
{
	uint32_t second = (uint32_t)(f->read_ns / 1000000000u), print;
	struct recent_slot *bucket;
	uint64_t h;

	if (f->id == 0 || (f->start_ns == 0 && flow_end_of(f) == END_REFUSED))
		return false;
	if (!r->buckets)
		r->buckets = mem_zalloc(RECENT_BUCKETS * sizeof(*r->buckets));
	h = print_of(f);
	print = (uint32_t)(h >> 32);
	bucket = r->buckets[h % RECENT_BUCKETS];
	for (int i = 0; i < RECENT_WAYS; i++) {
		if (bucket[i].print == print && second - bucket[i].second <= RECENT_S) {
			bucket[i].second = second;
			return true;
		}
	}
	remember(bucket, print, second);
	return false;
}
