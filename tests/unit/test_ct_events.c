/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of events and the listing, against the kernel: entries are injected and deleted. In a
 * network namespace of its own, as root; skipped otherwise.
 */
#include "base/clock.h"
#include "ct_testing.h"
#include "kernel/ct.h"
#include "kernel/ct_events.h"

#define WAIT_MS  20000
#define MANY     3000
#define BUFFER   (8u << 20)
#define BUFFER_S 16384u /* a dozen events */

static struct mailbox *out;
static struct ct_events *events;
static struct listener web;

/* What came. */
static struct {
	size_t n[FLOW_LISTED + 1];
	struct flow last;
	struct ct_events_report report;
} got;

static void open_events(size_t buffer_bytes, bool is_reliable)
{
	const struct ct_events_options opt = { buffer_bytes, is_reliable };
	struct err err = ERR_INIT;

	ck_assert_msg(ct_events_open(&opt, out, &events, &err) == 0, "%s", err_text(&err));
	err_fini(&err);
}

static void setup(void)
{
	FILE *f;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	f = fopen("/proc/sys/net/netfilter/nf_conntrack_acct", "w");
	ck_assert_ptr_nonnull(f);
	ck_assert(fputs("1", f) >= 0 && fclose(f) == 0);
	memset(&got, 0, sizeof(got));
	out = mailbox_new();
	web = listener("192.0.2.10", IPPROTO_TCP, 80);
}

static void teardown(void)
{
	void *batch;

	ct_events_close(events);
	while ((batch = mailbox_try_take(out)))
		free(batch);
	mailbox_free(out);
}

static void take(struct ct_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		got.n[b->flows[i].kind]++;
		got.last = b->flows[i];
	}
	got.report = b->report;
	ct_events_return(events, b);
}

/* All that is on its way. */
static void take_all(void)
{
	static uint64_t number;
	bool is_reached = false;

	ct_events_barrier(events, ++number);
	while (!is_reached) {
		struct ct_batch *b = mailbox_take(out, WAIT_MS);

		ck_assert_ptr_nonnull(b);
		is_reached = b->kind == CT_BATCH_BARRIER;
		ck_assert(!is_reached || b->number == number);
		take(b);
	}
}

/* FULLNATed, or translated in one direction only, or not. */
static void inject_four(uint16_t port)
{
	inject_nat(&web, "198.51.100.2", port, "10.1.0.11", "10.1.0.50", 0);
	inject_nat(&web, "198.51.100.3", port, "10.1.0.11", NULL, 0);
	inject_nat(&web, "198.51.100.4", port, NULL, "10.1.0.50", 0);
	inject_nat(&web, "198.51.100.5", port, NULL, NULL, 0);
}

static void delete_all(void)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	uint32_t family = AF_UNSPEC;

	ck_assert_ptr_nonnull(h);
	ck_assert_int_eq(nfct_query(h, NFCT_Q_FLUSH, &family), 0);
	nfct_close(h);
}

static void check_last(void)
{
	char text[ADDR_STRLEN];
	const struct flow *f = &got.last;

	ck_assert_str_eq(addr_format(&f->client.address, text), "198.51.100.2");
	ck_assert_str_eq(addr_format(&f->to.address, text), "192.0.2.10");
	ck_assert_str_eq(addr_format(&f->backend.address, text), "10.1.0.11");
	ck_assert_str_eq(addr_format(&f->local.address, text), "10.1.0.50");
	ck_assert_uint_eq(f->to.port, 80);
	ck_assert_uint_eq(f->protocol, IPPROTO_TCP);
	ck_assert_uint_eq(f->state, TCP_CONNTRACK_ESTABLISHED);
	ck_assert_uint_eq(f->status & FLOW_FULLNAT, FLOW_FULLNAT);
	ck_assert_uint_ne(f->id, 0);
}

START_TEST(test_only_fullnat_is_delivered)
{
	open_events(BUFFER, false);
	for (uint16_t port = 1000; port < 1010; port++)
		inject_four(port);
	take_all();
	ck_assert_uint_eq(got.report.n_events, 0);
	delete_all();
	take_all();
	ck_assert_uint_eq(got.n[FLOW_DESTROY], 10);
	ck_assert_uint_eq(got.report.n_events, 10);
	ck_assert_uint_eq(got.report.n_lost, 0);
	ck_assert_uint_eq(got.report.n_unreadable, 0);
	ck_assert(!got.last.is_expired);
	ck_assert(got.last.has_counters);
	check_last();
}
END_TEST

START_TEST(test_new_is_delivered_while_it_is_wanted)
{
	open_events(BUFFER, false);
	ct_events_want(events, CT_EVENTS_NEW | CT_EVENTS_UPDATE);
	take_all();
	inject_four(1000);
	take_all();
	ck_assert_uint_eq(got.n[FLOW_NEW], 1);
	check_last();
	ct_events_want(events, 0);
	take_all();
	inject_four(1001);
	take_all();
	ck_assert_uint_eq(got.n[FLOW_NEW], 1);
}
END_TEST

static size_t n_listed;

static void listed_cb(const struct flow *flow, void *arg)
{
	(void)arg;
	ck_assert_uint_eq(flow->kind, FLOW_LISTED);
	n_listed++;
	got.last = *flow;
}

START_TEST(test_listing)
{
	struct err err = ERR_INIT;
	struct ct *ct;

	open_events(BUFFER, false);
	ck_assert_int_eq(ct_open(&ct, &err), 0);
	ck_assert_int_eq(ct_list(ct, listed_cb, NULL), 0);
	ck_assert_uint_eq(n_listed, 0);
	for (uint16_t port = 1000; port < 1500; port++)
		inject_four(port);
	ck_assert_int_eq(ct_list(ct, listed_cb, NULL), 0);
	ck_assert_uint_eq(n_listed, 500);
	check_last();
	ct_close(ct);
}
END_TEST

/* The receiver sleeps: the kernel has to keep what the reader's batches do not take. */
START_TEST(test_a_slow_receiver_loses_nothing)
{
	open_events(64u << 20, false);
	for (int round = 0; round < 8; round++) {
		for (uint16_t port = 1000; port < 1000 + MANY; port++)
			inject_nat(&web, "198.51.100.2", port, "10.1.0.11", "10.1.0.50", 0);
		delete_all();
	}
	take_all();
	ck_assert_uint_eq(got.n[FLOW_DESTROY], 8 * MANY);
	ck_assert_uint_eq(got.report.n_lost, 0);
}
END_TEST

START_TEST(test_a_loss_is_counted)
{
	open_events(BUFFER_S, false);
	for (uint16_t port = 1000; port < 1000 + MANY; port++)
		inject_nat(&web, "198.51.100.2", port, "10.1.0.11", "10.1.0.50", 0);
	delete_all();
	take_all();
	ck_assert_uint_lt(got.n[FLOW_DESTROY], MANY);
	ck_assert_uint_eq(got.n[FLOW_DESTROY] + got.report.n_lost, MANY);
	ck_assert_uint_ge(got.report.n_overruns, 1);
}
END_TEST

START_TEST(test_reliable_delivery_loses_nothing)
{
	open_events(BUFFER_S, true);
	for (uint16_t port = 1000; port < 1000 + MANY; port++)
		inject_nat(&web, "198.51.100.2", port, "10.1.0.11", "10.1.0.50", 0);
	delete_all();
	for (int i = 0; i < 1000 && got.n[FLOW_DESTROY] < MANY; i++) {
		usleep(20000);
		take_all();
	}
	ck_assert_uint_eq(got.n[FLOW_DESTROY], MANY);
	ck_assert(got.report.is_reliable);
	ck_assert_uint_eq(got.report.n_lost, 0); /* tried again, which is no loss */
	ck_assert_uint_ge(got.report.n_overruns, 1);
}
END_TEST

/* Until the reader tells by itself that delivery is reliable. */
static void wait_until_reliable(void)
{
	while (!got.report.is_reliable) {
		struct ct_batch *b = mailbox_take(out, WAIT_MS);

		ck_assert_ptr_nonnull(b);
		take(b);
	}
}

/* Nobody takes what was read, for longer than a backlog may last: then the kernel need not keep
 * what does not fit, or it would be slowed down for good. It has to again when the backlog has been
 * gone for a while, though nothing happens any more and nobody asks. */
START_TEST(test_reliable_delivery_is_given_up_and_returns)
{
	uint64_t until_ms;

	open_events(BUFFER, true);
	for (int round = 0; round < 8; round++) {
		for (uint16_t port = 1000; port < 1000 + MANY; port++)
			inject_nat(&web, "198.51.100.2", port, "10.1.0.11", "10.1.0.50", 0);
		delete_all();
	}
	for (until_ms = clock_mono_ms() + 4000; clock_mono_ms() < until_ms;)
		usleep(20000);
	take_all();
	ck_assert_uint_eq(got.report.n_given_up, 1);
	ck_assert(!got.report.is_reliable);
	wait_until_reliable();
	ck_assert_uint_eq(got.report.n_given_up, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ct_events");
	TCase *t = tcase_create("kernel");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, test_only_fullnat_is_delivered);
	tcase_add_test(t, test_new_is_delivered_while_it_is_wanted);
	tcase_add_test(t, test_listing);
	tcase_add_test(t, test_a_slow_receiver_loses_nothing);
	tcase_add_test(t, test_a_loss_is_counted);
	tcase_add_test(t, test_reliable_delivery_loses_nothing);
	tcase_add_test(t, test_reliable_delivery_is_given_up_and_returns);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	if (!can_make_namespaces())
		return EXIT_SKIP;
	return run_suite(suite());
}
