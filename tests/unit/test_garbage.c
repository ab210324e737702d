/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits for removal, with the plan before it and a stand-in for the
 * kernel behind it: whatever happens in between, no packet, wherever it is
 * in the chains, misses a program, a slot, a pool or a local address.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "plan/garbage.h"
#include "plan/plan.h"
#include "suite.h"
#include "walk.h"

#define GRACE_MS 100

static struct plan *plan;
static struct garbage *garbage;
static struct image kernel;
static uint64_t now_ms;

static void setup(void)
{
	struct ops ops;

	now_ms = 1000;
	plan = plan_new(PLAN_LANES_DEFAULT);
	garbage = garbage_new();
	image_init(&kernel);
	image_add_base(&kernel);
	image_sort(&kernel);
	ops_init(&ops);
	garbage_resolve(garbage, &ops);
	ck_assert(ops_empty(&ops));
	ops_fini(&ops);
}

static void teardown(void)
{
	plan_free(plan);
	garbage_free(garbage);
	image_fini(&kernel);
}

static bool has_indexes(const struct image *im, struct elem key, uint32_t n)
{
	bool has = true;

	for (key.slot = 0; has && key.slot < n; key.slot++)
		has = image_elem(im, &key);
	return has;
}

/* Every address that the pool's chain may choose. */
static bool has_pool(const struct image *im, const struct image *rules, const char *pool)
{
	char name[NFT_NAME_BYTES];
	const struct chain *c;
	bool has;

	snprintf(name, sizeof(name), "pool-%s", pool);
	c = image_chain(rules, name);
	has = c && image_chain(im, name);
	for (size_t i = 0; has && i < c->n_rules; i++) {
		struct elem key = { .map = { .kind = MAP_POOL, .pool = pool } };

		key.map.family = c->rules[i].family;
		if (c->rules[i].kind == RULE_SNAT)
			has = has_indexes(im, key, c->rules[i].size);
	}
	return has;
}

/* What a listener's snat element leads to. */
static bool has_snat(const struct image *im, const struct image *rules, const struct elem *snat)
{
	char name[NFT_NAME_BYTES];
	const struct chain *c;

	if (!snat->program.own)
		return has_pool(im, rules, snat->pool);
	c = image_chain(rules, new_chain_name(snat->program.own, name));
	return c && image_chain(im, name) &&
	       has_pool(im, rules, c->rules[c->n_rules - 1].name + strlen("pool-"));
}

/*
 * A packet that found this services element while the rules were `rules`
 * goes on in `im`.
 */
static bool packet_arrives(const struct image *im, const struct image *rules,
			   const struct elem *service)
{
	struct elem key = *service;
	char name[NFT_NAME_BYTES];
	const struct elem *snat;

	if (!image_chain(im, program_name(&service->program, name)))
		return false;
	if (service->program.kind < PROGRAM_RR)
		return true;
	key.map = program_slots_map(&service->program);
	if (!has_indexes(im, key, service->program.size))
		return false;
	key.map = (struct map_ref){ .kind = MAP_SNAT, .family = service->map.family };
	key.slot = 0;
	snat = image_elem(im, &key);
	return snat && has_snat(im, im, snat) &&
	       (!image_elem(rules, &key) || has_snat(im, rules, image_elem(rules, &key)));
}

/* All packets that began under `before` reach an end in `im`. */
static void assert_no_loss(const struct image *im, const struct image *before)
{
	bool arrives = true;

	for (size_t i = 0; i < before->n_elems; i++)
		if (before->elems[i].map.kind == MAP_SERVICES)
			arrives = arrives && packet_arrives(im, before, &before->elems[i]);
	ck_assert(arrives);
}

/* The kernel has what is wanted, and beyond that what waits. */
static void assert_only_garbage_differs(void)
{
	struct image want;
	struct ops ops;

	image_init(&want);
	ops_init(&ops);
	plan_image(plan, &want);
	image_diff(&kernel, &want, &ops);
	ck_assert_uint_eq(ops.stage[0].n, 0);
	ck_assert_uint_eq(ops.stage[1].n, garbage_count(garbage));
	ops_fini(&ops);
	image_fini(&want);
}

static void send_changes(struct changes *c, bool is_refused)
{
	struct image before;
	struct ops ops;

	image_copy(&kernel, &before);
	ops_init(&ops);
	plan_change(plan, c, &ops);
	garbage_resolve(garbage, &ops);
	if (is_refused) {
		plan_abort(plan);
	} else {
		ck_assert_int_eq(image_apply(&kernel, &ops.stage[0]), 0);
		plan_commit(plan);
		garbage_take(garbage, &ops, now_ms + GRACE_MS);
		ck_assert_uint_eq(ops.stage[1].n, 0);
		assert_no_loss(&kernel, &before);
	}
	assert_no_loss(&kernel, &kernel);
	ops_fini(&ops);
	image_fini(&before);
}

/* A kernel before 6.2: no chain goes with the last element that names it. */
static void assert_old_kernel_takes(const struct op_list *list)
{
	char name[NFT_NAME_BYTES];

	for (size_t i = 0; i < list->n; i++) {
		const struct op *op = &list->items[i];

		if (op->kind != OP_DEL_ELEM || op->elem.map.kind != MAP_SNAT)
			continue;
		snprintf(name, sizeof(name), "pool-%s", op->elem.pool);
		for (size_t k = 0; k < list->n; k++)
			if (list->items[k].kind == OP_DEL_CHAIN)
				ck_assert_str_ne(list->items[k].chain->name, name);
	}
}

/* Elements, then chains, then maps. */
static void assert_order(const struct op_list *list)
{
	static const int rank[] = { 9, 9, 9, 9, 0, 1, 2 };

	for (size_t i = 0; i < list->n; i++) {
		ck_assert_int_lt(rank[list->items[i].kind], 9);
		if (i > 0)
			ck_assert_int_le(rank[list->items[i - 1].kind], rank[list->items[i].kind]);
	}
}

/* Returns how many operations there were. */
static size_t collect(uint64_t at_ms)
{
	struct op_list list = { 0 };
	struct ops storage;
	size_t n;

	ops_init(&storage);
	garbage_collect(garbage, at_ms, &list, &storage);
	n = list.n;
	assert_order(&list);
	assert_old_kernel_takes(&list);
	ck_assert_int_eq(image_apply(&kernel, &list), 0);
	op_list_fini(&list);
	ops_fini(&storage);
	assert_no_loss(&kernel, &kernel);
	return n;
}

static void collect_all(void)
{
	while (garbage_wait_ms(garbage, UINT64_MAX) == 0)
		ck_assert_uint_gt(collect(UINT64_MAX), 0);
	ck_assert_uint_eq(garbage_count(garbage), 0);
	ck_assert_int_eq(garbage_wait_ms(garbage, now_ms), -1);
	assert_only_garbage_differs();
}

/* With few lanes, with many, with a short grace and a long one. */
START_TEST(test_random_walk)
{
	struct walk w;

	rnd_seed = (uint64_t)_i + 1;
	plan_free(plan);
	plan = plan_new(_i % 3 == 0 ? 3 : 48);
	walk_init(&w);
	for (int step = 0; step < 150; step++) {
		bool is_refused = rnd(10) == 0;
		struct changes c;

		walk_step(&w, &c);
		send_changes(&c, is_refused);
		changes_fini(&c);
		if (is_refused)
			walk_reject(&w);
		else
			walk_accept(&w);
		assert_only_garbage_differs();
		now_ms += rnd(_i % 2 ? GRACE_MS : GRACE_MS / 10);
		if (garbage_wait_ms(garbage, now_ms) == 0 && rnd(2))
			collect(now_ms);
	}
	collect_all();
	walk_fini(&w);
}
END_TEST

static const struct service *web(const char *scheduler, size_t n)
{
	return walk_service("web", scheduler, "lan", "192.0.2.10", 80, (uint32_t[]){ 1, 1, 1, 1 },
			    n);
}

static void send_service(const struct service *before, const struct service *after)
{
	struct changes c = { 0 };

	walk_change_service(&c, before, after);
	send_changes(&c, false);
	changes_fini(&c);
}

static void send_pool(const struct pool *before, const struct pool *after)
{
	struct changes c = { 0 };

	walk_change_pool(&c, before, after);
	send_changes(&c, false);
	changes_fini(&c);
}

/* Up and down between two programs, faster than the grace: all comes back from the garbage. */
START_TEST(test_flapping)
{
	const struct service *one = web("rr", 1), *four = web("rr", 4);
	const struct pool *lan = walk_pool("lan", "10.1.0.50", 2);

	send_pool(NULL, lan);
	send_service(NULL, four);
	for (int i = 0; i < 10; i++) {
		send_service(four, one);
		ck_assert_uint_eq(garbage_count(garbage), 4); /* three slots and a program */
		send_service(one, four);
		ck_assert_uint_eq(garbage_count(garbage), 1);
	}
	collect_all();
	service_unref(one);
	service_unref(four);
	pool_unref(lan);
}
END_TEST

/* A service and its pool go together, and come back before they are gone. */
START_TEST(test_pool_comes_back)
{
	const struct service *s = web("sh", 3);
	const struct pool *large = walk_pool("lan", "10.1.0.50", 9);
	const struct pool *small = walk_pool("lan", "10.1.0.53", 2);
	struct changes both = { 0 };

	send_pool(NULL, large);
	send_service(NULL, s);
	walk_change_service(&both, s, NULL);
	walk_change_pool(&both, large, NULL);
	send_changes(&both, false);
	changes_fini(&both);
	ck_assert_uint_gt(garbage_count(garbage), 256);
	send_pool(NULL, small);
	send_service(NULL, s);
	assert_only_garbage_differs();
	collect_all();
	service_unref(s);
	pool_unref(large);
	pool_unref(small);
}
END_TEST

/* In the order of time, and never early. */
START_TEST(test_due)
{
	const struct service *s = web("rr", 2);
	const struct pool *lan = walk_pool("lan", "10.1.0.50", 2);

	send_pool(NULL, lan);
	ck_assert_int_eq(garbage_wait_ms(garbage, now_ms), -1);
	send_service(NULL, s);
	ck_assert_int_eq(garbage_wait_ms(garbage, now_ms), -1);
	send_service(s, NULL);
	ck_assert_int_eq(garbage_wait_ms(garbage, now_ms), GRACE_MS);
	ck_assert_uint_eq(collect(now_ms + GRACE_MS - 1), 0);
	now_ms += GRACE_MS / 2;
	send_pool(lan, NULL);
	ck_assert_int_eq(garbage_wait_ms(garbage, now_ms), GRACE_MS / 2);
	ck_assert_int_eq(garbage_wait_ms(garbage, now_ms + GRACE_MS), 0);
	ck_assert_uint_gt(collect(now_ms + GRACE_MS / 2), 0);
	ck_assert_int_eq(garbage_wait_ms(garbage, now_ms + GRACE_MS / 2), GRACE_MS / 2);
	collect_all();
	service_unref(s);
	pool_unref(lan);
}
END_TEST

/* What somebody else put into the table is emptied before it is removed. */
START_TEST(test_foreign_things_wait_too)
{
	struct map_ref map = { .kind = MAP_FOREIGN, .pool = "theirs" };
	struct chain c = { .name = "theirs", .n_rules = 1, .rules = { { .kind = RULE_FOREIGN } } };
	struct op_list list = { 0 };
	struct image want;
	struct ops ops;

	image_init(&want);
	plan_image(plan, &want);
	image_add_map(&kernel, &map);
	image_add_chain(&kernel, &c);
	image_sort(&kernel);
	ops_init(&ops);
	image_diff(&kernel, &want, &ops);
	garbage_take(garbage, &ops, now_ms);
	ck_assert_uint_eq(garbage_count(garbage), 3);
	garbage_collect(garbage, now_ms, &list, &ops);
	ck_assert_uint_eq(list.n, 3);
	ck_assert_int_eq(image_apply(&kernel, &list), 0);
	ck_assert(images_equal(&kernel, &want));
	op_list_fini(&list);
	ops_fini(&ops);
	image_fini(&want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("garbage");
	TCase *cases = tcase_create("cases"), *walks = tcase_create("walks");

	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_flapping);
	tcase_add_test(cases, test_pool_comes_back);
	tcase_add_test(cases, test_due);
	tcase_add_test(cases, test_foreign_things_wait_too);
	suite_add_tcase(suite, walks);
	tcase_add_checked_fixture(walks, setup, teardown);
	tcase_set_timeout(walks, 120);
	tcase_add_loop_test(walks, test_random_walk, 0, WALKS(12));
	return run_suite(suite);
}
