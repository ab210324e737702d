/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of a real table, while somebody changes it all the time. In a network namespace of
 * its own, as root; skipped otherwise.
 */
#include <check.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/nft_counters.h"
#include "suite.h"

#define N_COUNTERS  10000
#define BATCH_BYTES 4096

static atomic_bool is_over;
static atomic_uint n_changes;

static void make_table(void)
{
	FILE *nft = popen("nft -f -", "w");

	ck_assert_ptr_nonnull(nft);
	fputs("table inet fnat {\n", nft);
	for (int i = 1; i <= N_COUNTERS; i++)
		fprintf(nft, "counter overflowed-%d { packets %d bytes 0; }\n", i, i);
	fputs("counter other { }\n}\n", nft);
	ck_assert_int_eq(pclose(nft), 0);
}

static void open_socket(struct nl *nl)
{
	struct err err = ERR_INIT;

	ck_assert_msg(nl_open(nl, &err) == 0, "%s", err_text(&err));
	err_fini(&err);
}

static void put_counter(struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t flags)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	struct nlmsghdr *nlh =
		nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), type, NFPROTO_INET, flags, 1);

	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, "fnat");
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, "changes");
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_nlmsg_build_payload(nlh, o);
	nftnl_obj_free(o);
	ck_assert(mnl_nlmsg_batch_next(batch));
}

/* Something comes and goes in each batch, which is another generation of the ruleset. */
static void *change(void *arg)
{
	char buf[2 * BATCH_BYTES] = { 0 }; /* padding is sent, too */
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buf, BATCH_BYTES);
	struct nl nl;

	open_socket(&nl);
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch), 1);
	ck_assert(mnl_nlmsg_batch_next(batch));
	put_counter(batch, NFT_MSG_NEWOBJ, NLM_F_CREATE);
	put_counter(batch, NFT_MSG_DELOBJ, 0);
	nftnl_batch_end(mnl_nlmsg_batch_current(batch), 1);
	ck_assert(mnl_nlmsg_batch_next(batch));
	while (!atomic_load(&is_over)) {
		ck_assert_int_eq(
			nl_send(&nl, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)), 0);
		atomic_fetch_add(&n_changes, 1);
	}
	mnl_nlmsg_batch_stop(batch);
	nl_close(&nl);
	return arg;
}

/* All of them, each with what it counted. */
static void check_counters(struct nl *nl, size_t least)
{
	struct nft_counters c;

	ck_assert_int_eq(nft_counters_read(nl, "fnat", &c), 0);
	ck_assert_uint_ge(c.n, least);
	for (size_t i = 0; i < c.n; i++)
		ck_assert_uint_eq(c.items[i].packets, c.items[i].own);
	nft_counters_fini(&c);
}

START_TEST(test_counters_are_read_while_the_table_changes)
{
	pthread_t changer;
	struct nl nl;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	make_table();
	open_socket(&nl);
	check_counters(&nl, N_COUNTERS);
	ck_assert_int_eq(pthread_create(&changer, NULL, change, NULL), 0);
	while (atomic_load(&n_changes) == 0)
		sched_yield();
	for (int i = 0; i < 3; i++)
		check_counters(&nl, N_COUNTERS - 100);
	atomic_store(&is_over, true);
	pthread_join(changer, NULL);
	nl_close(&nl);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nft_counters");
	TCase *t = tcase_create("kernel");

	if (!can_make_namespaces())
		return EXIT_SKIP;
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_counters_are_read_while_the_table_changes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
