/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine on the real kernel, in a network namespace of this process. Needs root and nft(8). */
#include <check.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "engine_helper.h"
#include "suite.h"

#define SERVICE(address, weight)                                                                   \
	"{\"listeners\":[{\"address\":\"" address "\",\"protocol\":\"tcp\",\"port\":80}],"         \
	"\"pool\":\"lan\",\"scheduler\":\"wrr\",\"backends\":{"                                    \
	"\"a\":{\"address\":\"10.1.0.11\",\"port\":8080,\"weight\":" #weight "},"                  \
	"\"b\":{\"address\":\"10.1.0.12\",\"port\":8080,\"weight\":1}}}"
#define LAN "\"lan\":{\"addresses\":[\"10.1.0.50-10.1.0.53\"]}"
#define WAN "\"wan\":{\"addresses\":[\"10.2.0.50-10.2.0.53\"]}"
#define ONE "{\"pools\":{" LAN "},\"services\":{\"web\":" SERVICE("192.0.2.10", 1) "}}"

static struct engine_options opt;
static struct lab lab;

/* NFT_MSG_GETGEN: each commit by anybody in the namespace adds one. */
static uint32_t generation_id(void)
{
	char buf[4096];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	struct nfgenmsg *nfg;
	struct nlattr *attr;
	uint32_t id = 0;

	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->version = NFNETLINK_V0;
	mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID);
	ck_assert_int_gt(mnl_socket_sendto(nl, nlh, nlh->nlmsg_len), 0);
	ck_assert_int_gt(mnl_socket_recvfrom(nl, buf, sizeof(buf)), 0);
	mnl_attr_for_each(attr, (struct nlmsghdr *)buf, sizeof(*nfg))
	{
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID)
			id = ntohl(mnl_attr_get_u32(attr));
	}
	mnl_socket_close(nl);
	return id;
}

static void nft(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "nft '%s'", command);
	ck_assert_msg(system(line) == 0, "%s", line);
}

static bool nft_lists(const char *what, const char *text)
{
	char line[512];

	snprintf(line, sizeof(line), "nft 'list %s' | grep -qF -- '%s'", what, text);
	return system(line) == 0;
}

/* Start and stop with what the kernel has already: the owner takes its table, and that is all. */
static void restart_sends_nothing(const char *document)
{
	uint32_t before = generation_id();
	bool is_owner;

	lab_start(&lab, &opt, document);
	is_owner = lab_status(&lab).is_owner;
	lab_stop(&lab);
	ck_assert_uint_eq(before + is_owner, generation_id());
}

static void setup(void)
{
	log_set_level(LOG_LEVEL_DEBUG);
	if (!getenv("FNAT_TEST_LOG") && !freopen("/dev/null", "w", stderr))
		ck_abort_msg("/dev/null");
	opt = (struct engine_options){ .table = "fnat", .lanes = 64 };
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
}

/* What every test promises: nothing differs, nothing waits, and a restart sends nothing. */
static void teardown(void)
{
	char *text;

	lab_wait_garbage(&lab);
	ck_assert_int_eq(lab_verify(&lab), 0);
	text = lab_ruleset(&lab);
	ck_assert_ptr_nonnull(strstr(text, "chain dispatch"));
	free(text);
	lab_stop(&lab);
	lab_start(&lab, &opt, ONE);
	ck_assert_int_eq(lab_put(&lab, "web", SERVICE("192.0.2.10", 2)).kind, ERR_NONE);
	lab_stop(&lab);
	restart_sends_nothing("{\"pools\":{" LAN
			      "},\"services\":{\"web\":" SERVICE("192.0.2.10", 2) "}}");
}

START_TEST(test_start)
{
	lab_start(&lab, &opt, ONE);
	ck_assert(nft_lists("map inet fnat services4", "192.0.2.10 . tcp . 80 comment \"web\""));
	lab_stop(&lab);
	restart_sends_nothing(ONE);
	lab_start(&lab, &opt, ONE);
}
END_TEST

START_TEST(test_changes)
{
	struct ask dry = { .service = "web", .is_dry_run = true };
	uint32_t before;

	lab_start(&lab, &opt, ONE);
	before = generation_id();
	lab_ask(&lab, &dry); /* removal */
	lab_wait(&lab, &dry, 1);
	ck_assert_uint_gt(dry.n_ops, 0);
	ck_assert_uint_eq(before, generation_id());
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(lab_put(&lab, "web", SERVICE("192.0.2.10", 3)).kind, ERR_NONE);
		ck_assert_int_eq(lab_put(&lab, "two", SERVICE("192.0.2.11", 2)).kind, ERR_NONE);
		ck_assert_int_eq(lab_put(&lab, "web", SERVICE("192.0.2.10", 1)).kind, ERR_NONE);
		ck_assert_int_eq(lab_put(&lab, "two", NULL).kind, ERR_NONE);
	}
	ck_assert_uint_ge(generation_id(), before + 80);
}
END_TEST

START_TEST(test_group)
{
	struct ask a[3] = {
		{ .service = "s1", .json = SERVICE("192.0.2.21", 1) },
		{ .service = "s2", .json = SERVICE("192.0.2.22", 2) },
		{ .service = "s1", .json = SERVICE("192.0.2.21", 3) },
	};
	uint32_t before;

	lab_start(&lab, &opt, ONE);
	before = generation_id();
	for (int i = 0; i < 3; i++)
		lab_ask(&lab, &a[i]);
	lab_wait(&lab, a, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_msg(a[i].kind == ERR_NONE, "%s", a[i].message);
	ck_assert_uint_eq(before + 1, generation_id());
}
END_TEST

/* Somebody's base chain has the name that a new pool's chain needs: that change alone is refused.
 */
START_TEST(test_refusal_of_one_in_a_group)
{
	struct ask a[3] = {
		{ .service = "s1", .json = SERVICE("192.0.2.21", 1) },
		{ .document = "{\"pools\":{" LAN "," WAN "},\"services\":{\"web\":" SERVICE(
			  "192.0.2.10",
			  1) ",\"w\":{\"listeners\":[{\"address\":\"192.0.2.30\","
			     "\"protocol\":\"udp\",\"port\":53}],\"pool\":\"wan\"}}}" },
		{ .service = "s2", .json = SERVICE("192.0.2.22", 1) },
	};

	opt.plain_table = true;
	lab_start(&lab, &opt, ONE);
	nft("add chain inet fnat pool-wan { type filter hook output priority 0; }");
	for (int i = 0; i < 3; i++)
		lab_ask(&lab, &a[i]);
	lab_wait(&lab, a, 3);
	ck_assert_msg(a[0].kind == ERR_NONE, "%s", a[0].message);
	ck_assert_int_eq(a[1].kind, ERR_KERNEL);
	ck_assert_str_ne(a[1].message, "");
	ck_assert_msg(a[2].kind == ERR_NONE, "%s", a[2].message);
	ck_assert_ptr_null(model_pool(engine_model(lab.engine), "wan"));
	ck_assert_ptr_nonnull(model_service(engine_model(lab.engine), "s2"));
	lab_wait_garbage(&lab); /* the foreign chain was found and is removed */
	a[1].is_done = false;
	lab_ask(&lab, &a[1]);
	lab_wait(&lab, &a[1], 1);
	ck_assert_msg(a[1].kind == ERR_NONE, "%s", a[1].message);
}
END_TEST

START_TEST(test_drift)
{
	opt.plain_table = true;
	lab_start(&lab, &opt, ONE);
	nft("delete element inet fnat services4 { 192.0.2.10 . tcp . 80 }");
	ck_assert_int_eq(lab_verify(&lab), 1);
	ck_assert(nft_lists("map inet fnat services4", "192.0.2.10 . tcp . 80 comment \"web\""));
	nft("insert rule inet fnat dispatch counter accept");
	ck_assert_int_eq(lab_verify(&lab), 1);
	ck_assert(!nft_lists("chain inet fnat dispatch", "counter"));
	nft("add chain inet fnat intruder");
	nft("add rule inet fnat intruder drop");
	ck_assert_int_ge(lab_verify(&lab), 1);
	lab_wait_garbage(&lab);
	ck_assert(!nft_lists("table inet fnat", "intruder"));
	nft("flush ruleset");
	ck_assert_int_ge(lab_verify(&lab), 10);
	ck_assert(nft_lists("map inet fnat services4", "192.0.2.10 . tcp . 80 comment \"web\""));
	nft("delete table inet fnat");
	ck_assert_int_eq(lab_put(&lab, "web", SERVICE("192.0.2.10", 3)).kind, ERR_NONE);
}
END_TEST

START_TEST(test_flush)
{
	lab_start(&lab, &opt, ONE);
	lab_flush(&lab);
	ck_assert(!nft_lists("tables", "inet fnat"));
	ck_assert_int_eq(lab_put(&lab, "web", SERVICE("192.0.2.10", 3)).kind, ERR_NONE);
	ck_assert(nft_lists("map inet fnat services4", "192.0.2.10 . tcp . 80 comment \"web\""));
	lab_flush(&lab);
	ck_assert_int_ge(lab_verify(&lab), 10);
}
END_TEST

START_TEST(test_owner_keeps_others_out)
{
	lab_start(&lab, &opt, ONE);
	if (!lab_status(&lab).is_owner)
		return; /* an older kernel */
	ck_assert_int_ne(system("nft 'delete table inet fnat' 2>/dev/null"), 0);
	nft("flush ruleset");
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (geteuid() != 0 || system("nft -v >/dev/null 2>&1") != 0 || unshare(CLONE_NEWNET) < 0) {
		puts("skipped: needs root, network namespaces and nft(8)");
		return EXIT_SKIP;
	}
	s = suite_create("engine_kernel");
	tc = tcase_create("engine_kernel");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_start);
	tcase_add_test(tc, test_changes);
	tcase_add_test(tc, test_group);
	tcase_add_test(tc, test_refusal_of_one_in_a_group);
	tcase_add_test(tc, test_drift);
	tcase_add_test(tc, test_flush);
	tcase_add_test(tc, test_owner_keeps_others_out);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
