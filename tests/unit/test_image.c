/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images: order, differences, and what an operator reads. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "suite.h"

static void assert_applies(struct image *im, const struct ops *ops)
{
	ck_assert_int_eq(image_apply(im, &ops->stage[0]), 0);
	ck_assert_int_eq(image_apply(im, &ops->stage[1]), 0);
}

START_TEST(test_diff_of_equal_is_empty)
{
	rnd_seed = 1;
	for (int round = 0; round < 200; round++) {
		struct image a, b;
		struct ops ops;

		image_random(&a);
		image_copy(&a, &b);
		ops_init(&ops);
		image_diff(&a, &b, &ops);
		ck_assert(images_equal(&a, &b));
		ck_assert(ops_empty(&ops));
		ops_fini(&ops);
		image_fini(&a);
		image_fini(&b);
	}
}
END_TEST

START_TEST(test_apply_of_diff)
{
	rnd_seed = 2;
	for (int round = 0; round < 500; round++) {
		struct image a, b;
		struct ops ops;

		image_random(&a);
		image_random(&b);
		ops_init(&ops);
		image_diff(&a, &b, &ops);
		assert_applies(&a, &ops);
		ck_assert(images_equal(&a, &b));
		ops_fini(&ops);
		image_fini(&a);
		image_fini(&b);
	}
}
END_TEST

/* From nothing, and to nothing: the first start, and the last. */
START_TEST(test_from_nothing_to_nothing)
{
	rnd_seed = 3;
	for (int round = 0; round < 50; round++) {
		struct image a, empty, built;
		struct ops up, down;

		image_random(&a);
		image_init(&empty);
		image_init(&built);
		ops_init(&up);
		ops_init(&down);
		image_diff(&empty, &a, &up);
		ck_assert_uint_eq(up.stage[1].n, 0);
		assert_applies(&built, &up);
		ck_assert(images_equal(&a, &built));
		image_diff(&a, &empty, &down);
		assert_applies(&built, &down);
		ck_assert(images_equal(&built, &empty));
		ops_fini(&up);
		ops_fini(&down);
		image_fini(&a);
		image_fini(&built);
	}
}
END_TEST

/* Position of the operation's kind within its stage. */
static int rank(int stage, const struct op *op)
{
	static const int first[] = { 0, 1, 2, 3, 3, 9, 9 }, second[] = { 9, 9, 1, 9, 0, 2, 3 };

	return stage ? second[op->kind] : first[op->kind];
}

START_TEST(test_order_of_operations)
{
	rnd_seed = 4;
	for (int round = 0; round < 200; round++) {
		struct image a, b;
		struct ops ops;

		image_random(&a);
		image_random(&b);
		ops_init(&ops);
		image_diff(&a, &b, &ops);
		for (int s = 0; s < 2; s++)
			for (size_t i = 1; i < ops.stage[s].n; i++)
				ck_assert_int_le(rank(s, &ops.stage[s].items[i - 1]),
						 rank(s, &ops.stage[s].items[i]));
		for (size_t i = 0; i < ops.stage[1].n; i++) {
			const struct op *op = &ops.stage[1].items[i];

			ck_assert(op->kind != OP_DEL_ELEM || op->elem.map.kind != MAP_SERVICES);
		}
		ops_fini(&ops);
		image_fini(&a);
		image_fini(&b);
	}
}
END_TEST

static void set_rule(struct chain *c, const char *name, uint8_t hook, uint8_t rule)
{
	*c = (struct chain){ .hook = hook, .n_rules = 1, .rules = { { .kind = rule } } };
	snprintf(c->name, sizeof(c->name), "%s", name);
}

/* What others put into the table goes: chains and maps that name each other too. */
START_TEST(test_foreign_things_go)
{
	struct map_ref map = { .kind = MAP_FOREIGN, .pool = "theirs" };
	struct image have, want;
	struct ops ops;
	struct chain c;

	rnd_seed = 5;
	image_random(&want);
	image_copy(&want, &have);
	set_rule(&c, "aaa", HOOK_NONE, RULE_FOREIGN);
	image_add_chain(&have, &c);
	image_add_map(&have, &map);
	image_sort(&have);
	ops_init(&ops);
	image_diff(&have, &want, &ops);
	ck_assert_uint_eq(ops.stage[0].n, 0);
	ck_assert_uint_eq(ops.stage[1].n, 3);
	ck_assert_int_eq(ops.stage[1].items[0].kind, OP_SET_CHAIN);
	ck_assert_int_eq(ops.stage[1].items[1].kind, OP_DEL_MAP);
	ck_assert_int_eq(ops.stage[1].items[2].kind, OP_DEL_CHAIN);
	assert_applies(&have, &ops);
	ck_assert(images_equal(&have, &want));
	ops_fini(&ops);
	image_fini(&have);
	image_fini(&want);
}
END_TEST

/* A fixed chain that was tampered with is set again; with another hook it is made anew. */
START_TEST(test_tampered_chains)
{
	struct image have, want;
	struct ops ops;

	image_init(&have);
	image_init(&want);
	image_add_base(&want);
	image_sort(&want);
	image_copy(&want, &have);
	for (size_t i = 0; i < have.n_chains; i++) {
		if (strcmp(have.chains[i].name, "dispatch") == 0)
			set_rule(&have.chains[i], "dispatch", HOOK_NONE, RULE_FOREIGN);
		if (strcmp(have.chains[i].name, "output") == 0)
			set_rule(&have.chains[i], "output", HOOK_NONE, RULE_DROP);
	}
	ops_init(&ops);
	image_diff(&have, &want, &ops);
	ck_assert_uint_eq(ops.stage[1].n, 0);
	ck_assert_uint_eq(ops.stage[0].n, 3);
	assert_applies(&have, &ops);
	ck_assert(images_equal(&have, &want));
	ops_fini(&ops);
	image_fini(&have);
	image_fini(&want);
}
END_TEST

START_TEST(test_sort_removes_duplicates)
{
	struct image im;
	struct map_ref map = { .kind = MAP_ADDRESSES, .family = AF_INET };

	image_init(&im);
	image_sort(&im);
	image_add_base(&im);
	image_add_base(&im);
	for (int i = 0; i < 10; i++) {
		struct elem *e = image_add_elem(&im);

		e->map = map;
		e->address.family = AF_INET;
		e->address.bytes[0] = (uint8_t)(9 - i % 5);
	}
	image_sort(&im);
	ck_assert_uint_eq(im.n_maps, 6);
	ck_assert_uint_eq(im.n_chains, 8);
	ck_assert_uint_eq(im.n_elems, 5);
	for (size_t i = 1; i < im.n_elems; i++)
		ck_assert_int_lt(elem_cmp_key(&im.elems[i - 1], &im.elems[i]), 0);
	ck_assert_ptr_eq(image_elem(&im, &im.elems[3]), &im.elems[3]);
	ck_assert_ptr_nonnull(image_chain(&im, "refuse"));
	ck_assert_ptr_null(image_chain(&im, "nothing"));
	image_fini(&im);
}
END_TEST

/* The stand-in for the kernel refuses what the kernel would refuse. */
START_TEST(test_apply_is_strict)
{
	struct elem address = { .map = { .kind = MAP_ADDRESSES, .family = AF_INET } };
	struct elem service = { .map = { .kind = MAP_SERVICES, .family = AF_INET },
				.program = { .kind = PROGRAM_RR,
					     .family = AF_INET,
					     .refusal = REFUSAL_REJECT,
					     .lane = 0,
					     .size = 2 } };
	struct op op = { .kind = OP_ADD_ELEM, .elem = address };
	struct op_list list = { .items = &op, .n = 1 };
	struct image im;
	struct chain c;

	image_init(&im);
	ck_assert_int_eq(image_apply(&im, &list), -EINVAL); /* no such map */
	image_add_base(&im);
	image_sort(&im);
	ck_assert_int_eq(image_apply(&im, &list), 0);
	ck_assert_int_eq(image_apply(&im, &list), -EINVAL); /* exists */
	op.kind = OP_DEL_ELEM;
	ck_assert_int_eq(image_apply(&im, &list), 0);
	ck_assert_int_eq(image_apply(&im, &list), -EINVAL); /* does not exist */
	op = (struct op){ .kind = OP_ADD_ELEM, .elem = service };
	ck_assert_int_eq(image_apply(&im, &list), -EINVAL); /* no such chain */
	program_chain(&service.program, &c);
	op = (struct op){ .kind = OP_ADD_CHAIN, .chain = &c };
	ck_assert_int_eq(image_apply(&im, &list), -EINVAL); /* no such map */
	image_fini(&im);
	image_add_map(&im, &service.map);
	op = (struct op){ .kind = OP_DEL_MAP, .map = service.map };
	ck_assert_int_eq(image_apply(&im, &list), 0);
	ck_assert_int_eq(image_apply(&im, &list), -EINVAL);
	image_fini(&im);
}
END_TEST

static struct elem *add(struct image *im, enum map_kind kind, const char *address)
{
	struct elem *e = image_add_elem(im);

	ck_assert_int_eq(addr_parse(address, &e->address), 0);
	e->map.kind = (uint8_t)kind;
	e->map.family = e->address.family;
	return e;
}

static char *text_of(const struct image *im, bool is_owned)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	image_text(im, "fnat", is_owned, out);
	fclose(out);
	return text;
}

/* As nft 1.0.6 prints it. */
static const char listing[] =
	"table inet fnat {\n"
	"\tset addresses4 {\n"
	"\t\ttype ipv4_addr\n"
	"\t\telements = { 10.1.0.50, 10.1.0.51,\n"
	"\t\t\t     192.0.2.10 }\n"
	"\t}\n"
	"\n"
	"\tset addresses6 {\n"
	"\t\ttype ipv6_addr\n"
	"\t\telements = { 2001:db8::1,\n"
	"\t\t\t     2001:db8::2 }\n"
	"\t}\n"
	"\n"
	"\tmap services4 {\n"
	"\t\ttype ipv4_addr . inet_proto . inet_service : verdict\n"
	"\t\telements = { 192.0.2.10 . tcp . 80 comment \"web\" : goto rr4-2-0 }\n"
	"\t}\n"
	"\n"
	"\tmap pool-lan4 {\n"
	"\t\ttypeof numgen inc mod 65536 : ip saddr\n"
	"\t\telements = { 0 : 10.1.0.50, 1 : 10.1.0.51, 2 : 10.1.0.52, 3 : 10.1.0.53, "
	"4 : 10.1.0.54,\n"
	"\t\t\t     5 : 10.1.0.55 }\n"
	"\t}\n"
	"\n"
	"\tmap slots4-rr-0 {\n"
	"\t\ttypeof ip daddr . meta l4proto . th dport . numgen inc mod 65536 : "
	"ip daddr . th dport\n"
	"\t\telements = { 192.0.2.10 . tcp . 80 . 0 comment \"web/a\" : 10.1.0.11 . 8080,\n"
	"\t\t\t     192.0.2.10 . tcp . 80 . 1 comment \"web/b\" : 10.1.0.12 . 8080 }\n"
	"\t}\n"
	"\n"
	"\tchain guard-input {\n"
	"\t\ttype filter hook input priority filter - 10; policy accept;\n"
	"\t\tct state invalid ip daddr @addresses4 drop\n"
	"\t\tct state invalid ip6 daddr @addresses6 drop\n"
	"\t}\n"
	"\n"
	"\tchain refuse {\n"
	"\t\tmeta l4proto tcp reject with tcp reset\n"
	"\t\treject\n"
	"\t}\n"
	"}\n";

static void make_listed(struct image *im)
{
	static const char *const backends[] = { "10.1.0.11", "10.1.0.12" };
	struct chain c;
	struct elem *e;

	image_init(im);
	add(im, MAP_ADDRESSES, "2001:db8::2");
	add(im, MAP_ADDRESSES, "2001:db8::1");
	add(im, MAP_ADDRESSES, "10.1.0.51");
	add(im, MAP_ADDRESSES, "192.0.2.10");
	add(im, MAP_ADDRESSES, "10.1.0.50");
	e = add(im, MAP_SERVICES, "192.0.2.10");
	e->program = (struct program){ .kind = PROGRAM_RR,
				       .family = AF_INET,
				       .refusal = REFUSAL_REJECT,
				       .lane = 0,
				       .size = 2 };
	e->comment = "web";
	e->protocol = IPPROTO_TCP;
	e->port = 80;
	for (uint32_t i = 0; i < 2; i++) {
		e = add(im, MAP_SLOTS, "192.0.2.10");
		e->map.program = PROGRAM_RR;
		e->protocol = IPPROTO_TCP;
		e->port = 80;
		e->slot = i;
		addr_parse(backends[i], &e->to);
		e->to_port = 8080;
		e->comment = i ? "web/b" : "web/a";
	}
	for (uint32_t i = 0; i < 6; i++) {
		e = image_add_elem(im);
		e->map = (struct map_ref){ .kind = MAP_POOL, .family = AF_INET, .pool = "lan" };
		e->slot = i;
		addr_parse("10.1.0.50", &e->to);
		e->to = addr_add(&e->to, i);
	}
	for (size_t i = 0; i < im->n_elems; i++)
		image_add_map(im, &im->elems[i].map);
	for (size_t i = 0; base_chain(i, &c); i++)
		if (strcmp(c.name, "refuse") == 0 || strcmp(c.name, "guard-input") == 0)
			image_add_chain(im, &c);
	image_sort(im);
}

START_TEST(test_text_of_image)
{
	struct image im;
	char *text;

	make_listed(&im);
	text = text_of(&im, false);
	ck_assert_str_eq(text, listing);
	free(text);
	text = text_of(&im, true);
	ck_assert_ptr_nonnull(
		strstr(text, "table inet fnat { # progname fnatd\n\tflags owner,persist\n\n\tset"));
	free(text);
	image_fini(&im);
}
END_TEST

static void assert_op_text(const struct op *op, const char *expected)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	op_text(op, "fnat", out);
	fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(test_text_of_operations)
{
	struct map_ref set = { .kind = MAP_ADDRESSES, .family = AF_INET };
	struct elem e = { .map = { .kind = MAP_SNAT, .family = AF_INET6 },
			  .protocol = IPPROTO_SCTP,
			  .port = 53,
			  .pool_verdict = 1,
			  .pool = "lan" };
	struct chain c;

	addr_parse("2001:db8::1", &e.address);
	chain_of_pool("lan", 0, 3, &c);
	assert_op_text(&(struct op){ .kind = OP_ADD_MAP, .map = set },
		       "add set inet fnat addresses4 { type ipv4_addr; }\n");
	assert_op_text(&(struct op){ .kind = OP_DEL_MAP, .map = set },
		       "delete set inet fnat addresses4\n");
	assert_op_text(&(struct op){ .kind = OP_ADD_ELEM, .elem = e },
		       "add element inet fnat snat6 { 2001:db8::1 . sctp . 53 : goto pool-lan }\n");
	assert_op_text(&(struct op){ .kind = OP_DEL_ELEM, .elem = e },
		       "delete element inet fnat snat6 { 2001:db8::1 . sctp . 53 }\n");
	assert_op_text(&(struct op){ .kind = OP_SET_CHAIN, .chain = &c },
		       "flush chain inet fnat pool-lan; add chain inet fnat pool-lan { "
		       "snat ip6 to jhash ip6 saddr . th sport mod 3 seed 0x6c616472 map "
		       "@pool-lan6:1024-65535; "
		       "snat ip6 to jhash ip6 saddr . th sport mod 3 seed 0x6c616472 map "
		       "@pool-lan6:1024-65535; "
		       "drop; }\n");
	assert_op_text(&(struct op){ .kind = OP_DEL_CHAIN, .chain = &c },
		       "delete chain inet fnat pool-lan\n");
	base_chain(3, &c);
	assert_op_text(&(struct op){ .kind = OP_ADD_CHAIN, .chain = &c },
		       "add chain inet fnat prerouting { type nat hook prerouting priority dstnat; "
		       "policy accept; jump dispatch; }\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("image");
	TCase *diff = tcase_create("diff"), *text = tcase_create("text");

	suite_add_tcase(suite, diff);
	tcase_set_timeout(diff, 60);
	tcase_add_test(diff, test_diff_of_equal_is_empty);
	tcase_add_test(diff, test_apply_of_diff);
	tcase_add_test(diff, test_from_nothing_to_nothing);
	tcase_add_test(diff, test_order_of_operations);
	tcase_add_test(diff, test_foreign_things_go);
	tcase_add_test(diff, test_tampered_chains);
	tcase_add_test(diff, test_sort_removes_duplicates);
	tcase_add_test(diff, test_apply_is_strict);
	suite_add_tcase(suite, text);
	tcase_add_test(text, test_text_of_image);
	tcase_add_test(text, test_text_of_operations);
	return run_suite(suite);
}
