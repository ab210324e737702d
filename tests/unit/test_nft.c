/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table in a real kernel. Each test runs in a process and a network namespace of its own
 * (nothing of the machine is touched); without the right to make one, all are skipped.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/nft.h"
#include "nft_testing.h"
#include "suite.h"

static struct err err = ERR_INIT;

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
}

static void teardown(void)
{
	err_reset(&err);
}

static struct nft *open_table(bool plain)
{
	struct nft_options opt = { .table = "fnat", .plain = plain };
	struct nft *nft = NULL;
	int code = nft_open(&opt, &nft, &err);

	ck_assert_msg(code == 0, "nft_open: %s", err_text(&err));
	return nft;
}

/* Shell command; its output (stderr too) in a static buffer. */
static const char *shell(const char *command, int *status)
{
	static char output[1 << 17];
	char line[1024];
	FILE *f;
	size_t n;

	snprintf(line, sizeof(line), "{ %s\n} 2>&1", command);
	f = popen(line, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = '\0';
	n = (size_t)pclose(f);
	if (status)
		*status = (int)n;
	return output;
}

static void shell_ok(const char *command)
{
	int status;
	const char *output = shell(command, &status);

	ck_assert_msg(status == 0, "%s: %s", command, output);
}

/* What differs between the kernel and what is wanted. */
static void difference(struct nft *nft, const struct image *want, struct ops *ops)
{
	struct image have;
	int code;

	image_init(&have);
	code = nft_read(nft, want, &have, &err);
	ck_assert_msg(code == 0, "nft_read: %s", err_text(&err));
	ops_init(ops);
	image_diff(&have, want, ops);
	image_fini(&have);
}

static void commit_stage(struct nft *nft, const struct op_list *stage)
{
	int code = nft_commit(nft, stage, NULL, &err);

	ck_assert_msg(code == 0, "nft_commit: %s", err_text(&err));
}

static void print_stage(const struct op_list *stage)
{
	for (size_t i = 0; i < stage->n; i++)
		op_text(&stage->items[i], "fnat", stdout);
}

static void assert_same(struct nft *nft, const struct image *want)
{
	struct ops ops;

	difference(nft, want, &ops);
	print_stage(&ops.stage[0]);
	print_stage(&ops.stage[1]);
	fflush(stdout);
	ck_assert(ops_empty(&ops));
	ops_fini(&ops);
}

static void make_so(struct nft *nft, const struct image *want)
{
	struct ops ops;

	difference(nft, want, &ops);
	commit_stage(nft, &ops.stage[0]);
	commit_stage(nft, &ops.stage[1]);
	ops_fini(&ops);
	assert_same(nft, want);
}

/* The wanted image, in the kernel. */
static struct nft *load(bool plain, struct image *want)
{
	struct nft *nft = open_table(plain);

	make_image(want);
	make_so(nft, want);
	return nft;
}

static struct elem *find_elem(struct image *im, uint8_t kind)
{
	for (size_t i = 0; i < im->n_elems; i++)
		if (im->elems[i].map.kind == kind)
			return &im->elems[i];
	ck_abort_msg("no such element");
	return NULL;
}

static void unload(struct nft *nft, struct image *want)
{
	nft_close(nft);
	image_fini(want);
}

START_TEST(test_what_is_committed_is_read_back)
{
	struct image want, have;
	struct nft *nft = load(_i, &want);
	struct ops ops;

	ck_assert(_i ? !nft_is_owner(nft) : true);
	/* The other way to compare: chains after the reading. */
	image_init(&have);
	ck_assert_int_eq(nft_read(nft, NULL, &have, &err), 0);
	nft_match_chains(nft, &want, &have);
	ops_init(&ops);
	image_diff(&have, &want, &ops);
	ck_assert(ops_empty(&ops));
	ops_fini(&ops);
	image_fini(&have);
	unload(nft, &want);
}
END_TEST

START_TEST(test_changes)
{
	struct image want;
	struct nft *nft = load(_i, &want);
	struct elem *e = find_elem(&want, MAP_SLOTS);
	struct ops ops;

	e->to = address("10.1.0.99");
	e->comment = "web/\303\244\303\266\303\274-a-rather-long-name-for-a-backend";
	find_elem(&want, MAP_SERVICES)->program = (struct program){ .kind = PROGRAM_REFUSE };
	add_service(&want, &families[0], PROGRAM_SH, 7, REFUSAL_REJECT);
	image_sort(&want);
	make_so(nft, &want);

	/* Everything but the base goes, in two stages. */
	image_fini(&want);
	image_init(&want);
	image_add_base(&want);
	image_sort(&want);
	difference(nft, &want, &ops);
	ck_assert_uint_gt(ops.stage[1].n, 0);
	commit_stage(nft, &ops.stage[0]);
	commit_stage(nft, &ops.stage[1]);
	ops_fini(&ops);
	assert_same(nft, &want);
	unload(nft, &want);
}
END_TEST

/* Commits one operation, which the kernel must refuse with these words. */
static void assert_refused(struct nft *nft, const struct op *op, size_t n, int code,
			   const char *words, const char *object)
{
	struct op_list list = { .items = (struct op *)op, .n = n };

	ck_assert_int_eq(nft_commit(nft, &list, NULL, &err), code);
	ck_assert_int_eq(err.kind, ERR_KERNEL);
	ck_assert_msg(strstr(err_text(&err), words), "%s", err_text(&err));
	ck_assert_msg(strstr(err_text(&err), object), "%s", err_text(&err));
	err_reset(&err);
}

START_TEST(test_refusals_name_the_object)
{
	struct image want;
	struct nft *nft = load(_i, &want);
	struct chain chain = { .name = "guard-input" };
	struct op op = { .kind = OP_ADD_ELEM, .elem = *find_elem(&want, MAP_SERVICES) };

	op.elem.port = 443;
	op.elem.program = (struct program){ .kind = PROGRAM_RR, .family = AF_INET, .size = 9 };
	assert_refused(nft, &op, 1, -ENOENT, "No such file or directory", ". 443 ");
	op.kind = OP_DEL_ELEM;
	assert_refused(nft, &op, 1, -ENOENT, "No such file or directory", ". 443 ");
	/* The same key with other data. */
	op = (struct op){ .kind = OP_ADD_ELEM, .elem = *find_elem(&want, MAP_POOL) };
	op.elem.to = address("10.9.9.9");
	assert_refused(nft, &op, 1, -EEXIST, "File exists", "10.9.9.9");
	/* A chain that somebody still goes to; one that is there. */
	snprintf(chain.name, sizeof(chain.name), "refuse");
	op = (struct op){ .kind = OP_DEL_CHAIN, .chain = &chain };
	assert_refused(nft, &op, 1, -EBUSY, "busy", "chain inet fnat refuse");
	op.kind = OP_ADD_CHAIN;
	assert_refused(nft, &op, 1, -EEXIST, "exists", "chain inet fnat refuse");
	op = (struct op){ .kind = OP_DEL_MAP, .map = { .kind = MAP_SNAT, .family = AF_INET } };
	assert_refused(nft, &op, 1, -EBUSY, "busy", "map inet fnat snat4");

	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	assert_same(nft, &want);
	unload(nft, &want);
}
END_TEST

START_TEST(test_refused_rule_names_its_chain)
{
	struct image want;
	struct nft *nft = load(false, &want);
	struct chain chain = { .name = "loop", .n_rules = 1 };
	struct op op = { .kind = OP_ADD_CHAIN, .chain = &chain };
	struct op_list list = { .items = &op, .n = 1 };

	chain.rules[0] = (struct rule){ .kind = RULE_GOTO };
	snprintf(chain.rules[0].name, RULE_NAME_BYTES, "nowhere");
	ck_assert_int_eq(nft_commit(nft, &list, NULL, &err), -ENOENT);
	ck_assert_msg(strstr(err_text(&err), "chain inet fnat loop"), "%s", err_text(&err));
	/* The kernel says no more of an expression that it does not know. */
	ck_assert_msg(strstr(err_text(&err), "modules of nf_tables"), "%s", err_text(&err));
	unload(nft, &want);
}
END_TEST

#define MANY 5000u

START_TEST(test_one_bad_element_among_many)
{
	struct image want;
	struct nft *nft = load(false, &want);
	struct op *ops = calloc(MANY, sizeof(*ops));
	struct op_list list = { .items = ops, .n = MANY };

	for (uint32_t i = 0; i < MANY; i++) {
		ops[i].kind = OP_ADD_ELEM;
		ops[i].elem = *find_elem(&want, MAP_POOL);
		ops[i].elem.slot = 100 + i;
	}
	commit_stage(nft, &list);
	for (uint32_t i = 0; i < MANY; i++)
		ops[i].kind = OP_DEL_ELEM;
	ops[4321].elem.slot = 60000;
	assert_refused(nft, ops, MANY, -ENOENT, "No such file", "{ 60000 }");
	ops[4321].elem.slot = 100 + 4321;
	commit_stage(nft, &list);
	assert_same(nft, &want);
	free(ops);
	unload(nft, &want);
}
END_TEST

START_TEST(test_owned_table)
{
	struct nft_options opt = { .table = "fnat" };
	struct image want;
	struct nft *nft = load(false, &want), *other = NULL;
	int status;

	if (!nft_is_owner(nft)) {
		printf("the kernel has no persistent owned tables\n");
		unload(nft, &want);
		return;
	}
	ck_assert_int_eq(nft_open(&opt, &other, &err), -EPERM);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	ck_assert_msg(strstr(err_text(&err), "another fnatd"), "%s", err_text(&err));
	err_reset(&err);
	ck_assert_int_eq(nft_flush("fnat", &err), -EPERM);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	shell("nft delete element inet fnat services4 { 192.0.2.10 . tcp . 82 }", &status);
	ck_assert_int_ne(status, 0);
	shell_ok("nft flush ruleset");
	assert_same(nft, &want);
	unload(nft, &want);
}
END_TEST

START_TEST(test_orphan_is_taken_over)
{
	struct image want;
	struct nft *nft = load(false, &want);
	bool was_owner = nft_is_owner(nft);

	nft_close(nft);
	nft = open_table(_i); /* also with --plain-table: there is no other way */
	ck_assert_int_eq(nft_is_owner(nft), was_owner);
	assert_same(nft, &want);
	unload(nft, &want);
}
END_TEST

START_TEST(test_plain_table_stays_plain)
{
	struct image want;
	struct nft *nft = load(true, &want);

	ck_assert(!nft_is_owner(nft));
	nft_close(nft);
	nft = open_table(false);
	ck_assert(!nft_is_owner(nft));
	assert_same(nft, &want);
	ck_assert_int_eq(nft_delete(nft, &err), 0);
	unload(nft, &want);
}
END_TEST

#define LONG_NAME                                                                                  \
	"a_name_that_is_longer_than_any_that_fnat_would_ever_give_to_a_chain_or_a_map_of_its_own"

static const char *const damages[] = {
	"nft flush table inet fnat",
	"nft flush ruleset",
	"nft flush map inet fnat services4",
	"nft delete element inet fnat services4 { 192.0.2.10 . tcp . 82 }",
	"nft add rule inet fnat dispatch counter",
	"nft insert rule inet fnat refuse tcp dport { 22, 80 } accept",
	"nft add chain inet fnat mine && nft add rule inet fnat refuse jump mine",
	"nft add chain inet fnat mine '{ type filter hook input priority 5; policy drop; }'",
	"nft add chain inet fnat " LONG_NAME " && nft add rule inet fnat output jump " LONG_NAME,
	"nft add set inet fnat mine '{ type ipv4_addr; }' && nft add element inet fnat mine { "
	"1.2.3.4 }"
	" && nft add rule inet fnat dispatch ip saddr @mine drop",
	"nft add map inet fnat " LONG_NAME " '{ type ipv4_addr : verdict; }'",
	"nft add map inet fnat slots4-rr-9x '{ type ipv4_addr : verdict; }'",
	"nft add element inet fnat services4 { 192.0.2.99 . udp . 53 : drop }",
	"nft add chain inet fnat mine"
	" && nft add element inet fnat services4 { 192.0.2.99 . udp . 53 : goto mine }",
	"nft add element inet fnat snat4 { 192.0.2.99 . udp . 53 : accept }",
	"nft add element inet fnat services4 '{ * : drop }'",
	"nft add element inet fnat addresses4 { 192.0.2.98 comment \\\"mine\\\" }",
	"nft delete element inet fnat addresses4 { 192.0.2.10 }"
	" && nft add element inet fnat addresses4 { 192.0.2.10 comment \\\"mine\\\" }",
	"nft add element inet fnat pool-lan4 '{ 17 : 10.1.0.77, * : 10.1.0.78 }'",
	"nft delete chain inet fnat output",
	"nft delete chain inet fnat guard-input && nft add chain inet fnat guard-input",
	"nft add chain inet fnat prerouting '{ policy drop; }'",
	"nft delete table inet fnat && nft add table inet fnat && "
	"nft add map inet fnat services4 '{ type ipv4_addr : verdict; }'",
	"nft delete table inet fnat && nft add table inet fnat && "
	"nft add map inet fnat snat4 '{ type ipv4_addr . inet_proto . inet_service : verdict; size "
	"3; }'",
	"nft add table inet fnat '{ flags dormant; }'",
};

START_TEST(test_foreign_changes_are_found_and_undone)
{
	struct image want;
	struct nft *nft = load(true, &want);
	struct ops ops;

	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	shell_ok(damages[_i]);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 1);
	difference(nft, &want, &ops);
	if (!strstr(damages[_i], "dormant")) /* the flags of the table are no part of an image */
		ck_assert(!ops_empty(&ops));
	ops_fini(&ops);
	make_so(nft, &want);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	unload(nft, &want);
}
END_TEST

START_TEST(test_changed_elsewhere)
{
	struct image want;
	struct nft *nft = load(false, &want);
	struct op op = { .kind = OP_DEL_ELEM, .elem = *find_elem(&want, MAP_POOL) };
	struct op_list list = { .items = &op, .n = 1 };

	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	commit_stage(nft, &list);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	/* Refused; then one that changes nothing. */
	ck_assert_int_eq(nft_commit(nft, &list, NULL, &err), -ENOENT);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	op.kind = OP_ADD_ELEM;
	commit_stage(nft, &list);
	commit_stage(nft, &list);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	/* Somebody else, seen at once; or only by the number of the next own commit. */
	shell_ok("nft add table ip other");
	ck_assert_int_eq(nft_changed_elsewhere(nft), 1);
	assert_same(nft, &want);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	shell_ok("nft delete table ip other");
	op.kind = OP_DEL_ELEM;
	commit_stage(nft, &list);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 1);
	unload(nft, &want);
}
END_TEST

START_TEST(test_flush)
{
	struct image want, have;
	struct nft *nft = load(_i, &want);

	/* Over its own socket; then the next commit makes it again. */
	ck_assert_int_eq(nft_delete(nft, &err), 0);
	ck_assert_int_eq(nft_delete(nft, &err), 0);
	ck_assert_str_eq(shell("nft list tables", NULL), "");
	image_init(&have);
	ck_assert_int_eq(nft_read(nft, NULL, &have, &err), 0);
	ck_assert_uint_eq(have.n_chains + have.n_maps + have.n_elems, 0);
	image_fini(&have);
	make_so(nft, &want);
	nft_close(nft);
	/* By somebody else, when nobody owns it. */
	ck_assert_int_eq(nft_flush("fnat", &err), 0);
	ck_assert_int_eq(nft_flush("fnat", &err), 0);
	ck_assert_str_eq(shell("nft list tables", NULL), "");
	image_fini(&want);
}
END_TEST

static const char *const listed[] = {
	"typeof ip daddr . meta l4proto . th dport . numgen inc mod 65536 : ip daddr . th dport",
	"typeof ip6 daddr . meta l4proto . th dport . numgen inc mod 65536 : ip6 daddr . th dport",
	"typeof numgen inc mod 65536 : ip saddr",
	"type ipv6_addr . inet_proto . inet_service : verdict",
	"192.0.2.10 . tcp . 82 comment \"web\" : goto rr4-3-0",
	"192.0.2.10 . tcp . 82 . 2 comment \"web/a\" : 10.1.0.11 . 8080",
	"2001:db8::1 . tcp . 84 . 250 comment \"web/a\" : fd00:1::11 . 8080",
	"192.0.2.10 . tcp . 82 : goto pool-lan",
	"0 : 10.1.0.50",
	"ip daddr . meta l4proto . th dport vmap @services4",
	"dnat ip to ip daddr . meta l4proto . th dport . numgen inc mod 3 map @slots4-rr-0",
	"dnat ip6 to ip6 daddr . meta l4proto . th dport . numgen random mod 10 map "
	"@slots6-random-0",
	"dnat ip to ip daddr . meta l4proto . th dport . jhash ip saddr mod 251 seed 0x666e6174 "
	"map "
	"@slots4-sh-0",
	"snat ip6 to jhash ip6 saddr . th sport mod 2 seed 0x6c616472 map @pool-lan6:1024-65535",
	"ct status dnat ct original ip daddr . meta l4proto",
	"ct state invalid ip6 daddr @addresses6 drop",
	"meta l4proto tcp reject with tcp reset",
	"type nat hook postrouting priority srcnat; policy accept;",
};

START_TEST(test_nft_lists_it)
{
	struct image want;
	struct nft *nft = load(_i, &want);
	int status;
	const char *listing = shell("nft list ruleset", &status);

	ck_assert_msg(status == 0, "%s", listing);
	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
		ck_assert_msg(strstr(listing, listed[i]), "not listed: %s", listed[i]);
	shell_ok("nft -j list ruleset >/dev/null");
	unload(nft, &want);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("nft");
	TCase *t = tcase_create("kernel");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_what_is_committed_is_read_back, 0, 2);
	tcase_add_loop_test(t, test_changes, 0, 2);
	tcase_add_loop_test(t, test_refusals_name_the_object, 0, 2);
	tcase_add_test(t, test_refused_rule_names_its_chain);
	tcase_add_test(t, test_one_bad_element_among_many);
	tcase_add_test(t, test_owned_table);
	tcase_add_loop_test(t, test_orphan_is_taken_over, 0, 2);
	tcase_add_test(t, test_plain_table_stays_plain);
	tcase_add_loop_test(t, test_foreign_changes_are_found_and_undone, 0,
			    sizeof(damages) / sizeof(damages[0]));
	tcase_add_test(t, test_changed_elsewhere);
	tcase_add_loop_test(t, test_flush, 0, 2);
	tcase_add_loop_test(t, test_nft_lists_it, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

/* Can a network namespace with nftables be had? Tried in a child. */
static bool can_run(void)
{
	int status = system("unshare -n nft list tables >/dev/null 2>&1");

	return geteuid() == 0 && status == 0;
}

int main(void)
{
	if (!can_run()) {
		printf("SKIP: needs root, network namespaces and nft\n");
		return EXIT_SKIP;
	}
	return run_suite(suite());
}
