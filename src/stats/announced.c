/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Found by where the connection goes, which the helper chose so that it is free. Buckets hold the
 * latest first; with as many data connections at a time as there is room for, the oldest count as
 * foreign.
 */
#include "stats/announced.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static size_t bucket_of(const struct flow *f)
{
	uint64_t words[3] = { f->protocol };
	uint64_t h = 0;

	memcpy(&words[1], f->to.address.bytes, sizeof(f->to.address.bytes));
	words[0] |= (uint64_t)f->to.port << 8;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return h % ANNOUNCED_BUCKETS;
}

static bool is_of(const struct announcement *a, const struct flow *f)
{
	return a->protocol == f->protocol && a->to.port == f->to.port &&
	       addr_equal(&a->to.address, &f->to.address);
}

void announced_fini(struct announced *a)
{
	free(a->buckets);
	a->buckets = NULL;
}

void announced_note(struct announced *a, const struct flow *f)
{
	struct announcement *bucket;
	size_t i = 0;

	if (!a->buckets)
		a->buckets = mem_zalloc(ANNOUNCED_BUCKETS * sizeof(*a->buckets));
	bucket = a->buckets[bucket_of(f)];
	while (i < ANNOUNCED_WAYS - 1 && !is_of(&bucket[i], f))
		i++;
	memmove(&bucket[1], &bucket[0], i * sizeof(*bucket));
	bucket[0] = (struct announcement){ f->to, f->master_to, f->protocol };
}

const struct flow_end *announced_find(const struct announced *a, const struct flow *f)
{
	const struct announcement *bucket = a->buckets ? a->buckets[bucket_of(f)] : NULL;

	for (size_t i = 0; bucket && i < ANNOUNCED_WAYS; i++)
		if (is_of(&bucket[i], f))
			return &bucket[i].master_to;
	return NULL;
}
