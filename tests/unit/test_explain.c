/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's hash, and the way of a packet through a plan. That the kernel does the same is shown
 * in tests/netns/test_explain.py.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model_testing.h"
#include "plan/jhash.h"
#include "plan/plan.h"

/* With these initial values lookup3.c (public domain) prints what stands beside them. */
static const struct {
	const char *key;
	uint32_t seed, hash;
} vectors[] = {
	{ "Four score and seven years ago", 0, 0x17770551 },
	{ "Four score and seven years ago", 1, 0xcd628161 },
	{ "", 0, 0xdeadbeef },
	{ "", 0xdeadbeef, 0xbd5b7dde },
};

START_TEST(test_jhash)
{
	ck_assert_uint_eq(jhash(vectors[_i].key, strlen(vectors[_i].key), vectors[_i].seed),
			  vectors[_i].hash);
}
END_TEST

START_TEST(test_jhash_mod)
{
	uint32_t seen[7] = { 0 };

	for (uint32_t i = 0; i < 7000; i++) {
		uint32_t at = jhash_mod(&i, sizeof(i), 7, HASH_SEED);

		ck_assert_uint_lt(at, 7);
		seen[at]++;
	}
	for (int i = 0; i < 7; i++)
		ck_assert(seen[i] > 850 && seen[i] < 1150);
	ck_assert_uint_eq(jhash_mod("x", 1, 1, HASH_SEED), 0);
}
END_TEST

#define SERVICE(scheduler, more)                                                                   \
	"{'listeners':[{'address':'192.0.2.10','protocol':'tcp','port':80},"                       \
	"{'address':'2001:db8::1','protocol':'tcp','port':80}],'pool':'lan','scheduler':"          \
	"'" scheduler "'," more "'backends':{'a':{'address':'10.1.0.11','port':8080,'weight':1},"  \
	"'b':{'address':'10.1.0.12','weight':2},'c':{'address':'fd00:1::1'},"                      \
	"'z':{'address':'10.1.0.13','weight':0}}}"

/* The service has ' for ". */
static void explain(const char *service, const struct packet *packet, struct explanation *out)
{
	char *text = mem_strdup(service);
	struct changes changes = { 0 };
	struct model *m = model_new();
	struct plan *plan = plan_new(16);
	const struct service *web;
	struct ops ops;

	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	web = service_of("web", text);
	want_pool(m, "lan", "\"10.1.0.50-10.1.0.65\",\"fd00:1::40/122\"", &changes);
	model_want_service(m, "web", web, &changes);
	ops_init(&ops);
	plan_change(plan, &changes, &ops);
	plan_commit(plan);
	plan_explain(plan, packet, out);
	ops_fini(&ops);
	changes_fini(&changes);
	plan_free(plan);
	model_free(m);
	service_unref(web);
	free(text);
}

static struct packet packet(const char *from, uint16_t sport, const char *to, uint16_t dport)
{
	struct packet p = { .sport = sport, .dport = dport, .protocol = IPPROTO_TCP };

	ck_assert_int_eq(addr_parse(from, &p.saddr), 0);
	ck_assert_int_eq(addr_parse(to, &p.daddr), 0);
	return p;
}

START_TEST(test_nobody)
{
	struct packet p = packet("198.51.100.7", 40000, "192.0.2.10", 81);
	struct explanation e;

	explain(SERVICE("sh", ""), &p, &e);
	ck_assert_int_eq(e.verdict, VERDICT_NOBODY);
	ck_assert_ptr_null(e.service);
	explanation_fini(&e);
	p.dport = 80;
	p.protocol = IPPROTO_UDP;
	explain(SERVICE("sh", ""), &p, &e);
	ck_assert_int_eq(e.verdict, VERDICT_NOBODY);
	explanation_fini(&e);
}
END_TEST

START_TEST(test_by_hash)
{
	struct packet p = packet("198.51.100.7", 40000, "192.0.2.10", 80);
	struct explanation e, again;
	uint32_t n_a = 0;

	for (uint16_t port = 40000; port < 41000; port++) {
		p.sport = port;
		explain(SERVICE("sh", "'hash':{'key':'source_port'},"), &p, &e);
		ck_assert_int_eq(e.verdict, VERDICT_BACKEND);
		ck_assert_str_eq(e.service, "web");
		ck_assert(e.has_slot && e.slot < e.program.size && e.n_chances == 1);
		ck_assert_uint_eq(e.chances[0].port,
				  strcmp(e.chances[0].name, "a") == 0 ? 8080 : 80);
		n_a += strcmp(e.chances[0].name, "a") == 0;
		ck_assert(e.n_locals == 16 && e.local_index < 16 && e.local_port == port);
		ck_assert_str_eq(e.pool, "lan");
		explanation_fini(&e);
	}
	ck_assert(n_a > 250 && n_a < 420); /* a third */
	/* The source alone: whatever the port. */
	explain(SERVICE("sh", ""), &p, &e);
	p.sport = 7;
	explain(SERVICE("sh", ""), &p, &again);
	ck_assert_uint_eq(e.slot, again.slot);
	ck_assert_uint_eq(again.local_port, 0);
	explanation_fini(&e);
	explanation_fini(&again);
}
END_TEST

START_TEST(test_in_turn)
{
	struct packet p = packet("198.51.100.7", 40000, "192.0.2.10", 80);
	struct explanation e;

	explain(SERVICE("wrr", ""), &p, &e);
	ck_assert_int_eq(e.verdict, VERDICT_ONE_OF);
	ck_assert(!e.has_slot && e.n_chances == 2);
	ck_assert_str_eq(e.chances[0].name, "a");
	ck_assert_str_eq(e.chances[1].name, "b");
	ck_assert_uint_eq(2 * e.chances[0].slots, e.chances[1].slots);
	explanation_fini(&e);
	/* Over IPv6 there is but one. */
	p = packet("2001:db8:c::7", 40000, "2001:db8::1", 80);
	explain(SERVICE("wrr", ""), &p, &e);
	ck_assert_int_eq(e.verdict, VERDICT_BACKEND);
	ck_assert_str_eq(e.chances[0].name, "c");
	ck_assert_uint_eq(e.n_locals, 64);
	ck_assert_uint_eq(e.local.family, AF_INET6);
	explanation_fini(&e);
}
END_TEST

START_TEST(test_refused)
{
	static const char *const services[] = {
		"{'listeners':[{'address':'192.0.2.10','protocol':'tcp','port':80}],'pool':'lan',"
		"'backends':{'a':{'address':'10.1.0.11','weight':0}}}",
		"{'listeners':[{'address':'192.0.2.10','protocol':'tcp','port':80}],'pool':'lan',"
		"'on_unavailable':'drop','backends':{'a':{'address':'10.1.0.11','weight':0}}}",
	};
	struct packet p = packet("198.51.100.7", 40000, "192.0.2.10", 80);
	struct explanation e;

	for (int i = 0; i < 2; i++) {
		explain(services[i], &p, &e);
		ck_assert_int_eq(e.verdict, i == 0 ? VERDICT_REFUSED : VERDICT_DROPPED);
		ck_assert(e.n_chances == 0 && !e.pool);
		explanation_fini(&e);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("explain");
	TCase *tc = tcase_create("explain");

	tcase_add_loop_test(tc, test_jhash, 0, (int)(sizeof(vectors) / sizeof(vectors[0])));
	tcase_add_test(tc, test_jhash_mod);
	tcase_add_test(tc, test_nobody);
	tcase_add_test(tc, test_by_hash);
	tcase_add_test(tc, test_in_turn);
	tcase_add_test(tc, test_refused);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
