/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accounting: what events and listings add up to, while the configuration changes. */
#include <check.h>

#include "stats/saved.h"
#include "stats_fixture.h"

static void end(uint64_t packets, uint64_t bytes)
{
	struct flow f = make_flow(FLOW_DESTROY, packets, bytes);

	feed(&f);
}

static void check_sums(const struct meter *m, uint64_t conns, uint64_t packets, uint64_t bytes)
{
	ck_assert_uint_eq(m->shown[SUM_CONNS], conns);
	ck_assert_uint_eq(m->shown[SUM_INPKTS], packets);
	ck_assert_uint_eq(m->shown[SUM_OUTPKTS], 2 * packets);
	ck_assert_uint_eq(m->shown[SUM_INBYTES], bytes);
	ck_assert_uint_eq(m->shown[SUM_OUTBYTES], 10 * bytes);
}

static void check_all(uint64_t conns, uint64_t packets, uint64_t bytes)
{
	const struct listener l = { .address = end_of("192.0.2.10", 0).address,
				    .port = 80,
				    .protocol = IPPROTO_TCP };
	struct meter of[] = { stats_of_service(w.s, "web"), stats_of_listener(w.s, &l),
			      stats_of_backend(w.s, "web", world_backend(&w, "web", "a")) };

	for (size_t i = 0; i < 3; i++)
		check_sums(&of[i], conns, packets, bytes);
}

START_TEST(test_ended_and_living_add_up)
{
	end(3, 100);
	stats_list_begin(w.s);
	feed_listed(5, 1000);
	settle(1 * S);
	check_all(2, 8, 1100);
	ck_assert_uint_eq(stats_live(w.s, "web", world_backend(&w, "web", "a")).active, 1);
	ck_assert_uint_eq(stats_of_backend(w.s, "web", world_backend(&w, "web", "b")).active, 0);
	/* It ends with what it had last. */
	end(7, 1500);
	ck_assert_uint_eq(stats_live(w.s, "web", world_backend(&w, "web", "a")).active, 0);
	stats_list_begin(w.s);
	settle(2 * S);
	check_all(2, 10, 1600);
}
END_TEST

START_TEST(test_one_that_ends_during_a_listing_counts_once)
{
	stats_list_begin(w.s);
	feed_listed(5, 1000);
	end(6, 1200); /* the same one */
	end(1, 10);   /* one that the listing did not come to */
	settle(1 * S);
	check_all(1, 5, 1000);
	stats_list_begin(w.s);
	settle(2 * S);
	check_all(2, 7, 1210);
}
END_TEST

START_TEST(test_a_listing_that_broke_off)
{
	stats_list_begin(w.s);
	feed_listed(5, 1000);
	end(6, 1200);
	stats_list_cancel(w.s);
	stats_list_begin(w.s);
	settle(2 * S);
	check_all(1, 6, 1200);
}
END_TEST

START_TEST(test_what_was_lost_stays_in_the_totals)
{
	stats_list_begin(w.s);
	feed_listed(5, 1000);
	settle(1 * S);
	/* It ends, and nobody hears of it; another one begins. */
	stats_list_begin(w.s);
	feed_listed(1, 10);
	stats_list_end(w.s, w.m, 2 * S, true);
	check_all(1, 5, 1000);
	end(2, 20);
	stats_list_begin(w.s);
	settle(3 * S);
	/* Never less than was known, and no connection was invented. */
	ck_assert_uint_ge(stats_of_service(w.s, "web").shown[SUM_INPKTS], 6);
	ck_assert_uint_le(stats_of_service(w.s, "web").shown[SUM_INPKTS], 7);
}
END_TEST

START_TEST(test_rates_are_an_average)
{
	double first;

	stats_list_begin(w.s);
	feed_listed(0, 0);
	settle(100 * S);
	stats_list_begin(w.s);
	feed_listed(800, 0);
	settle(102 * S);
	/* 400 a second, a quarter of it. */
	first = stats_of_service(w.s, "web").rates[SUM_INPKTS];
	ck_assert_double_eq_tol(first, 100, 0.001);
	stats_list_begin(w.s);
	feed_listed(800, 0);
	settle(104 * S);
	ck_assert_double_eq_tol(stats_of_service(w.s, "web").rates[SUM_INPKTS], 75, 0.001);
	/* One sample of 4 s is as good as two of 2 s. */
	stats_list_begin(w.s);
	feed_listed(800, 0);
	settle(108 * S);
	ck_assert_double_eq_tol(stats_of_service(w.s, "web").rates[SUM_INPKTS], 75 * 0.5625, 0.001);
}
END_TEST

/* The kernel may tell an end again; another connection between the same ends is another one. */
START_TEST(test_what_is_told_again_counts_once)
{
	struct flow f = make_flow(FLOW_DESTROY, 3, 300);

	f.id = 17;
	f.read_ns = 5 * S;
	for (int i = 0; i < 3; i++)
		feed(&f);
	f.read_ns += 9 * S;
	feed(&f);
	settle(S);
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_CONNS], 1);
	ck_assert_uint_eq(stats_self(w.s).n_duplicates, 3);
	/* Other counters, another id, much later. */
	f.packets_in++;
	feed(&f);
	f.id++;
	feed(&f);
	f.read_ns += 30 * S;
	feed(&f);
	settle(2 * S);
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_CONNS], 4);
	/* One that is refused can be followed by its like at once; the time tells them apart. */
	f.status = FLOW_FULLNAT;
	feed(&f);
	feed(&f);
	settle(3 * S);
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_CONNS], 6);
	f.start_ns = 1;
	feed(&f);
	feed(&f);
	settle(4 * S);
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_CONNS], 7);
}
END_TEST

/* The world has counted them, in one listing; another one does so now, and is the same. */
static void check_one_by_one(const struct flow *flows, size_t n)
{
	const struct stats_self many = stats_self(w.s);
	struct meter service = stats_of_service(w.s, "web");

	teardown();
	setup();
	stats_list_begin(w.s);
	for (size_t i = 0; i < n; i++)
		feed(&flows[i]);
	settle(S);
	ck_assert_uint_gt(many.n_foreign, 0);
	ck_assert_uint_gt(many.n_duplicates, 0);
	ck_assert_uint_eq(many.n_foreign, stats_self(w.s).n_foreign);
	ck_assert_uint_eq(many.n_duplicates, stats_self(w.s).n_duplicates);
	ck_assert_uint_eq(many.n_rows, stats_self(w.s).n_rows);
	ck_assert_uint_eq(service.shown[SUM_CONNS], stats_of_service(w.s, "web").shown[SUM_CONNS]);
}

START_TEST(test_foreign_connections_do_not_count)
{
	struct flow f = make_flow(FLOW_DESTROY, 1, 60);

	f.to.port = 82;
	feed(&f);
	ck_assert_uint_eq(stats_self(w.s).n_foreign, 1);
	ck_assert_uint_eq(stats_self(w.s).n_rows, 0);
}
END_TEST

/* More than are fetched at once, some of them first ones, some foreign, some told again. */
START_TEST(test_many_at_once_are_as_one_by_one)
{
	struct flow flows[100];

	for (uint32_t i = 0; i < 100; i++) {
		flows[i] = make_flow(i % 3 ? FLOW_DESTROY : FLOW_LISTED, 1, 60);
		flows[i].id = i / 2 + 1;
		flows[i].to.port = i % 10 ? 80 : 82;
		flows[i].backend.address.bytes[3] = (uint8_t)(i % 7);
	}
	stats_list_begin(w.s);
	stats_flows(w.s, w.m, flows, 100);
	settle(S);
	check_one_by_one(flows, 100);
}
END_TEST

START_TEST(test_announced_connections_count_for_their_master)
{
	struct flow f = make_flow(FLOW_DESTROY, 3, 100);

	f.to.port = 50000;
	f.backend.port = 50000;
	f.master_to = end_of("192.0.2.10", 80);
	feed(&f);
	/* Begun by the backend, through a local address, to the client. */
	f.client = end_of("10.1.0.11", 20);
	f.to = end_of("10.1.0.50", 41000);
	f.backend = end_of("198.51.100.2", 41000);
	f.local = end_of("192.0.2.10", 20);
	f.packets_in = 6;
	f.packets_out = 3;
	f.bytes_in = 1000;
	f.bytes_out = 100;
	feed(&f);
	stats_list_begin(w.s);
	settle(1 * S);
	check_all(2, 6, 200);
}
END_TEST

/* The end does not name the connection that announced it; the announcement does. */
START_TEST(test_announcements_are_remembered)
{
	struct flow end_of_data = make_flow(FLOW_DESTROY, 3, 100), announcement;

	end_of_data.status |= FLOW_EXPECTED;
	end_of_data.to.port = 50000;
	end_of_data.backend.port = 50000;
	feed(&end_of_data);
	ck_assert_uint_eq(stats_self(w.s).n_foreign, 1);
	announcement = end_of_data;
	announcement.kind = FLOW_ANNOUNCED;
	announcement.client.port = 0;
	announcement.master_to = end_of("192.0.2.10", 80);
	feed(&announcement);
	feed(&end_of_data);
	/* More of them than are remembered: the latest still are. */
	for (uint16_t port = 1; port < 40000; port++) {
		announcement.to.port = port;
		feed(&announcement);
	}
	end_of_data.to.port = 39999;
	feed(&end_of_data);
	stats_list_begin(w.s);
	settle(1 * S);
	check_all(2, 6, 200);
	/* Not one that no helper announced. */
	end_of_data.status &= ~FLOW_EXPECTED;
	feed(&end_of_data);
	ck_assert_uint_eq(stats_self(w.s).n_foreign, 2);
}
END_TEST

static void settle_nothing(void)
{
	static uint64_t at = 1000 * S;

	for (int i = 0; i < 80; i++) { /* until rates are zero, too */
		stats_list_begin(w.s);
		settle(at += 2 * S);
	}
}

START_TEST(test_rows_follow_the_configuration)
{
	end(3, 100);
	settle_nothing();
	check_all(1, 3, 100);
	ck_assert_uint_eq(stats_self(w.s).n_rows, 4);

	/* The backend goes while a connection to it lives: that counts for the service. */
	stats_list_begin(w.s);
	feed_listed(1, 10);
	settle(5000 * S);
	world_service(&w, "web", WEB_OF(L80 "," L81, BB));
	end(2, 20);
	settle_nothing();
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_INPKTS], 5);
	ck_assert_uint_eq(stats_self(w.s).n_rows, 3); /* service, listener, local */

	/* A listener goes to another service. */
	world_service(&w, "web", WEB_OF(L81, BB));
	world_service(&w, "other", WEB_OF(L80, BA));
	end(4, 40);
	settle_nothing();
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_INPKTS], 5);
	ck_assert_uint_eq(stats_of_service(w.s, "other").shown[SUM_INPKTS], 4);

	/* A pool's address goes. */
	ck_assert_uint_eq(stats_self(w.s).n_rows, 5);
	world_pool(&w, "\"10.1.0.60\"");
	ck_assert_uint_eq(stats_self(w.s).n_rows, 4);
	world_service(&w, "other", NULL);
	world_service(&w, "web", NULL);
	ck_assert_uint_eq(stats_self(w.s).n_rows, 0);
}
END_TEST

START_TEST(test_a_backend_keeps_its_numbers_while_others_change)
{
	end(3, 100);
	world_service(&w, "web", WEB_OF(L80, BA));
	world_service(&w, "web", WEB_OF(L80, BA "," BB));
	end(3, 100);
	settle_nothing();
	check_all(2, 6, 200);
}
END_TEST

/* What is saved, as text. Owned by the caller. */
static char *saved_text(void)
{
	struct saved saved = { .since_ms = 1, .unobserved_ms = 2, .saved_ms = 3 };
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	saved_take(&saved, w.s);
	saved_write(&saved, out);
	fclose(out);
	saved_fini(&saved);
	return text;
}

/* As a daemon that starts with this text. False: it is not taken. */
static bool restart(const char *text)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	struct err err = ERR_INIT;
	struct saved saved;
	bool is_good = saved_read(&saved, in, &err) == 0;

	fclose(in);
	ck_assert(is_good != err_any(&err));
	if (is_good) {
		stats_free(w.s);
		w.s = stats_new();
		saved_give(&saved, w.s, w.m);
	}
	saved_fini(&saved);
	err_fini(&err);
	return is_good;
}

START_TEST(test_counters_outlive_a_restart)
{
	char *text;

	end(3, 100);
	stats_list_begin(w.s);
	feed_listed(5, 1000);
	settle(1 * S);
	end(2, 20);
	text = saved_text();
	ck_assert(restart(text));
	check_all(2, 8, 1100);
	/* One lived through it. */
	stats_list_begin(w.s);
	feed_listed(6, 1100);
	stats_list_end(w.s, w.m, 2 * S, true);
	check_all(3, 11, 1220);
	/* One that was counted while it lived ended in between. */
	ck_assert(restart(text));
	stats_list_begin(w.s);
	stats_list_end(w.s, w.m, 2 * S, true);
	check_all(2, 8, 1100);
	end(1, 10);
	stats_list_begin(w.s);
	stats_list_end(w.s, w.m, 3 * S, false);
	check_all(3, 9, 1110);
	free(text);
}
END_TEST

static uint64_t overflowed(void)
{
	struct meter m = stats_of_service(w.s, "web");

	return m.overflowed - m.zero.overflowed;
}

/* The kernel goes on counting while no daemon reads it; a counter that is new begins at zero. */
START_TEST(test_overflowed_goes_on)
{
	char *text;

	stats_overflowed(w.s, w.m, "web", NULL, 7, 10);
	stats_overflowed(w.s, w.m, "web", NULL, 7, 10);
	stats_overflowed(w.s, w.m, "nobody", NULL, 8, 10);
	ck_assert_uint_eq(overflowed(), 10);
	text = saved_text();
	ck_assert(restart(text));
	ck_assert_uint_eq(overflowed(), 10);
	stats_overflowed(w.s, w.m, "web", NULL, 7, 13);
	ck_assert_uint_eq(overflowed(), 13);
	stats_overflowed(w.s, w.m, "web", NULL, 9, 20); /* removed and made again */
	ck_assert_uint_eq(overflowed(), 33);
	stats_overflowed(w.s, w.m, "web", NULL, 9, 4); /* the whole table was */
	ck_assert_uint_eq(overflowed(), 37);
	stats_zero(w.s, "web");
	stats_overflowed(w.s, w.m, "web", NULL, 9, 5);
	ck_assert_uint_eq(overflowed(), 1);
	ck_assert_uint_eq(stats_of_service(w.s, "web").overflowed, 38);
	free(text);
}
END_TEST

static uint64_t begun(const struct meter *m)
{
	return m->counted - m->zero.counted;
}

static void check_begun(uint64_t service, uint64_t backend)
{
	struct meter s = stats_of_service(w.s, "web");
	struct meter b = stats_of_backend(w.s, "web", world_backend(&w, "web", "a"));

	ck_assert_uint_eq(begun(&s), service);
	ck_assert_uint_eq(begun(&b), backend);
}

/* Likewise; and an element that others have read already, and one of nobody's. */
START_TEST(test_what_began_goes_on)
{
	const struct backend *a = world_backend(&w, "web", "a");
	char *text;

	stats_counted(w.s, w.m, "web", a, 7, 0, 10);
	stats_counted(w.s, w.m, "web", a, 7, 10, 12);
	stats_counted(w.s, w.m, "nobody", NULL, 8, 5, 10);
	check_begun(12, 12);
	text = saved_text();
	ck_assert(restart(text));
	a = world_backend(&w, "web", "a");
	check_begun(12, 12);
	stats_counted(w.s, w.m, "web", a, 7, 0, 15);
	check_begun(15, 15);
	stats_counted(w.s, w.m, "web", NULL, 7, 0, 100); /* nobody's, from before */
	stats_counted(w.s, w.m, "web", NULL, 7, 100, 102);
	check_begun(17, 15);
	stats_counted(w.s, w.m, "web", a, 9, 20, 23); /* what it had said before was told */
	check_begun(20, 18);
	stats_counted(w.s, w.m, "web", a, 11, 0, 30); /* another set */
	check_begun(50, 48);
	stats_counted(w.s, w.m, "web", a, 11, 30, 4); /* the whole table is another one */
	check_begun(54, 52);
	stats_counted(w.s, w.m, "web", NULL, 11, 4, 9); /* it goes, and comes back */
	check_begun(59, 52);
	stats_counted(w.s, w.m, "web", a, 11, 9, 10);
	check_begun(60, 58);
	stats_zero(w.s, "web");
	stats_counted(w.s, w.m, "web", a, 11, 10, 11);
	check_begun(1, 1);
	free(text);
}
END_TEST

/* Of daemons that knew fewer numbers. */
START_TEST(test_a_file_of_version_2)
{
	static const char two[] =
		"fnat counters 2 5 6 7\n"
		"service web - - 0 3 6 6 600 600 3 6 6 600 600 0 0 0 0 0 0 0 0 0 0 0 9 0 7 9\n"
		"end 1\n";

	ck_assert(restart(two));
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_CONNS], 3);
	ck_assert_uint_eq(overflowed(), 9);
	ck_assert_uint_eq(stats_of_service(w.s, "web").counted, 0);
}
END_TEST

START_TEST(test_a_file_of_version_1)
{
	static const char one[] =
		"fnat counters 1 5 6 7\n"
		"service web - - 0 3 6 6 600 600 3 6 6 600 600 0 0 0 0 0 0 0 0 0 0 0\n"
		"end 1\n";

	ck_assert(restart(one));
	ck_assert_uint_eq(stats_of_service(w.s, "web").shown[SUM_CONNS], 3);
	ck_assert_uint_eq(overflowed(), 0);
}
END_TEST

START_TEST(test_what_is_not_configured_any_more_is_not_restored)
{
	char *text;

	end(3, 100);
	text = saved_text();
	world_service(&w, "web", WEB_OF(L81, BB));
	ck_assert(restart(text));
	ck_assert_uint_eq(stats_self(w.s).n_rows, 2); /* the service, and the local address */
	world_service(&w, "web", NULL);
	ck_assert(restart(text));
	ck_assert_uint_eq(stats_self(w.s).n_rows, 0);
	free(text);
}
END_TEST

START_TEST(test_a_damaged_file_is_refused)
{
	char *text;

	end(3, 100);
	text = saved_text();
	for (size_t len = 0; len < strlen(text) - 1; len++) {
		char *cut = mem_strndup(text, len);

		ck_assert_msg(!restart(*cut ? cut : "\n"), "%s", cut);
		free(cut);
	}
	for (size_t i = 0; i < 3000; i++) {
		char *bad = mem_strdup(text);

		bad[rand() % strlen(text)] = (char)(1 + rand() % 255);
		restart(bad);
		free(bad);
	}
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats");
	TCase *t = tcase_create("stats");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_ended_and_living_add_up);
	tcase_add_test(t, test_one_that_ends_during_a_listing_counts_once);
	tcase_add_test(t, test_a_listing_that_broke_off);
	tcase_add_test(t, test_what_was_lost_stays_in_the_totals);
	tcase_add_test(t, test_rates_are_an_average);
	tcase_add_test(t, test_what_is_told_again_counts_once);
	tcase_add_test(t, test_foreign_connections_do_not_count);
	tcase_add_test(t, test_many_at_once_are_as_one_by_one);
	tcase_add_test(t, test_announced_connections_count_for_their_master);
	tcase_add_test(t, test_announcements_are_remembered);
	tcase_add_test(t, test_rows_follow_the_configuration);
	tcase_add_test(t, test_a_backend_keeps_its_numbers_while_others_change);
	tcase_add_test(t, test_counters_outlive_a_restart);
	tcase_add_test(t, test_what_is_not_configured_any_more_is_not_restored);
	tcase_add_test(t, test_overflowed_goes_on);
	tcase_add_test(t, test_what_began_goes_on);
	tcase_add_test(t, test_a_file_of_version_2);
	tcase_add_test(t, test_a_file_of_version_1);
	tcase_add_test(t, test_a_damaged_file_is_refused);
	suite_add_tcase(s, t);
	return run_suite(s);
}
