/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conntrack entries are injected (libnetfilter_conntrack), swept, and counted again. In a network
 * namespace of its own, as root; skipped otherwise.
 */
#include "ct_testing.h"
#include "kernel/ct.h"

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
}

static void inject(const struct listener *to, const char *client, uint16_t port,
		   const char *backend, uint16_t zone)
{
	inject_nat(to, client, port, backend, NULL, zone);
}

static int count_cb(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
	(void)type;
	(void)ct;
	++*(int *)data;
	return NFCT_CB_CONTINUE;
}

static int count_entries(void)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	uint32_t family = AF_UNSPEC;
	int n = 0;

	ck_assert_ptr_nonnull(h);
	nfct_callback_register(h, NFCT_T_ALL, count_cb, &n);
	ck_assert_int_eq(nfct_query(h, NFCT_Q_DUMP, &family), 0);
	nfct_close(h);
	return n;
}

static long sweep(const struct listener *l, size_t n)
{
	struct err err = ERR_INIT;
	struct ct *ct = NULL;
	long swept;

	ck_assert_int_eq(ct_open(&ct, &err), 0);
	swept = ct_sweep_untranslated(ct, l, n, &err);
	ck_assert_msg(swept >= 0, "%s", err_text(&err));
	ct_close(ct);
	return swept;
}

START_TEST(test_only_untranslated_entries_to_listeners_go)
{
	struct listener l[] = { listener("192.0.2.10", IPPROTO_TCP, 80),
				listener("192.0.2.10", IPPROTO_UDP, 53),
				listener("2001:db8::1", IPPROTO_UDP, 53) };
	struct listener other = listener("192.0.2.10", IPPROTO_UDP, 54);

	ck_assert_int_eq(sweep(l, 3), 0);
	/* These go. */
	inject(&l[0], "10.0.0.2", 1000, NULL, 0);
	inject(&l[1], "10.0.0.2", 1000, NULL, 0);
	inject(&l[1], "10.0.0.3", 1000, NULL, 7);
	inject(&l[2], "fd00::2", 1000, NULL, 0);
	/* These stay: translated, to another port, from the listener. */
	inject(&l[0], "10.0.0.2", 1001, "10.1.0.11", 0);
	inject(&l[2], "fd00::2", 1001, "fd00:1::11", 0);
	inject(&other, "10.0.0.2", 1000, NULL, 0);
	ck_assert_int_eq(count_entries(), 7);

	ck_assert_int_eq(sweep(l, 0), 0);
	ck_assert_int_eq(sweep(&l[1], 1), 2);
	ck_assert_int_eq(sweep(l, 3), 2);
	ck_assert_int_eq(count_entries(), 3);
	ck_assert_int_eq(sweep(l, 3), 0);
}
END_TEST

START_TEST(test_many)
{
	struct listener l = listener("192.0.2.10", IPPROTO_UDP, 53);

	for (uint16_t port = 1000; port < 4000; port++)
		inject(&l, "10.0.0.2", port, port % 3 ? NULL : "10.1.0.11", 0);
	ck_assert_int_eq(sweep(&l, 1), 2000);
	ck_assert_int_eq(count_entries(), 1000);
}
END_TEST

static struct ct_target target(const struct service *s, const char *address, uint16_t port)
{
	struct ct_target t = { .service = s, .port = port };

	ck_assert_int_eq(addr_parse(address, &t.address), 0);
	return t;
}

static long drop(struct ct_target *targets, size_t n)
{
	struct err err = ERR_INIT;
	struct ct *ct = NULL;
	long deleted;

	ck_assert_int_eq(ct_open(&ct, &err), 0);
	deleted = ct_delete(ct, targets, n, &err);
	ck_assert_msg(deleted >= 0, "%s", err_text(&err));
	ct_close(ct);
	return deleted;
}

START_TEST(test_only_connections_of_backends_that_are_gone_go)
{
	struct listener l[] = { listener("192.0.2.10", IPPROTO_UDP, 53),
				listener("192.0.2.10", IPPROTO_TCP, 53),
				listener("2001:db8::1", IPPROTO_UDP, 53) };
	struct listener other = listener("192.0.2.11", IPPROTO_UDP, 53);
	struct service s = { .listeners = l, .n_listeners = 3 };
	struct ct_target one = target(&s, "10.1.0.11", 0);
	struct ct_target two[] = { target(&s, "fd00:1::11", 53), target(&s, "10.1.0.12", 53) };

	inject_nat(&l[0], "10.0.0.2", 1000, "10.1.0.11", "10.1.0.50", 0);
	inject_nat(&l[0], "10.0.0.2", 1001, "10.1.0.11", "10.1.0.50", 7);
	inject_nat(&l[0], "10.0.0.2", 1002, "10.1.0.12", "10.1.0.50", 0);
	inject_nat(&l[1], "10.0.0.2", 1000, "10.1.0.11", "10.1.0.50", 0);
	inject_nat(&l[2], "fd00::2", 1000, "fd00:1::11", "fd00:1::50", 0);
	inject_nat(&l[2], "fd00::2", 1001, "fd00:1::12", "fd00:1::50", 0);
	/* somebody else's, and another service's with the same backend */
	inject_nat(&l[0], "10.0.0.2", 1003, "10.1.0.11", NULL, 0);
	inject_nat(&other, "10.0.0.2", 1000, "10.1.0.11", "10.1.0.50", 0);

	ck_assert_int_eq(drop(&one, 0), 0);
	one.port = 54;
	ck_assert_int_eq(drop(&one, 1), 0);
	one.port = 0;
	ck_assert_int_eq(drop(&one, 1), 2);
	ck_assert_int_eq(count_entries(), 6);
	one.is_all = true;
	ck_assert_int_eq(drop(&one, 1), 1);
	ck_assert_int_eq(drop(two, 2), 2);
	ck_assert_int_eq(count_entries(), 3);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ct");
	TCase *t = tcase_create("kernel");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_only_untranslated_entries_to_listeners_go);
	tcase_add_test(t, test_many);
	tcase_add_test(t, test_only_connections_of_backends_that_are_gone_go);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	if (!can_make_namespaces())
		return EXIT_SKIP;
	return run_suite(suite());
}
