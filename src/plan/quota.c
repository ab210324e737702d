/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why classes: a table's size is part of its program's name, and another
 * program costs more than other slots do. Small weights are had exactly, since
 * the table is then small anyway; large ones ("1000, 999, 500") would need a
 * table as long as their sum, for a precision nobody can see.
 *
 * Largest remainders decide who gets the odd slots: no other way keeps every
 * candidate within one slot of its share.
 */
#include "plan/quota.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

size_t quota_weighted(const struct candidate *c, size_t n)
{
	size_t weighted = 0;

	for (size_t i = 0; i < n; i++)
		weighted += c[i].weight > 0;
	return weighted;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static uint64_t weight_sum(const struct candidate *c, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += c[i].weight;
	return sum;
}

/* The largest class for n candidates. */
static uint32_t class_limit(size_t n)
{
	uint32_t limit = QUOTA_CLASS_MAX;

	while (limit < 8 * n && limit < TABLE_SIZE_MAX)
		limit *= 2;
	return limit;
}

static uint32_t class_for(const struct candidate *c, size_t n, size_t weighted)
{
	uint32_t size, limit = class_limit(weighted);
	uint32_t *quota = mem_calloc(n, sizeof(*quota));

	for (size = QUOTA_CLASS_MIN; size < limit; size *= 2) {
		if (size < weighted)
			continue;
		quota_fill(c, n, size, quota);
		if (quota_error_ppm(c, n, quota, size) <= QUOTA_ERROR_PPM)
			break;
	}
	free(quota);
	return size;
}

uint32_t quota_size(const struct candidate *c, size_t n)
{
	uint64_t sum = weight_sum(c, n);
	uint32_t divisor = 0;

	if (sum == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		divisor = gcd(c[i].weight, divisor);
	if (sum / divisor <= QUOTA_EXACT_MAX)
		return (uint32_t)(sum / divisor);
	return class_for(c, n, quota_weighted(c, n));
}

/*
 * Candidates whose share is less than one slot get one; the others share what is left, which
 * makes their shares smaller, so again until nobody is too small. Returns the slots that are
 * left for the others, with the sum of their weights.
 */
static uint32_t fix_small(const struct candidate *c, size_t n, uint32_t size, uint32_t *quota,
			  uint64_t *sum)
{
	uint32_t left = size, fixed;

	*sum = weight_sum(c, n);
	for (size_t i = 0; i < n; i++)
		quota[i] = 0;
	do {
		uint64_t sum_now = *sum;
		uint32_t left_now = left;

		fixed = 0;
		for (size_t i = 0; i < n; i++) {
			if (c[i].weight == 0 || quota[i] > 0 ||
			    c[i].weight * (uint64_t)left_now >= sum_now)
				continue;
			quota[i] = 1;
			*sum -= c[i].weight;
			left--;
			fixed++;
		}
	} while (fixed > 0);
	return left;
}

static int cmp_descending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/* Few: by insertion; many: by qsort(). */
static void sort_descending(uint64_t *v, size_t n)
{
	if (n > 32) {
		qsort(v, n, sizeof(*v), cmp_descending);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		uint64_t x = v[i];
		size_t at = i;

		for (; at > 0 && v[at - 1] < x; at--)
			v[at] = v[at - 1];
		v[at] = x;
	}
}

/* Remainder and index in one number: among equal remainders the first candidate is the largest. */
#define RANK_BITS 16
#define RANK_MASK ((1u << RANK_BITS) - 1)

void quota_fill(const struct candidate *c, size_t n, uint32_t size, uint32_t *quota)
{
	uint64_t small[64], *rank = n <= 64 ? small : mem_calloc(n, sizeof(*rank));
	uint64_t sum;
	uint32_t left = fix_small(c, n, size, quota, &sum), given = 0;
	size_t n_ranks = 0;

	assert(n <= RANK_MASK && quota_weighted(c, n) <= size);
	for (size_t i = 0; i < n; i++) {
		uint64_t share = (uint64_t)c[i].weight * left;

		if (c[i].weight == 0 || quota[i] > 0)
			continue;
		quota[i] = (uint32_t)(share / sum);
		given += quota[i];
		rank[n_ranks++] = share % sum << RANK_BITS | (RANK_MASK - i);
	}
	sort_descending(rank, n_ranks);
	for (size_t i = 0; i < n_ranks && given < left; i++, given++)
		quota[RANK_MASK - (rank[i] & RANK_MASK)]++;
	assert(given == left || n_ranks == 0);
	if (rank != small)
		free(rank);
}

uint32_t quota_error_ppm(const struct candidate *c, size_t n, const uint32_t *quota, uint32_t size)
{
	uint64_t sum = weight_sum(c, n);
	double worst = 0;

	for (size_t i = 0; i < n; i++) {
		double ideal = (double)c[i].weight * size, is = (double)quota[i] * (double)sum;
		double error = is > ideal ? is - ideal : ideal - is;

		if (c[i].weight > 0 && error / ideal > worst)
			worst = error / ideal;
	}
	worst = worst * 1e6 + 0.5;
	return worst < UINT32_MAX ? (uint32_t)worst : UINT32_MAX;
}
