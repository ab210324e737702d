/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a backend is full. */
#include <check.h>
#include <stdlib.h>

#include "plan/threshold.h"
#include "suite.h"

static bool is_full(uint32_t max, uint32_t min, uint32_t open, bool was)
{
	const struct backend b = { .max_connections = max, .min_connections = min };

	return threshold_is_full(&b, open, was);
}

START_TEST(test_upper)
{
	ck_assert(!is_full(0, 0, UINT32_MAX, true));
	ck_assert(!is_full(100, 0, 99, false));
	ck_assert(is_full(100, 0, 100, false));
	ck_assert(is_full(100, 0, 101, false));
	ck_assert(is_full(MODEL_CONNECTIONS_MAX, 0, MODEL_CONNECTIONS_MAX, false));
}
END_TEST

/* ip_vs_conn.c: in again below the lower one, or below 3/4 of the upper one. */
START_TEST(test_lower)
{
	ck_assert(is_full(100, 50, 50, true));
	ck_assert(!is_full(100, 50, 49, true));
	ck_assert(is_full(100, 0, 75, true));
	ck_assert(!is_full(100, 0, 74, true));
	ck_assert(is_full(100, 100, 100, true));
	ck_assert(!is_full(100, 100, 99, true));
	for (uint32_t max = 1; max < 200; max++)
		for (uint32_t open = 0; open < 250; open++)
			ck_assert_int_eq(!is_full(max, 0, open, true), open * 4 < max * 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("threshold");
	TCase *tc = tcase_create("threshold");

	tcase_add_test(tc, test_upper);
	tcase_add_test(tc, test_lower);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
