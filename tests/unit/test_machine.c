/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine of health by table and by random walk, and the heap of timers against
 * sorting.
 */
#include <check.h>
#include <stdlib.h>

#include "health/machine.h"
#include "health/passive.h"
#include "health/timers.h"
#include "model_testing.h"
#include "walk.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* results: 'o' ok, 'x' failed; states after each: U up, d going_down, D down, u going_up. */
static const struct {
	uint32_t rise, fall;
	const char *results, *states;
} walks[] = {
	{ 2, 3, "oooo", "UUUU" },     { 2, 3, "xxxx", "DDDD" },
	{ 2, 3, "oxxx", "UddD" },     { 2, 3, "oxxoxxoxxx", "UddUddUddD" },
	{ 2, 3, "xoo", "DuU" },       { 2, 3, "xoxoxoo", "DuDuDuU" },
	{ 1, 1, "oxoxxo", "UDUDDU" }, { 3, 1, "oxooo", "UDuuU" },
	{ 1, 3, "oxxxo", "UddDU" },   { 3, 3, "oxxxooxooo", "UddDuuDuuU" },
};

static char letter(enum health_state state)
{
	switch (state) {
	case HEALTH_UNKNOWN:
		return '?';
	case HEALTH_UP:
		return 'U';
	case HEALTH_GOING_DOWN:
		return 'd';
	case HEALTH_DOWN:
		return 'D';
	case HEALTH_GOING_UP:
		return 'u';
	case HEALTH_DRAINING:
	case HEALTH_DISABLED:
		break;
	}
	return '!';
}

START_TEST(table)
{
	const struct machine_rule rule = { walks[_i].rise, walks[_i].fall, false };
	struct machine m = { 0 };
	char states[16] = "";

	for (size_t i = 0; walks[_i].results[i]; i++) {
		enum health_state before = m.state;
		bool is_changed = machine_result(&m, &rule, walks[_i].results[i] == 'o');

		ck_assert_int_eq(is_changed, m.state != before);
		states[i] = letter(m.state);
	}
	ck_assert_str_eq(states, walks[_i].states);
}
END_TEST

START_TEST(use_before_the_first_result)
{
	const struct machine_rule up = { 1, 1, false }, down = { 1, 1, true };
	struct machine m = { 0 };

	ck_assert(!machine_is_down(&m, &up));
	ck_assert(machine_is_down(&m, &down));
	machine_result(&m, &down, true);
	ck_assert(!machine_is_down(&m, &down));
	machine_result(&m, &up, false);
	ck_assert(machine_is_down(&m, &up));
}
END_TEST

START_TEST(what_the_operator_wants_lies_over_it)
{
	struct machine m = { .state = HEALTH_UP };

	ck_assert_int_eq(machine_shown(&m, false, false), HEALTH_UP);
	ck_assert_int_eq(machine_shown(&m, true, false), HEALTH_DRAINING);
	ck_assert_int_eq(machine_shown(&m, true, true), HEALTH_DISABLED);
	m.state = HEALTH_DOWN;
	ck_assert_int_eq(machine_shown(&m, true, false), HEALTH_DOWN);
	for (int i = HEALTH_UNKNOWN; i <= HEALTH_DISABLED; i++)
		ck_assert_int_gt(strlen(health_state_name((enum health_state)i)), 0);
}
END_TEST

/*
 * Said once more without states: after the first result, what is in use changes exactly when the
 * last `rise` (or `fall`) results all speak for the other side.
 */
START_TEST(random_walk)
{
	const struct machine_rule rule = { (uint32_t)(_i % 4) + 1, (uint32_t)(_i / 4 % 4) + 1,
					   _i % 2 };
	struct machine m = { 0 };
	unsigned int n_same = 0, bias = (unsigned int)(_i * 7 % 5) + 1;
	bool is_down = false, last = false;

	srand((unsigned int)_i);
	for (int i = 0; i < 20000; i++) {
		bool is_ok = (unsigned int)rand() % 6 < bias;

		n_same = i && is_ok == last ? n_same + 1 : 1;
		last = is_ok;
		if (i == 0)
			is_down = !is_ok;
		else if (is_ok == is_down && n_same >= (is_ok ? rule.rise : rule.fall))
			is_down = !is_ok;
		machine_result(&m, &rule, is_ok);
		ck_assert_int_eq(machine_is_down(&m, &rule), is_down);
		ck_assert_int_eq(machine_is_in_transition(&m), machine_needed(&m, &rule) > 0);
		ck_assert_uint_lt(m.in_a_row, is_down ? rule.rise : rule.fall);
		ck_assert_int_ne(m.state, HEALTH_UNKNOWN);
	}
}
END_TEST

#define S 1000000ull

START_TEST(connections_in_a_row)
{
	const struct passive_rule rule = { 3, 10 * S, 5 * S, 3600 * S };
	struct passive p = { 0 };

	ck_assert(!passive_failed(&p, &rule, 1 * S));
	ck_assert(!passive_failed(&p, &rule, 2 * S));
	passive_answered(&p); /* begins anew */
	ck_assert(!passive_failed(&p, &rule, 3 * S));
	ck_assert(!passive_failed(&p, &rule, 4 * S));
	ck_assert(!passive_failed(&p, &rule, 14 * S)); /* the first is too long ago */
	ck_assert(!passive_failed(&p, &rule, 15 * S));
	ck_assert(passive_failed(&p, &rule, 16 * S));
	ck_assert(p.is_down && p.until_us == 21 * S);
	ck_assert(!passive_failed(&p, &rule, 17 * S)); /* one that began before */
	passive_over(&p);
	ck_assert(!p.is_down);
}
END_TEST

/* 5, 10, 20, ... 3600 s while it fails at once; 5 s again after it lasted. */
START_TEST(time_out_of_use_doubles)
{
	const struct passive_rule rule = { 1, S, 5 * S, 3600 * S };
	struct passive p = { 0 };
	uint64_t now_us = 100 * S, expected_us = 5 * S;

	for (int i = 0; i < 14; i++) {
		ck_assert(passive_failed(&p, &rule, now_us));
		ck_assert_uint_eq(p.until_us - now_us, expected_us);
		now_us = p.until_us + 1;
		passive_over(&p);
		expected_us = 2 * expected_us < 3600 * S ? 2 * expected_us : 3600 * S;
	}
	ck_assert_uint_eq(expected_us, 3600 * S);
	ck_assert(passive_failed(&p, &rule, now_us + 3600 * S));
	ck_assert_uint_eq(p.inhibit_us, 5 * S);
}
END_TEST

#define N_TIMERS 300

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

START_TEST(timers_come_in_order)
{
	static struct timer timers[N_TIMERS];
	uint64_t expected[N_TIMERS];
	struct timers heap = { 0 };
	size_t n = 0;

	memset(timers, 0, sizeof(timers));
	srand((unsigned int)_i);
	for (int i = 0; i < 5000; i++) {
		struct timer *t = &timers[rand() % N_TIMERS];

		if (rand() % 3)
			timers_set(&heap, t, (uint64_t)(rand() % 1000));
		else
			timers_clear(&heap, t);
	}
	for (size_t i = 0; i < N_TIMERS; i++)
		if (timers[i].place)
			expected[n++] = timers[i].at_us;
	qsort(expected, n, sizeof(*expected), by_value);
	ck_assert_uint_eq(heap.n, n);
	for (size_t i = 0; i < n; i++) {
		struct timer *first = timers_first(&heap);

		ck_assert_uint_eq(first->at_us, expected[i]);
		timers_clear(&heap, first);
		ck_assert_uint_eq(first->place, 0);
	}
	ck_assert_ptr_null(timers_first(&heap));
	timers_fini(&heap);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("machine");
	TCase *machine = tcase_create("machine"), *timers = tcase_create("timers");

	tcase_add_loop_test(machine, table, 0, (int)ARRAY_SIZE(walks));
	tcase_add_test(machine, use_before_the_first_result);
	tcase_add_test(machine, what_the_operator_wants_lies_over_it);
	tcase_add_test(machine, connections_in_a_row);
	tcase_add_test(machine, time_out_of_use_doubles);
	tcase_add_loop_test(machine, random_walk, 0, WALKS(16));
	tcase_add_loop_test(timers, timers_come_in_order, 0, 8);
	suite_add_tcase(suite, machine);
	suite_add_tcase(suite, timers);
	return run_suite(suite);
}
