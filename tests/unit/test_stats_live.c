/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Living connections of a backend, between two listings. */
#include <check.h>

#include "stats_fixture.h"

static struct stats_live live(void)
{
	return stats_live(w.s, "web", world_backend(&w, "web", "a"));
}

static void feed_times(const struct flow *f, int n)
{
	for (int i = 0; i < n; i++)
		feed(f);
}

static void list_times(int n)
{
	for (int i = 0; i < n; i++)
		feed_listed(1, 60);
}

START_TEST(test_events_move_the_living)
{
	struct flow f = make_flow(FLOW_NEW, 1, 60);

	feed(&f);
	ck_assert_uint_eq(live().inactive, 1);
	f.kind = FLOW_UPDATE;
	feed(&f);
	ck_assert_uint_eq(live().active, 1);
	ck_assert_uint_eq(live().inactive, 0);
	f.state = TCP_STATE_FIN_WAIT;
	feed(&f);
	ck_assert_uint_eq(live().active, 0);
	f.kind = FLOW_DESTROY;
	f.state = TCP_STATE_TIME_WAIT;
	feed(&f);
	ck_assert_uint_eq(live().inactive, 0);
}
END_TEST

/* The listing was past their places in the table. */
START_TEST(test_what_begins_during_a_listing_is_open)
{
	struct flow f = make_flow(FLOW_NEW, 1, 60);

	for (int n_listed = 0; n_listed <= 3; n_listed++) {
		stats_list_begin(w.s);
		settle(1 * S);
		stats_list_begin(w.s);
		feed_times(&f, 3);
		list_times(n_listed);
		settle(2 * S);
		ck_assert_uint_eq(live().open, 3);
		/* The next one has them. */
		stats_list_begin(w.s);
		list_times(3);
		settle(3 * S);
		ck_assert_uint_eq(live().open, 3);
	}
	/* What is gone without a trace is, nevertheless. */
	stats_list_begin(w.s);
	feed(&f);
	settle(4 * S);
	ck_assert_uint_eq(live().open, 1);
	stats_list_begin(w.s);
	settle(5 * S);
	ck_assert_uint_eq(live().open, 0);
}
END_TEST

/* As the events told of it: three began, one of them was established. */
START_TEST(test_what_begins_during_a_listing_lives)
{
	struct flow f = make_flow(FLOW_NEW, 1, 60), answer = make_flow(FLOW_UPDATE, 1, 60);

	for (int n_listed = 0; n_listed <= 1; n_listed++) {
		stats_list_begin(w.s);
		settle(1 * S);
		stats_list_begin(w.s);
		feed_times(&f, 3);
		feed(&answer);
		list_times(n_listed);
		settle(2 * S);
		ck_assert_uint_eq(live().active, 1);
		ck_assert_uint_eq(live().inactive, 2);
	}
	/* What had closed by then is inactive until it is gone. */
	stats_list_begin(w.s);
	settle(3 * S);
	stats_list_begin(w.s);
	feed(&f);
	f.kind = FLOW_UPDATE;
	f.state = TCP_STATE_TIME_WAIT;
	feed(&f);
	settle(4 * S);
	ck_assert_uint_eq(live().open, 0);
	ck_assert_uint_eq(live().inactive, 1);
	stats_list_begin(w.s);
	settle(5 * S);
	ck_assert_uint_eq(live().inactive, 0);
}
END_TEST

/* By a reset of what both sides had closed before. */
START_TEST(test_what_closes_twice_was_open_once)
{
	struct flow f = make_flow(FLOW_NEW, 0, 0);

	for (uint32_t id = 1; id <= 3; id++) {
		f.id = id;
		feed(&f);
	}
	f.kind = FLOW_UPDATE;
	f.state = TCP_STATE_TIME_WAIT;
	feed(&f);
	f.state = TCP_STATE_CLOSE;
	feed(&f);
	ck_assert_uint_eq(live().open, 2);
	/* Another one that is reset was not closed before. */
	f.id = 2;
	feed(&f);
	ck_assert_uint_eq(live().open, 1);
}
END_TEST

/* One of UDP is active from its first answer on, and an assured one is no second one. */
START_TEST(test_an_answer_makes_a_udp_flow_active)
{
	struct flow f = make_flow(FLOW_NEW, 1, 60);

	f.protocol = IPPROTO_UDP;
	f.state = 0;
	f.status = FLOW_FULLNAT;
	world_service(&w, "web",
		      WEB_OF("{\"address\":\"192.0.2.10\",\"protocol\":\"udp\",\"port\":80}", BA));
	feed(&f);
	ck_assert_uint_eq(live().inactive, 1);
	f.kind = FLOW_UPDATE;
	feed(&f); /* its mark, perhaps */
	ck_assert_uint_eq(live().active, 0);
	f.status |= FLOW_SEEN_REPLY;
	feed(&f);
	f.status |= FLOW_ASSURED;
	feed(&f);
	ck_assert_uint_eq(live().active, 1);
	ck_assert_uint_eq(live().inactive, 0);
	f.kind = FLOW_DESTROY;
	feed(&f);
	ck_assert_uint_eq(live().active, 0);
	ck_assert_uint_eq(live().inactive, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats live");
	TCase *t = tcase_create("stats live");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_events_move_the_living);
	tcase_add_test(t, test_what_begins_during_a_listing_is_open);
	tcase_add_test(t, test_what_begins_during_a_listing_lives);
	tcase_add_test(t, test_what_closes_twice_was_open_once);
	tcase_add_test(t, test_an_answer_makes_a_udp_flow_active);
	suite_add_tcase(s, t);
	return run_suite(s);
}
