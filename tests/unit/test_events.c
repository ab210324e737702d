/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring of events: order, gaps, listeners that come and go. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/events.h"
#include "suite.h"

START_TEST(test_order)
{
	struct events *e = events_new(8, 100);
	struct event_line line;

	ck_assert(!events_next(e, 0, &line));
	ck_assert_uint_eq(events_last(e), 99);
	ck_assert_uint_eq(events_add(e, "generation", 5, json_pack("{s:i}", "generation", 1)), 100);
	ck_assert_uint_eq(events_add(e, "warning", 6, NULL), 101);
	ck_assert(events_next(e, 0, &line));
	ck_assert_uint_eq(line.number, 100);
	ck_assert_str_eq(line.json,
			 "{\"event\":100,\"time_ms\":5,\"type\":\"generation\",\"generation\":1}");
	ck_assert_uint_eq(line.len, strlen(line.json));
	ck_assert(!line.is_gap);
	ck_assert(events_next(e, 100, &line));
	ck_assert_str_eq(line.type, "warning");
	ck_assert(!line.is_gap);
	ck_assert(!events_next(e, 101, &line));
	events_free(e);
}
END_TEST

START_TEST(test_gap)
{
	struct events *e = events_new(4, 1);
	struct event_line line;

	for (int i = 0; i < 10; i++)
		events_add(e, "warning", i, NULL);
	ck_assert(events_next(e, 3, &line)); /* 4 to 6 are gone */
	ck_assert_uint_eq(line.number, 7);
	ck_assert(line.is_gap);
	ck_assert(events_next(e, 6, &line));
	ck_assert_uint_eq(line.number, 7);
	ck_assert(!line.is_gap);
	ck_assert(events_next(e, 0, &line)); /* whatever there is */
	ck_assert(!line.is_gap);
	events_free(e);
}
END_TEST

struct counter {
	struct events *events;
	struct events_listener *listener, *victim;
	int calls;
};

static void count(void *arg)
{
	((struct counter *)arg)->calls++;
}

static void count_and_leave(void *arg)
{
	struct counter *c = arg;

	c->calls++;
	events_unlisten(c->events, c->listener);
	if (c->victim)
		events_unlisten(c->events, c->victim);
	events_add(c->events, "warning", 0, NULL);
}

START_TEST(test_listeners)
{
	struct events *e = events_new(4, 1);
	struct counter stays = { .events = e }, goes = { .events = e }, victim = { .events = e };

	victim.listener = events_listen(e, count, &victim);
	stays.listener = events_listen(e, count, &stays);
	goes.listener = events_listen(e, count_and_leave, &goes);
	goes.victim = victim.listener;
	events_add(e, "warning", 0, NULL);
	events_add(e, "warning", 0, NULL);
	ck_assert_int_eq(goes.calls, 1);
	ck_assert_int_eq(stays.calls, 2);
	ck_assert_int_eq(victim.calls, 0);
	events_free(e);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events");
	TCase *tc = tcase_create("events");

	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_gap);
	tcase_add_test(tc, test_listeners);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
