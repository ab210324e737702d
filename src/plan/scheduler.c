/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of schedulers. What makes them differ is how many slots there
 * are and who gets which; the kernel's part is a number modulo that many.
 */
#include "plan/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/fill.h"
#include "plan/quota.h"

/* Slots a candidate of a consistent table, at least, and slots at all. */
#define SH_SLOTS_EACH 16u
#define SH_SIZE_MIN   256u
/* Slots a candidate of a table that stays, at least, and slots at all. */
#define STEADY_SLOTS_EACH 8u
#define STEADY_SIZE_MIN   128u
/* Slots of a Maglev table: up to so many candidates, and for more. */
#define MH_SMALL_MAX  64u
#define MH_SIZE_SMALL 32749u
#define MH_SIZE_LARGE 65521u

static uint32_t rr_size(const struct candidate *c, size_t n)
{
	return (uint32_t)quota_weighted(c, n);
}

static void wrr_fill(const struct candidate *c, size_t n, uint16_t *slots, uint32_t size)
{
	uint32_t *quota = mem_calloc(n, sizeof(*quota));

	quota_fill(c, n, size, quota);
	fill_smooth(quota, n, slots, size);
	free(quota);
}

/* Another size than one slot each means that somebody is warming up: weights are parts then. */
static void rr_fill(const struct candidate *c, size_t n, uint16_t *slots, uint32_t size)
{
	uint32_t at = 0;

	if (size != quota_weighted(c, n)) {
		wrr_fill(c, n, slots, size);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (c[i].weight > 0)
			slots[at++] = (uint16_t)i;
}

static void stable_fill(const struct candidate *c, size_t n, uint16_t *slots, uint32_t size)
{
	uint32_t *quota = mem_calloc(n, sizeof(*quota));

	quota_fill(c, n, size, quota);
	fill_stable(c, quota, n, slots, size);
	free(quota);
}

/*
 * By the number of candidates, with and without weight: one that is drained, and comes back, must
 * not change the size, which would give most clients another backend.
 */
static uint32_t sh_size(const struct candidate *c, size_t n)
{
	uint32_t size = SH_SIZE_MIN;

	if (quota_weighted(c, n) == 0)
		return 0;
	while (size < SH_SLOTS_EACH * n && size < TABLE_SIZE_MAX)
		size *= 2;
	return size;
}

/*
 * Maglev wants many slots a backend. That 100 each keep 99 % of the others' clients where they are
 * when a backend goes is often said; it takes 500 (tests/unit/test_scheduler.c measures).
 * Two sizes only, because most clients move when the size changes.
 */
static uint32_t mh_size(const struct candidate *c, size_t n)
{
	if (quota_weighted(c, n) == 0)
		return 0;
	return n <= MH_SMALL_MAX ? MH_SIZE_SMALL : MH_SIZE_LARGE;
}

struct ranked {
	uint64_t rank;
	uint16_t who;
};

static int cmp_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->who > y->who) - (x->who < y->who);
}

uint32_t scheduler_steady_size(size_t n)
{
	uint32_t size = STEADY_SIZE_MIN;

	while (size < STEADY_SLOTS_EACH * n && size < TABLE_SIZE_MAX)
		size *= 2;
	return size;
}

/* Load-aware schedulers: their weights are shares, which change all the time. */
static uint32_t load_size(const struct candidate *c, size_t n)
{
	return quota_weighted(c, n) > 0 ? scheduler_steady_size(n) : 0;
}

/* In an order of their own, so that names have no say in who gets the odd slots. */
static void mh_fill(const struct candidate *c, size_t n, uint16_t *slots, uint32_t size)
{
	struct candidate *sorted = mem_calloc(n, sizeof(*sorted));
	struct ranked *order = mem_calloc(n, sizeof(*order));

	for (size_t i = 0; i < n; i++)
		order[i] = (struct ranked){ key_hash(c[i].key), (uint16_t)i };
	qsort(order, n, sizeof(*order), cmp_ranked);
	for (size_t i = 0; i < n; i++)
		sorted[i] = c[order[i].who];
	stable_fill(sorted, n, slots, size);
	for (uint32_t i = 0; i < size; i++)
		slots[i] = order[slots[i]].who;
	free(sorted);
	free(order);
}

/* The highest weight; of equals the first. */
static size_t fo_best(const struct candidate *c, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (c[i].weight > c[best].weight)
			best = i;
	return best;
}

static uint32_t fo_size(const struct candidate *c, size_t n)
{
	return quota_weighted(c, n) > 0;
}

static void fo_fill(const struct candidate *c, size_t n, uint16_t *slots, uint32_t size)
{
	uint16_t best = (uint16_t)fo_best(c, n);

	for (uint32_t i = 0; i < size; i++)
		slots[i] = best;
}

static void ideal_alike(struct candidate *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c[i].weight = c[i].weight > 0;
}

static void ideal_best(struct candidate *c, size_t n)
{
	size_t best = fo_best(c, n);

	for (size_t i = 0; i < n; i++)
		if (i != best)
			c[i].weight = 0;
}

/* How they differ is in plan/balance.c: it makes the weights. */
#define LOAD_AWARE                                                                                 \
	.program = PROGRAM_RR, .fallback = PROGRAM_RANDOM, .is_keyed = true,                       \
	.table_size = load_size, .fill = stable_fill

static const struct scheduler schedulers[] = {
	{
		.name = "rr",
		.program = PROGRAM_RR,
		.fallback = PROGRAM_RANDOM,
		.table_size = rr_size,
		.fill = rr_fill,
		.is_alike = true,
		.ideal = ideal_alike,
		.summary = "round robin: the next backend in the list, all alike",
	},
	{
		.name = "wrr",
		.program = PROGRAM_RR,
		.fallback = PROGRAM_RANDOM,
		.table_size = quota_size,
		.fill = wrr_fill,
		.summary = "weighted round robin: in turn, interleaved by weight",
	},
	{
		.name = "random",
		.program = PROGRAM_RANDOM,
		.fallback = PROGRAM_RANDOM,
		.is_keyed = true,
		.table_size = quota_size,
		.fill = stable_fill,
		.summary = "weighted random: each new connection by chance",
	},
	{
		.name = "sh",
		.program = PROGRAM_SH,
		.fallback = PROGRAM_SH,
		.is_keyed = true,
		.table_size = sh_size,
		.fill = stable_fill,
		.summary = "source hash: the client decides, by weight",
	},
	{
		.name = "mh",
		.program = PROGRAM_MH,
		.fallback = PROGRAM_MH,
		.is_keyed = true,
		.has_hash_size = true,
		.table_size = mh_size,
		.fill = mh_fill,
		.summary = "Maglev hash: as sh, and changes of backends move hardly any client",
	},
	{
		.name = "fo",
		.program = PROGRAM_RANDOM,
		.fallback = PROGRAM_RANDOM,
		.table_size = fo_size,
		.fill = fo_fill,
		.takes_best = true,
		.ideal = ideal_best,
		.summary = "failover: the backend with the highest weight takes all",
	},
	{
		.name = "lc",
		LOAD_AWARE,
		.is_alike = true,
		.summary = "least connections: weights other than 0 are all alike",
	},
	{
		.name = "wlc",
		LOAD_AWARE,
		.summary = "weighted least connections",
	},
	{
		.name = "sed",
		LOAD_AWARE,
		.summary = "shortest expected delay: as wlc, counting the new connection as well",
	},
	{
		.name = "nq",
		LOAD_AWARE,
		.summary = "never queue: an idle backend first, else as sed",
	},
	{
		.name = "ovf",
		LOAD_AWARE,
		.takes_best = true,
		.summary = "overflow: the highest weight while it has no more connections than "
			   "that, then the next",
	},
	{
		.name = "twos",
		LOAD_AWARE,
		.summary = "power of two choices: the less loaded of two picked by weight",
	},
};

#define N_SCHEDULERS (sizeof(schedulers) / sizeof(schedulers[0]))

const struct scheduler *scheduler_find(const char *name)
{
	for (size_t i = 0; i < N_SCHEDULERS; i++)
		if (strcmp(schedulers[i].name, name) == 0)
			return &schedulers[i];
	return NULL;
}

const struct scheduler *scheduler_at(size_t i)
{
	return i < N_SCHEDULERS ? &schedulers[i] : NULL;
}

uint32_t slots_error_ppm(const struct candidate *c, size_t n, const uint16_t *slots, uint32_t size)
{
	uint32_t *quota = mem_calloc(n, sizeof(*quota)), error;

	for (uint32_t i = 0; i < size; i++)
		if (slots[i] < n)
			quota[slots[i]]++;
	error = size ? quota_error_ppm(c, n, quota, size) : 0;
	free(quota);
	return error;
}
