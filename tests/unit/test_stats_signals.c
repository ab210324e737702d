/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What connections say of their backends: how they end, who is told, and that nobody answered. */
#include <check.h>

#include "stats_fixture.h"

/* The service whose connections count for health. */
#define WATCHED                                                                                    \
	"{\"listeners\":[" L80 "],\"pool\":\"lan\",\"backends\":{" BA "},"                         \
	"\"check\":{\"type\":\"none\",\"observe\":\"connections\"}}"

/* How a connection that is as in *f ends. */
static enum meter_end how(uint8_t protocol, uint8_t state, uint32_t status, uint64_t answers,
			  bool is_expired)
{
	struct flow f = make_flow(FLOW_DESTROY, 1, 60);

	f.protocol = protocol;
	f.state = state;
	f.status = FLOW_FULLNAT | status;
	f.packets_out = answers;
	f.is_expired = is_expired;
	return flow_end_of(&f);
}

START_TEST(test_how_connections_end)
{
	ck_assert_int_eq(how(IPPROTO_TCP, TCP_STATE_SYN_SENT, 0, 1, false), END_REFUSED);
	ck_assert_int_eq(how(IPPROTO_TCP, TCP_STATE_SYN_SENT, 0, 0, true), END_FAILED);
	ck_assert_int_eq(how(IPPROTO_UDP, 0, 0, 0, true), END_FAILED);
	ck_assert_int_eq(how(IPPROTO_UDP, 0, FLOW_SEEN_REPLY, 1, true), N_ENDS);
	ck_assert_int_eq(how(IPPROTO_TCP, TCP_STATE_TIME_WAIT, FLOW_SEEN_REPLY, 4, true), N_ENDS);
	ck_assert_int_eq(how(IPPROTO_TCP, TCP_STATE_ESTABLISHED, FLOW_SEEN_REPLY, 4, true),
			 END_TIMED_OUT);
	ck_assert_int_eq(how(IPPROTO_TCP, TCP_STATE_ESTABLISHED, FLOW_SEEN_REPLY, 4, false),
			 N_ENDS);
}
END_TEST

static enum stats_signal last_signal;
static size_t n_signals;

static uint64_t last_reply_ns;

static void signal_cb(const char *service, const struct backend *b, const struct stats_said *said,
		      void *arg)
{
	ck_assert_str_eq(service, "web");
	ck_assert_str_eq(b->name, arg);
	last_signal = said->what;
	last_reply_ns = said->reply_ns;
	n_signals++;
}

START_TEST(test_followers_hear_of_backends)
{
	struct flow f = make_flow(FLOW_DESTROY, 1, 60);
	char name[] = "a";

	stats_follow(w.s, signal_cb, name);
	feed(&f);
	ck_assert_uint_eq(n_signals, 0); /* the service does not observe */
	world_service(&w, "web", WATCHED);
	feed(&f);
	ck_assert_int_eq(last_signal, SIGNAL_ANSWERED);
	f.status = FLOW_FULLNAT;
	feed(&f);
	ck_assert_int_eq(last_signal, SIGNAL_REFUSED);
	f.packets_out = 0;
	feed(&f); /* deleted by somebody: that says nothing of the backend */
	ck_assert_uint_eq(n_signals, 2);
	f.is_expired = true;
	feed(&f);
	ck_assert_int_eq(last_signal, SIGNAL_UNANSWERED);
	ck_assert_uint_eq(stats_of_service(w.s, "web").ends[END_REFUSED], 1);
	ck_assert_uint_eq(stats_of_service(w.s, "web").ends[END_FAILED], 2);
	f.kind = FLOW_NEW;
	feed(&f);
	ck_assert_uint_eq(n_signals, 3);
}
END_TEST

/* Connection number id at this time. */
static void event_at(enum flow_kind kind, uint32_t id, uint32_t status, uint64_t read_ns)
{
	struct flow f = make_flow(kind, 0, 0);

	f.id = id;
	f.status = FLOW_FULLNAT | status;
	f.read_ns = read_ns;
	f.packets_out = 0;
	f.has_counters = f.is_expired = true;
	feed(&f);
}

START_TEST(test_unanswered_is_told_early_and_once)
{
	char name[] = "a";

	world_service(&w, "web", WATCHED);
	stats_follow(w.s, signal_cb, name);
	event_at(FLOW_NEW, 1, 0, 5 * S); /* nobody watches yet */
	stats_watch(w.s, true);
	ck_assert_uint_eq(stats_next_overdue_ns(w.s), 0);
	event_at(FLOW_NEW, 2, 0, 6 * S);
	event_at(FLOW_NEW, 2, 0, 6 * S); /* told twice */
	event_at(FLOW_NEW, 3, 0, 7 * S);
	event_at(FLOW_UPDATE, 3, FLOW_SEEN_REPLY, 7 * S + 1000);
	ck_assert_uint_eq(n_signals, 1);
	ck_assert_int_eq(last_signal, SIGNAL_REPLIED);
	ck_assert_uint_eq(last_reply_ns, 1000);
	event_at(FLOW_UPDATE, 3, FLOW_SEEN_REPLY, 8 * S); /* another change */
	event_at(FLOW_UPDATE, 1, FLOW_SEEN_REPLY, 8 * S);
	ck_assert_uint_eq(n_signals, 1);
	stats_overdue(w.s, w.m, 6 * S + STATS_OVERDUE_NS - 1);
	ck_assert_uint_eq(n_signals, 1);
	stats_overdue(w.s, w.m, 6 * S + STATS_OVERDUE_NS);
	ck_assert_uint_eq(n_signals, 2);
	ck_assert_int_eq(last_signal, SIGNAL_UNANSWERED);
	ck_assert_uint_eq(stats_next_overdue_ns(w.s), 0);
	event_at(FLOW_DESTROY, 2, 0, 130 * S); /* its end is no news */
	ck_assert_uint_eq(n_signals, 2);
	event_at(FLOW_NEW, 4, 0, 130 * S);
	event_at(FLOW_DESTROY, 4, 0, 131 * S); /* conntrack is faster */
	ck_assert_uint_eq(n_signals, 3);
	ck_assert_uint_eq(stats_next_overdue_ns(w.s), 0);
	event_at(FLOW_NEW, 5, 0, 132 * S);
	stats_watch_again(w.s); /* events were lost */
	stats_overdue(w.s, w.m, 140 * S);
	ck_assert_uint_eq(n_signals, 3);
}
END_TEST

/* More than fit: those are not followed, and all is well with the others. */
START_TEST(test_unanswered_is_bounded)
{
	struct flow f = make_flow(FLOW_NEW, 0, 0);
	char name[] = "a";

	world_service(&w, "web", WATCHED);
	stats_follow(w.s, signal_cb, name);
	stats_watch(w.s, true);
	f.status = FLOW_FULLNAT;
	for (uint32_t i = 0; i < 40000; i++) {
		f.id = i * 7919;
		f.read_ns = S + i;
		feed(&f);
	}
	event_at(FLOW_UPDATE, 7919, FLOW_SEEN_REPLY, 2 * S);
	event_at(FLOW_NEW, 1, 0, 2 * S);
	stats_overdue(w.s, w.m, 100 * S);
	ck_assert_uint_eq(n_signals, 32768 + 1);
	stats_watch(w.s, false);
	event_at(FLOW_NEW, 2, 0, 2 * S);
	ck_assert_uint_eq(stats_next_overdue_ns(w.s), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats signals");
	TCase *t = tcase_create("stats signals");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_how_connections_end);
	tcase_add_test(t, test_followers_hear_of_backends);
	tcase_add_test(t, test_unanswered_is_told_early_and_once);
	tcase_add_test(t, test_unanswered_is_bounded);
	suite_add_tcase(s, t);
	return run_suite(s);
}
