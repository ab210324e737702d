/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From weights to slots: shares, interleaving, and how little moves. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plan/fill.h"
#include "plan/quota.h"
#include "plan/scheduler.h"
#include "suite.h"

#define N_MAX 4096

static struct candidate cands[N_MAX];
static char keys[N_MAX][48];
static uint16_t slots[TABLE_SIZE_MAX];
static uint32_t counts[N_MAX];

/* Own generator: a failing case must be the same on every machine. */
static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((seed >> 33) % below);
}

static void set_weights(const uint32_t *weights, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(keys[i], sizeof(keys[i]), "10.%zu.%zu.%zu:8080", i / 65536, i / 256 % 256,
			 i % 256);
		cands[i] = (struct candidate){ keys[i], weights[i] };
	}
}

static void random_weights(size_t n, uint32_t max)
{
	uint32_t weights[N_MAX];

	for (size_t i = 0; i < n; i++)
		weights[i] = rnd(max + 1);
	weights[rnd((uint32_t)n)] = 1 + rnd(max);
	set_weights(weights, n);
}

/* Fill the table; every slot must have a candidate with weight. Returns its size. */
static uint32_t make_table(const struct scheduler *s, size_t n)
{
	uint32_t size = s->table_size(cands, n);
	bool is_full = true; /* an assertion a slot would take longer than all the rest */

	ck_assert_uint_le(size, TABLE_SIZE_MAX);
	memset(slots, 0xff, size * sizeof(*slots));
	memset(counts, 0, sizeof(counts));
	if (size > 0)
		s->fill(cands, n, slots, size);
	for (uint32_t i = 0; i < size && is_full; i++) {
		is_full = slots[i] < n && cands[slots[i]].weight > 0;
		if (is_full)
			counts[slots[i]]++;
	}
	ck_assert(is_full);
	return size;
}

static void assert_slots(const char *scheduler, const uint32_t *weights, size_t n,
			 const char *expected)
{
	char got[256] = "";
	uint32_t size;

	set_weights(weights, n);
	size = make_table(scheduler_find(scheduler), n);
	ck_assert_uint_lt(size, sizeof(got));
	for (uint32_t i = 0; i < size; i++)
		got[i] = (char)('a' + slots[i]);
	ck_assert_str_eq(got, expected);
}

START_TEST(test_table_of_schedulers)
{
	const struct scheduler *s;
	size_t i;

	for (i = 0; (s = scheduler_at(i)); i++) {
		ck_assert_ptr_eq(scheduler_find(s->name), s);
		ck_assert_str_eq(scheduler_name(i), s->name);
		ck_assert_ptr_nonnull(s->summary);
		ck_assert(s->fallback != PROGRAM_RR);
		ck_assert_int_eq(scheduler_hashes(s->name),
				 s->program == PROGRAM_SH || s->program == PROGRAM_MH);
	}
	ck_assert_ptr_null(scheduler_name(i));
	ck_assert_ptr_null(scheduler_find("lblc"));
}
END_TEST

START_TEST(test_no_weight_no_table)
{
	const struct scheduler *s;

	set_weights((uint32_t[]){ 0, 0, 0 }, 3);
	for (size_t i = 0; (s = scheduler_at(i)); i++) {
		ck_assert_uint_eq(s->table_size(cands, 3), 0);
		ck_assert_uint_eq(s->table_size(cands, 0), 0);
	}
}
END_TEST

START_TEST(test_small_tables)
{
	assert_slots("rr", (uint32_t[]){ 1, 1, 1 }, 3, "abc");
	assert_slots("rr", (uint32_t[]){ 7, 0, 100 }, 3, "ac");
	assert_slots("rr", (uint32_t[]){ 0, 1 }, 2, "b");
	assert_slots("wrr", (uint32_t[]){ 10, 10, 10 }, 3, "abc");
	assert_slots("wrr", (uint32_t[]){ 2, 1 }, 2, "aab");
	assert_slots("wrr", (uint32_t[]){ 4, 2 }, 2, "aab");
	assert_slots("wrr", (uint32_t[]){ 2, 1, 1 }, 3, "abac");
	assert_slots("wrr", (uint32_t[]){ 5, 1, 1 }, 3, "aaabaac");
	assert_slots("wrr", (uint32_t[]){ 1, 3, 1 }, 3, "bbabc");
	assert_slots("wrr", (uint32_t[]){ 65535 }, 1, "a");
	assert_slots("wrr", (uint32_t[]){ 3, 0, 3 }, 3, "ac");
	assert_slots("wrr", (uint32_t[]){ 2, 2, 1 }, 3, "ababc");
	assert_slots("fo", (uint32_t[]){ 2, 2, 1 }, 3, "a");
	assert_slots("fo", (uint32_t[]){ 0, 1, 3, 3 }, 4, "c");
	assert_slots("fo", (uint32_t[]){ 0, 0, 65535 }, 3, "c");
}
END_TEST

/* Is every candidate's number of slots its share, rounded up or down? */
static void assert_shares(size_t n, uint32_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += cands[i].weight;
	for (size_t i = 0; i < n; i++) {
		uint64_t share = (uint64_t)cands[i].weight * size / sum;

		ck_assert_int_eq(counts[i] > 0, cands[i].weight > 0);
		ck_assert_uint_le(counts[i], share + 1);
		ck_assert_uint_ge(counts[i], share);
	}
}

/* Does nobody's share of a whole table lie below one slot? */
static bool is_roomy(size_t n, uint32_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += cands[i].weight;
	for (size_t i = 0; i < n; i++)
		if (cands[i].weight && (uint64_t)cands[i].weight * size < sum)
			return false;
	return true;
}

START_TEST(test_shares)
{
	static const char *const names[] = { "wrr", "random", "sh", "mh" };
	static const uint32_t most[] = { 1, 3, 10, 100, 1000, 65535 };

	seed = (uint64_t)_i;
	for (int round = 0; round < (_i < 3 ? 100 : 20); round++) {
		size_t n = 1 + rnd(round % 10 ? 20 : 300);
		uint32_t size;

		random_weights(n, most[rnd(6)]);
		size = make_table(scheduler_find(names[_i]), n);
		if (is_roomy(n, size))
			assert_shares(n, size);
		for (size_t i = 0; i < n; i++)
			ck_assert_int_eq(counts[i] > 0, cands[i].weight > 0);
		if (_i < 2 && size <= QUOTA_EXACT_MAX && (size & (size - 1)))
			ck_assert_uint_eq(slots_error_ppm(cands, n, slots, size), 0);
	}
}
END_TEST

/* After k slots each candidate has had its share of k to within one. */
START_TEST(test_wrr_is_interleaved)
{
	seed = 7;
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + rnd(30);
		uint32_t size, seen[30] = { 0 };
		bool is_fair = true;

		random_weights(n, round % 2 ? 9 : 1000);
		size = make_table(scheduler_find("wrr"), n);
		for (uint32_t k = 1; k <= size; k++) {
			seen[slots[k - 1]]++;
			for (size_t i = 0; i < n; i++) {
				int64_t diff = (int64_t)seen[i] * size - (int64_t)counts[i] * k;

				is_fair = is_fair && llabs(diff) < size;
			}
		}
		ck_assert(is_fair);
	}
}
END_TEST

START_TEST(test_size_classes)
{
	const struct scheduler *wrr = scheduler_find("wrr"), *sh = scheduler_find("sh");

	set_weights((uint32_t[]){ 100, 28 }, 2); /* 25 : 7 */
	ck_assert_uint_eq(wrr->table_size(cands, 2), 32);
	set_weights((uint32_t[]){ 127, 1 }, 2);
	ck_assert_uint_eq(wrr->table_size(cands, 2), 128);
	set_weights((uint32_t[]){ 1000, 999 }, 2);
	ck_assert_uint_eq(wrr->table_size(cands, 2), 64);
	set_weights((uint32_t[]){ 65535, 1 }, 2);
	ck_assert_uint_eq(wrr->table_size(cands, 2), QUOTA_CLASS_MAX);
	seed = 3;
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + rnd(40);
		uint32_t size;

		random_weights(n, 1 + rnd(65535));
		size = make_table(wrr, n);
		ck_assert_uint_le(size, QUOTA_CLASS_MAX);
		if (size > QUOTA_EXACT_MAX && size < QUOTA_CLASS_MAX)
			ck_assert_uint_le(slots_error_ppm(cands, n, slots, size), QUOTA_ERROR_PPM);
	}
	random_weights(16, 10);
	ck_assert_uint_eq(sh->table_size(cands, 16), 256);
	random_weights(17, 10);
	ck_assert_uint_eq(sh->table_size(cands, 17), 512);
}
END_TEST

START_TEST(test_largest_tables)
{
	const struct scheduler *s;
	unsigned int unserved = 0;

	seed = 5;
	random_weights(N_MAX, 65535);
	for (size_t i = 0; (s = scheduler_at(i)); i++) {
		uint32_t size = make_table(s, N_MAX);

		if (strcmp(s->name, "fo") == 0)
			continue;
		ck_assert_uint_gt(size, 4000);
		for (size_t k = 0; k < N_MAX; k++)
			unserved += counts[k] == 0 && cands[k].weight > 0;
		ck_assert_uint_eq(unserved, 0);
	}
}
END_TEST

START_TEST(test_error)
{
	set_weights((uint32_t[]){ 1, 2 }, 2);
	memcpy(slots, (uint16_t[]){ 0, 1 }, 4);
	/* halves instead of 1/3 and 2/3 */
	ck_assert_uint_eq(slots_error_ppm(cands, 2, slots, 2), 500000);
	memcpy(slots, (uint16_t[]){ 1, 0, 1 }, 6);
	ck_assert_uint_eq(slots_error_ppm(cands, 2, slots, 3), 0);
}
END_TEST

/* Percent of the slots of the others that change hands when `gone` leaves. */
static double moved(const struct scheduler *s, size_t n, size_t gone, bool is_drained)
{
	static uint16_t before[TABLE_SIZE_MAX];
	struct candidate left = cands[gone];
	uint32_t size = make_table(s, n), changed = 0, others = 0;

	memcpy(before, slots, size * sizeof(*slots));
	if (is_drained)
		cands[gone].weight = 0;
	else
		memmove(&cands[gone], &cands[gone + 1], (n - gone - 1) * sizeof(left));
	ck_assert_uint_eq(make_table(s, is_drained ? n : n - 1), size);
	for (uint32_t i = 0; i < size; i++) {
		bool shifted = !is_drained && slots[i] >= gone;

		if (before[i] == gone)
			continue;
		others++;
		changed += before[i] != slots[i] + shifted;
	}
	if (!is_drained)
		memmove(&cands[gone + 1], &cands[gone], (n - gone - 1) * sizeof(left));
	cands[gone] = left;
	return 100.0 * changed / others;
}

START_TEST(test_sh_moves_little)
{
	static const size_t sizes[] = { 2, 3, 4, 8, 10, 16, 30, 100 };
	const struct scheduler *sh = scheduler_find("sh");
	double sum = 0, worst = 0;
	int tries = 0;

	seed = 11;
	for (int round = 0; round < 400; round++, tries++) {
		size_t n = sizes[round % 8];
		double percent;

		random_weights(n, round % 3 ? 10 : 1);
		for (size_t i = 0; i < n; i++)
			cands[i].weight += 1;
		percent = moved(sh, n, rnd((uint32_t)n), _i);
		sum += percent;
		worst = percent > worst ? percent : worst;
	}
	ck_assert_double_lt(worst, 20);
	ck_assert_double_lt(sum / tries, 7);
}
END_TEST

static void random_keys(size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(keys[i], sizeof(keys[i]), "10.%u.%u.%zu:%u", rnd(256), rnd(256), i,
			 1 + rnd(65535));
}

/* What the manual promises: at most 1 % of the others, from 3 backends to 64. */
START_TEST(test_mh_moves_hardly_any)
{
	const struct scheduler *mh = scheduler_find("mh");
	double worst = 0;

	seed = 17;
	for (size_t n = 3; n <= 64; n++) {
		double percent;

		random_weights(n, n % 3 ? 1 : 10);
		random_keys(n);
		for (size_t i = 0; i < n; i++)
			cands[i].weight += n % 3 == 0 || cands[i].weight == 0;
		ck_assert_uint_ge(mh->table_size(cands, n), 100 * n);
		percent = moved(mh, n, rnd((uint32_t)n), _i);
		worst = percent > worst ? percent : worst;
	}
	ck_assert_double_lt(worst, 1);
}
END_TEST

/* The larger table, as far as it goes: 200 backends. */
START_TEST(test_mh_of_many_moves_little)
{
	const struct scheduler *mh = scheduler_find("mh");
	static const size_t sizes[] = { 66, 100, 150, 200 };

	seed = 19;
	random_weights(sizes[_i], 1);
	random_keys(sizes[_i]);
	for (size_t i = 0; i < sizes[_i]; i++)
		cands[i].weight = 1;
	ck_assert_double_lt(moved(mh, sizes[_i], rnd((uint32_t)sizes[_i]), true), 1);
}
END_TEST

START_TEST(test_mh_sizes)
{
	const struct scheduler *mh = scheduler_find("mh");
	uint32_t size;

	random_weights(65, 1);
	ck_assert_uint_eq(mh->table_size(cands, 64), 32749);
	ck_assert_uint_eq(mh->table_size(cands, 65), 65521);
	for (size_t i = 0; (size = hash_table_size(i)); i++) {
		ck_assert_uint_le(size, TABLE_SIZE_MAX);
		for (uint32_t d = 2; d * d <= size; d++)
			ck_assert_uint_ne(size % d, 0);
	}
}
END_TEST

/* Neither order nor, with it, names: odd slots, too, go by the key. */
START_TEST(test_mh_looks_at_keys_alone)
{
	static uint16_t before[TABLE_SIZE_MAX];
	const struct scheduler *mh = scheduler_find("mh");
	struct candidate turned[7];
	uint32_t size;

	seed = 23;
	random_weights(7, 9);
	size = make_table(mh, 7);
	memcpy(before, slots, size * sizeof(*slots));
	for (size_t i = 0; i < 7; i++)
		turned[i] = cands[6 - i];
	memcpy(cands, turned, sizeof(turned));
	ck_assert_uint_eq(make_table(mh, 7), size);
	for (uint32_t i = 0; i < size; i++)
		if (before[i] != 6 - slots[i])
			ck_abort_msg("slot %u", i);
}
END_TEST

/* The same backends in another order have the same slots. */
START_TEST(test_order_does_not_matter)
{
	static uint16_t before[TABLE_SIZE_MAX];
	const struct scheduler *sh = scheduler_find("sh");
	struct candidate first;
	uint32_t size;

	set_weights((uint32_t[]){ 8, 8, 8, 8 }, 4); /* 64 slots each: no odd slot to give */
	size = make_table(sh, 4);
	memcpy(before, slots, size * sizeof(*slots));
	first = cands[0];
	cands[0] = cands[3];
	cands[3] = first;
	ck_assert_uint_eq(make_table(sh, 4), size);
	for (uint32_t i = 0; i < size; i++) {
		uint16_t is = slots[i] == 0 ? 3 : slots[i] == 3 ? 0 : slots[i];

		ck_assert_uint_eq(before[i], is);
	}
}
END_TEST

#define SH_DIGEST 16853579629757899476ull
#define MH_DIGEST 16825435719372048899ull

/* FNV-1a over the slots of three backends. */
static void assert_digest(const char *scheduler, uint64_t expected)
{
	uint32_t size = make_table(scheduler_find(scheduler), 3);
	uint64_t digest = 0xcbf29ce484222325ull;

	for (uint32_t i = 0; i < size; i++)
		digest = (digest ^ slots[i]) * 0x100000001b3ull;
	ck_assert_uint_eq(digest, expected);
}

/* Published: another balancer, or the next release, must hash alike. */
START_TEST(test_hash)
{
	ck_assert_uint_eq(key_hash(""), 0xf52a15e9a9b5e89bull);
	ck_assert_uint_ne(key_hash("10.1.0.11:8080"), key_hash("10.1.0.12:8080"));
	set_weights((uint32_t[]){ 1, 1, 1 }, 3);
	assert_digest("sh", SH_DIGEST);
	assert_digest("mh", MH_DIGEST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scheduler");
	TCase *tables = tcase_create("tables"), *stable = tcase_create("stable");

	suite_add_tcase(suite, tables);
	tcase_set_timeout(tables, 60);
	tcase_add_test(tables, test_table_of_schedulers);
	tcase_add_test(tables, test_no_weight_no_table);
	tcase_add_test(tables, test_small_tables);
	tcase_add_loop_test(tables, test_shares, 0, 4);
	tcase_add_test(tables, test_wrr_is_interleaved);
	tcase_add_test(tables, test_size_classes);
	tcase_add_test(tables, test_largest_tables);
	tcase_add_test(tables, test_error);
	suite_add_tcase(suite, stable);
	tcase_set_timeout(stable, 60);
	tcase_add_loop_test(stable, test_sh_moves_little, 0, 2);
	tcase_add_loop_test(stable, test_mh_moves_hardly_any, 0, 2);
	tcase_add_loop_test(stable, test_mh_of_many_moves_little, 0, 4);
	tcase_add_test(stable, test_mh_sizes);
	tcase_add_test(stable, test_mh_looks_at_keys_alone);
	tcase_add_test(stable, test_order_does_not_matter);
	tcase_add_test(stable, test_hash);
	return run_suite(suite);
}
