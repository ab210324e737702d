/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of programs and maps, and the rules they stand for. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "images.h"
#include "plan/program.h"
#include "suite.h"

#define P(kind_, family_, refusal_, lane_, size_, key_, prefix_)                                   \
	{                                                                                          \
		.kind = kind_, .family = family_, .refusal = refusal_, .lane = lane_,              \
		.size = size_, .key = key_, .prefix = prefix_                                      \
	}

static const struct {
	struct program program;
	const char *name;
} programs[] = {
	{ P(PROGRAM_REFUSE, AF_UNSPEC, REFUSAL_REJECT, 0, 0, 0, 0), "refuse" },
	{ P(PROGRAM_DROP, AF_UNSPEC, REFUSAL_DROP, 0, 0, 0, 0), "discard" },
	{ P(PROGRAM_RR, AF_INET, REFUSAL_REJECT, 17, 3, 0, 0), "rr4-3-17" },
	{ P(PROGRAM_RR, AF_INET6, REFUSAL_DROP, 0, 1, 0, 0), "rr6-1-0-drop" },
	{ { .kind = PROGRAM_RR, .family = AF_INET, .lane = 17, .size = 3, .udp_timeout = 6 },
	  "rr4-3-17-udp5" },
	{ { .kind = PROGRAM_RANDOM, .family = AF_INET6, .size = 10, .udp_timeout = 1 },
	  "random6-10-udp0" },
	{ { .kind = PROGRAM_MH,
	    .family = AF_INET,
	    .lane = 3,
	    .size = 251,
	    .key = HASH_SOURCE_PORT,
	    .refusal = REFUSAL_DROP,
	    .udp_timeout = 43201,
	    .options = PROGRAM_STICKY,
	    .own = 7 },
	  "mh4-251-3-port-udp43200-own7-sticky-drop" },
	{ P(PROGRAM_RANDOM, AF_INET, REFUSAL_REJECT, 0, 10, 0, 0), "random4-10" },
	{ P(PROGRAM_RANDOM, AF_INET, REFUSAL_REJECT, 7, 10, 0, 0), "random4-10-7" },
	{ P(PROGRAM_RANDOM, AF_INET, REFUSAL_REJECT, 0, 65536, 0, 0), "random4-65536" },
	{ P(PROGRAM_SH, AF_INET6, REFUSAL_REJECT, 0, 251, 0, 0), "sh6-251" },
	{ P(PROGRAM_SH, AF_INET6, REFUSAL_DROP, 0, 256, 0, 0), "sh6-256-drop" },
	{ P(PROGRAM_MH, AF_INET, REFUSAL_REJECT, 0, 32749, 0, 0), "mh4-32749" },
	{ P(PROGRAM_SH, AF_INET, REFUSAL_REJECT, 0, 256, HASH_SOURCE_PORT, 0), "sh4-256-port" },
	{ P(PROGRAM_MH, AF_INET, REFUSAL_DROP, 3, 251, HASH_FIVE_TUPLE, 24),
	  "mh4-251-3-p24-tuple-drop" },
	{ P(PROGRAM_MH, AF_INET6, REFUSAL_REJECT, 0, 65521, HASH_SOURCE, 127), "mh6-65521-p127" },
	{ P(PROGRAM_SH, AF_INET, REFUSAL_REJECT, 65535, 65536, HASH_FIVE_TUPLE, 31),
	  "sh4-65536-65535-p31-tuple" },
	{ { .kind = PROGRAM_RR,
	    .family = AF_INET,
	    .lane = 17,
	    .size = 3,
	    .own = 5,
	    .options = PROGRAM_GATES,
	    .overflow = 2 },
	  "rr4-3-17-own5-gates-over2" },
	{ { .kind = PROGRAM_MH,
	    .family = AF_INET6,
	    .refusal = REFUSAL_DROP,
	    .size = 251,
	    .own = 1,
	    .options = PROGRAM_GATES },
	  "mh6-251-own1-gates-drop" },
	{ { .kind = PROGRAM_SH,
	    .family = AF_INET,
	    .size = 251,
	    .own = 1,
	    .max_client = 10,
	    .max_all = MODEL_CONNECTIONS_MAX },
	  "sh4-251-own1-client10-all10000000" },
	{ { .kind = PROGRAM_RR,
	    .family = AF_INET,
	    .size = 1,
	    .own = 5,
	    .options = PROGRAM_GATES | PROGRAM_OVERFLOWS },
	  "rr4-1-0-own5-gates-full" },
	{ { .kind = PROGRAM_FULL, .own = 5 }, "full-own5" },
	{ { .kind = PROGRAM_FULL, .own = 65535, .refusal = REFUSAL_DROP }, "full-own65535-drop" },
};

static const struct {
	struct gate gate;
	const char *name;
} gates[] = {
	{ { .to = { .family = AF_INET, .bytes = { 10, 1, 0, 11 } },
	    .port = 8080,
	    .own = 5,
	    .max = 100,
	    .room = 37,
	    .epoch = 3 },
	  "gate4-0a01000b-8080-own5-max100-room37-e3" },
	{ { .to = { .family = AF_INET, .bytes = { 10, 1, 0, 11 } }, .own = 65535 },
	  "gate4-0a01000b-0-own65535" },
	{ { .to = { .family = AF_INET6, .bytes = { 0xfd, [15] = 1 } },
	    .port = 65535,
	    .own = 1,
	    .max = 4294967295,
	    .room = 4294967295,
	    .epoch = 65535 },
	  "gate6-fd000000000000000000000000000001-65535-own1-max4294967295-room4294967295-e65535" },
	{ { .to = { .family = AF_INET },
	    .own = 1,
	    .max = 1000,
	    .tokens = 969,
	    .room = 31,
	    .epoch = 7 },
	  "gate4-00000000-0-own1-max1000-tokens969-room31-e7" },
	{ { .to = { .family = AF_INET }, .own = 1, .max = 1, .room = 1 },
	  "gate4-00000000-0-own1-max1-room1-e0" },
};

START_TEST(test_gate_names)
{
	char name[NFT_NAME_BYTES];
	struct gate g;

	ck_assert_str_eq(gate_name(&gates[_i].gate, name), gates[_i].name);
	ck_assert_int_eq(gate_parse(name, &g), 0);
	ck_assert(gate_equal(&g, &gates[_i].gate));
}
END_TEST

START_TEST(test_not_gates)
{
	static const char *const names[] = {
		"",
		"gate",
		"gate4",
		"gate4-",
		"gate4-0a01000",
		"gate4-0a01000b",
		"gate4-0a01000b-80",
		"gate4-0a01000b-80-own0",
		"gate4-0a01000b-80-own65536",
		"gate4-0A01000b-80-own1",
		"gate5-0a01000b-80-own1",
		"gate4-0a01000b-65536-own1",
		"gate4-0a01000b-080-own1",
		"gate4-0a01000b-80-own1-max1",
		"gate4-0a01000b-80-own1-max1-room1",
		"gate4-0a01000b-80-own1-max0-room0-e0",
		"gate4-0a01000b-80-own1-max1-room1-e01",
		"gate4-0a01000b-80-own1-max1-room1-e0x",
		"gate4- a01000b-80-own1",
		"gate4-+a01000b-80-own1",
	};
	struct gate g;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(gate_parse(names[i], &g) == -EINVAL, "%s", names[i]);
}
END_TEST

START_TEST(test_program_names)
{
	struct program p;
	char name[NFT_NAME_BYTES];

	ck_assert_str_eq(program_name(&programs[_i].program, name), programs[_i].name);
	ck_assert_int_eq(program_parse(name, &p), 0);
	ck_assert(program_equal(&p, &programs[_i].program));
}
END_TEST

START_TEST(test_not_programs)
{
	static const char *const names[] = {
		"",
		"rr",
		"rr4",
		"rr4-",
		"rr4-3",
		"rr4-3-",
		"rr4-03-1",
		"rr4-3-1-",
		"rr4-3-1-drop-drop",
		"rr4-3-1-udp",
		"rr4-3-1-udp05",
		"rr4-3-1-udp00",
		"rr4-3-1-udp65535",
		"rr4-3-1-own7-sticky-udp5",
		"rr5-3-1",
		"rr4-0-1",
		"rr4-3-65536",
		"rr4-3--1",
		"rr4- 3-1",
		"rr4-99999999999999999999-1",
		"rr4-3-1-gates",
		"rr4-3-1-own5-gates-over0",
		"rr4-3-1-own5-gates-over17",
		"rr4-3-1-own5-sticky-over1",
		"random4",
		"random4-10-0",
		"random4-10-",
		"random4-65537",
		"sh4-",
		"sh4-x",
		"sh4-256-p0",
		"sh4-256-p32",
		"sh6-256-p128",
		"sh4-256-p024",
		"sh4-256-p280",
		"sh4-256-port-p24",
		"sh4-256-port-tuple",
		"sh4-256-",
		"mh4-251-source",
		"rr4-3-1-port",
		"random4-10-p24",
		"refuse2",
		"full",
		"full-own0",
		"full-own5-gates",
		"full4-0-own5",
		"refuse-drop",
		"dispatch",
		"pool-lan",
		"wrr-3-1",
		"?4-1",
	};
	struct program p;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(program_parse(names[i], &p) == -EINVAL, "%s", names[i]);
}
END_TEST

static const struct {
	struct map_ref map;
	const char *name, *type;
} maps[] = {
	{ { .kind = MAP_ADDRESSES, .family = AF_INET }, "addresses4", "type ipv4_addr" },
	{ { .kind = MAP_TIMEOUT, .shard = 6 }, "udp-5", "protocol udp" },
	{ { .kind = MAP_TIMEOUT, .shard = 1 }, "udp-0", "protocol udp" },
	{ { .kind = MAP_OVERFLOWED, .shard = 5 }, "overflowed-5", "packets 0 bytes 0" },
	{ { .kind = MAP_BEGUN, .family = AF_INET, .shard = 5 },
	  "begun4-5",
	  "typeof ip daddr . th dport" },
	{ { .kind = MAP_BEGUN, .family = AF_INET6, .shard = 65535, .is_address = true },
	  "begun6-65535-addr",
	  "type ipv6_addr" },
	{ { .kind = MAP_SERVICES, .family = AF_INET6 },
	  "services6",
	  "type ipv6_addr . inet_proto . inet_service : verdict" },
	{ { .kind = MAP_SNAT, .family = AF_INET },
	  "snat4",
	  "type ipv4_addr . inet_proto . inet_service : verdict" },
	{ { .kind = MAP_POOL, .family = AF_INET, .pool = "lan" },
	  "pool-lan4",
	  "typeof numgen inc mod 65536 : ip saddr" },
	{ { .kind = MAP_POOL, .family = AF_INET6, .pool = "a-6.4" },
	  "pool-a-6.46",
	  "typeof numgen inc mod 65536 : ip6 saddr" },
	{ { .kind = MAP_SLOTS, .family = AF_INET, .program = PROGRAM_RR, .shard = 2 },
	  "slots4-rr-2",
	  "typeof ip daddr . meta l4proto . th dport . numgen inc mod 65536 : ip daddr . th "
	  "dport" },
	{ { .kind = MAP_SLOTS, .family = AF_INET6, .program = PROGRAM_RANDOM, .shard = 2048 },
	  "slots6-random-2048",
	  "typeof ip6 daddr . meta l4proto . th dport . numgen inc mod 65536 : "
	  "ip6 daddr . th dport" },
};

START_TEST(test_map_names)
{
	char name[NFT_NAME_BYTES], pool[NFT_NAME_BYTES];
	struct map_ref m;

	ck_assert_str_eq(map_name(&maps[_i].map, name), maps[_i].name);
	ck_assert_str_eq(map_type_text(&maps[_i].map), maps[_i].type);
	ck_assert_int_eq(map_parse(name, &m, pool), 0);
	ck_assert_int_eq(map_cmp(&m, &maps[_i].map), 0);
}
END_TEST

START_TEST(test_not_maps)
{
	static const char *const names[] = {
		"",
		"addresses",
		"addresses5",
		"services4x",
		"slots4",
		"slots4-rr",
		"slots4-rr-",
		"slots4-rr-01",
		"slots4-rr-65536",
		"slots4-xx-1",
		"slots5-rr-1",
		"pool-",
		"pool-4",
		"pool-lan",
		"pool-lan5",
		"pins",
		"sticky",
		"gates",
		"clients",
		"detour-",
		"__map0",
	};
	char pool[NFT_NAME_BYTES], name[200];
	struct map_ref m;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *copy = mem_strdup(names[i]); /* so that a read behind its end is found */

		ck_assert_msg(map_parse(copy, &m, pool) == -EINVAL, "%s", copy);
		free(copy);
	}
	memset(name, 'x', sizeof(name));
	memcpy(name, "pool-", 5);
	strcpy(name + sizeof(name) - 2, "4");
	ck_assert_int_eq(map_parse(name, &m, pool), -EINVAL);
}
END_TEST

START_TEST(test_longest_pool)
{
	char longest[MODEL_NAME_MAX + 1], name[NFT_NAME_BYTES], pool[NFT_NAME_BYTES];
	struct map_ref m = { .kind = MAP_POOL, .family = AF_INET6, .pool = longest }, again;
	struct chain c;

	memset(longest, 'x', MODEL_NAME_MAX);
	longest[MODEL_NAME_MAX] = '\0';
	ck_assert_int_eq(map_parse(map_name(&m, name), &again, pool), 0);
	ck_assert_int_eq(map_cmp(&m, &again), 0);
	chain_of_pool(longest, 1, 1, &c);
	ck_assert_str_eq(c.name + 5, longest);
	ck_assert_str_eq(c.rules[2].name, name);
}
END_TEST

/* Each program's slots map serves few chains, and only its own kind and family. */
START_TEST(test_shards)
{
	struct program rr = { .kind = PROGRAM_RR,
			      .family = AF_INET,
			      .refusal = REFUSAL_REJECT,
			      .lane = 63,
			      .size = 1000 };
	struct program sh = { .kind = PROGRAM_SH,
			      .family = AF_INET6,
			      .refusal = REFUSAL_REJECT,
			      .lane = 8,
			      .size = 256 };
	struct map_ref m = program_slots_map(&rr);

	ck_assert_int_eq(m.shard, 1);
	ck_assert_int_eq(m.program, PROGRAM_RR);
	m = program_slots_map(&sh);
	ck_assert_int_eq(m.shard, 8);
	ck_assert_int_eq(m.family, AF_INET6);
}
END_TEST

static char *chain_lines(const struct chain *c)
{
	size_t len;
	char *text;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < c->n_rules; i++) {
		rule_text(&c->rules[i], out);
		fputc('\n', out);
	}
	fclose(out);
	return text;
}

static void assert_lines(const struct chain *c, const char *lines)
{
	char *text = chain_lines(c);

	ck_assert_str_eq(text, lines);
	free(text);
}

START_TEST(test_program_chains)
{
	struct chain c;

	program_chain(&(struct program){ .kind = PROGRAM_RR,
					 .family = AF_INET,
					 .refusal = REFUSAL_REJECT,
					 .lane = 33,
					 .size = 2 },
		      &c);
	ck_assert_str_eq(c.name, "rr4-2-33");
	assert_lines(&c, "tcp flags != syn / fin,syn,rst,ack goto refuse\n"
			 "dnat ip to ip daddr . meta l4proto . th dport . numgen inc mod 2 "
			 "map @slots4-rr-1\n"
			 "dnat ip to ip daddr . meta l4proto . th dport . numgen inc mod 2 "
			 "map @slots4-rr-1\n"
			 "goto refuse\n");
	program_chain(&(struct program){ .kind = PROGRAM_SH,
					 .family = AF_INET6,
					 .refusal = REFUSAL_DROP,
					 .lane = 0,
					 .size = 256 },
		      &c);
	assert_lines(&c, "tcp flags != syn / fin,syn,rst,ack goto discard\n"
			 "dnat ip6 to ip6 daddr . meta l4proto . th dport . jhash ip6 saddr mod "
			 "256 seed 0x666e6174 map @slots6-sh-0\n"
			 "dnat ip6 to ip6 daddr . meta l4proto . th dport . jhash ip6 saddr mod "
			 "256 seed 0x666e6174 map @slots6-sh-0\n"
			 "goto discard\n");
}
END_TEST

static const struct {
	struct program program;
	const char *text;
} hashes[] = {
	{ P(PROGRAM_MH, AF_INET, REFUSAL_REJECT, 0, 251, HASH_SOURCE, 20),
	  "jhash ip saddr & 255.255.240.0 mod 251 seed 0x666e6174" },
	{ P(PROGRAM_MH, AF_INET6, REFUSAL_REJECT, 0, 251, HASH_SOURCE_PORT, 61),
	  "jhash ip6 saddr & ffff:ffff:ffff:fff8:: . th sport mod 251 seed 0x666e6174" },
	{ P(PROGRAM_SH, AF_INET, REFUSAL_REJECT, 0, 256, HASH_FIVE_TUPLE, 0),
	  "jhash ip saddr . ip daddr . meta l4proto . th sport . th dport mod 256 "
	  "seed 0x666e6174" },
};

START_TEST(test_hash_rules)
{
	struct chain c;
	char *text;

	program_chain(&hashes[_i].program, &c);
	text = chain_lines(&c);
	ck_assert_msg(strstr(text, hashes[_i].text), "%s", text);
	free(text);
}
END_TEST

START_TEST(test_prefix_mask)
{
	uint8_t mask[16], all[16], none[16] = { 0 };

	memset(all, 0xff, sizeof(all));
	prefix_mask(0, mask);
	ck_assert_mem_eq(mask, none, 16);
	prefix_mask(128, mask);
	ck_assert_mem_eq(mask, all, 16);
	prefix_mask(11, mask);
	ck_assert_mem_eq(mask, ((uint8_t[16]){ 0xff, 0xe0 }), 16);
}
END_TEST

START_TEST(test_pool_chains)
{
	struct chain c, other;

	chain_of_pool("lan", 2, 0, &c);
	ck_assert_str_eq(c.name, "pool-lan");
	assert_lines(&c, "snat ip to jhash ip saddr . th sport mod 2 seed 0x6c616472 map "
			 "@pool-lan4:1024-65535\n"
			 "snat ip to jhash ip saddr . th sport mod 2 seed 0x6c616472 map "
			 "@pool-lan4:1024-65535\n"
			 "drop\n");
	chain_of_pool("lan", 2, 9, &other);
	ck_assert_int_eq(other.n_rules, 5);
	ck_assert(!chain_equal(&c, &other));
	chain_of_pool("lan", 2, 0, &other);
	ck_assert(chain_equal(&c, &other));
}
END_TEST

static const struct {
	const char *name, *lines;
} fixed[] = {
	{ "refuse", "meta l4proto tcp reject with tcp reset\nreject\n" },
	{ "discard", "drop\n" },
	{ "dispatch", "ip daddr . meta l4proto . th dport vmap @services4\n"
		      "ip6 daddr . meta l4proto . th dport vmap @services6\n" },
	{ "prerouting", "jump dispatch\n" },
	{ "output", "jump dispatch\n" },
	{ "postrouting",
	  "ct status dnat ct original ip daddr . meta l4proto . ct original proto-dst vmap @snat4\n"
	  "ct status dnat ct original ip6 daddr . meta l4proto . ct original proto-dst "
	  "vmap @snat6\n" },
	{ "guard-input", "ct state invalid ip daddr @addresses4 drop\n"
			 "ct state invalid ip6 daddr @addresses6 drop\n" },
	{ "guard-forward", "ct state invalid ip daddr @addresses4 drop\n"
			   "ct state invalid ip6 daddr @addresses6 drop\n" },
};

START_TEST(test_base_chains)
{
	size_t n = sizeof(fixed) / sizeof(fixed[0]), i;
	struct chain c;

	for (i = 0; base_chain(i, &c); i++) {
		ck_assert_uint_lt(i, n);
		ck_assert_str_eq(c.name, fixed[i].name);
		ck_assert(chain_equal(&c, &c));
		ck_assert_int_eq(hook_text(c.hook) == NULL, c.hook == HOOK_NONE);
		assert_lines(&c, fixed[i].lines);
	}
	ck_assert_uint_eq(i, n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("program");
	TCase *names = tcase_create("names"), *chains = tcase_create("chains");

	suite_add_tcase(suite, names);
	tcase_add_loop_test(names, test_program_names, 0, sizeof(programs) / sizeof(programs[0]));
	tcase_add_loop_test(names, test_gate_names, 0, sizeof(gates) / sizeof(gates[0]));
	tcase_add_test(names, test_not_gates);
	tcase_add_test(names, test_not_programs);
	tcase_add_loop_test(names, test_map_names, 0, sizeof(maps) / sizeof(maps[0]));
	tcase_add_test(names, test_not_maps);
	tcase_add_test(names, test_longest_pool);
	suite_add_tcase(suite, chains);
	tcase_add_test(chains, test_shards);
	tcase_add_test(chains, test_program_chains);
	tcase_add_loop_test(chains, test_hash_rules, 0, sizeof(hashes) / sizeof(hashes[0]));
	tcase_add_test(chains, test_prefix_mask);
	tcase_add_test(chains, test_pool_chains);
	tcase_add_test(chains, test_base_chains);
	return run_suite(suite);
}
