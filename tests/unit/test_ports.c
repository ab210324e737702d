/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The port budget: levels, and of whom it is kept. */
#include <check.h>

#include "stats/ports.h"
#include "stats_testing.h"

#define S 1000000000ull

static struct world w;
static const char *steps[32]; /* level by level */
static size_t n_steps;

static void level_cb(const struct ports_pair *p, enum ports_level was, void *arg)
{
	ck_assert_ptr_eq(arg, &w);
	ck_assert_str_eq(p->pool->name, "lan");
	ck_assert_int_ne(p->level, was);
	ck_assert_uint_lt(n_steps, 32);
	steps[n_steps++] = ports_level_name(p->level);
}

static void pool_with(uint16_t min, uint16_t max)
{
	const struct pool *now = model_pool(w.m, "lan"), *next;
	struct changes c = { 0 };
	struct pool p = *now;

	p.port_min = min;
	p.port_max = max;
	next = pool_new(&p);
	model_want_pool(w.m, "lan", next, &c);
	pool_unref(next);
	world_change(&w, &c);
}

static void setup(void)
{
	world_init(&w);
	n_steps = 0;
	ports_on_level(stats_ports(w.s), level_cb, &w);
}

static void teardown(void)
{
	world_fini(&w);
}

static const char *last_step(void)
{
	return n_steps ? steps[n_steps - 1] : "";
}

static void feed(enum flow_kind kind, unsigned int n)
{
	struct flow f = make_flow(kind, 1, 1);

	for (unsigned int i = 0; i < n; i++)
		stats_flow(w.s, w.m, &f);
}

static void listing_of(unsigned int n)
{
	stats_list_begin(w.s);
	feed(FLOW_LISTED, n);
	stats_list_end(w.s, w.m, S, false);
}

static void take_pair(const struct ports_pair *p, void *arg)
{
	*(uint32_t *)arg = p->used;
}

/* As kept now; 0: nothing. */
static uint32_t used(void)
{
	uint32_t n = 0;

	ports_each(stats_ports(w.s), "lan", take_pair, &n);
	return n;
}

START_TEST(test_levels)
{
	pool_with(2000, 2099);
	listing_of(49);
	listing_of(49);
	ck_assert_uint_eq(used(), 49);
	ck_assert_uint_eq(n_steps, 0);
	feed(FLOW_NEW, 45);
	ck_assert_uint_eq(used(), 94);
	ck_assert_uint_eq(n_steps, 2);
	ck_assert_str_eq(last_step(), "warn");
	feed(FLOW_NEW, 1);
	ck_assert_str_eq(last_step(), "full");
	/* Back only a little below, and step by step. */
	feed(FLOW_DESTROY, 5);
	ck_assert_uint_eq(n_steps, 3);
	feed(FLOW_DESTROY, 1);
	ck_assert_str_eq(last_step(), "warn");
	feed(FLOW_DESTROY, 14);
	ck_assert_uint_eq(n_steps, 4);
	feed(FLOW_DESTROY, 1);
	ck_assert_str_eq(last_step(), "busy");
	/* A listing knows better, and what is gone takes no memory. */
	listing_of(97);
	ck_assert_str_eq(last_step(), "full");
	listing_of(0);
	ck_assert_str_eq(last_step(), "ok");
	ck_assert_uint_eq(used(), 0);
}
END_TEST

/* Where there are few connections, nothing is kept; where there were many, it is forgotten. */
START_TEST(test_few_are_not_watched)
{
	unsigned int many = 64512 / PORTS_WATCH_PART + 10;

	listing_of(64512 / PORTS_WATCH_PART - 1);
	feed(FLOW_NEW, 10);
	ck_assert_uint_eq(used(), 0);
	listing_of(many);
	listing_of(many);
	ck_assert_uint_eq(used(), many);
	listing_of(2);
	listing_of(2);
	ck_assert_uint_eq(used(), 0);
	ck_assert_uint_eq(n_steps, 0);
}
END_TEST

/* The pool becomes larger; who uses it goes. */
START_TEST(test_pool_changes)
{
	pool_with(2000, 2099);
	listing_of(96);
	listing_of(96);
	ck_assert_str_eq(last_step(), "full");
	pool_with(2000, 2199);
	listing_of(96);
	ck_assert_str_eq(last_step(), "busy");
	pool_with(2000, 2099);
	listing_of(96);
	ck_assert_str_eq(last_step(), "full");
	world_service(&w, "web", NULL);
	ck_assert_str_eq(last_step(), "ok");
	ck_assert_uint_eq(used(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ports");
	TCase *t = tcase_create("ports");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_levels);
	tcase_add_test(t, test_few_are_not_watched);
	tcase_add_test(t, test_pool_changes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
