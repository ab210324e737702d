/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: what a change sends, what it leaves alone, and that it can be taken back. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "plan/plan.h"
#include "plan/shards.h"
#include "suite.h"
#include "walk.h"

static struct plan *plan;

static void setup(void)
{
	rnd_seed = 1;
	plan = plan_new(PLAN_LANES_DEFAULT);
}

static void teardown(void)
{
	plan_free(plan);
}

/* Plan and commit; *ops is the caller's. The changes are ended. */
static void change(struct changes *c, struct ops *ops)
{
	ops_init(ops);
	plan_change(plan, c, ops);
	plan_commit(plan);
	changes_fini(c);
}

static void change_ignored(struct changes *c)
{
	struct ops ops;

	change(c, &ops);
	ops_fini(&ops);
}

/* The operations as text. The changes and operations are ended. */
static char *change_text(struct changes *c)
{
	struct ops ops;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	change(c, &ops);
	for (int s = 0; s < 2; s++) {
		if (s)
			fputs("later\n", out);
		for (size_t i = 0; i < ops.stage[s].n; i++)
			if (ops.stage[s].items[i].kind != OP_ADD_CHAIN)
				op_text(&ops.stage[s].items[i], "t", out);
			else
				fprintf(out, "add chain %s\n", ops.stage[s].items[i].chain->name);
	}
	fclose(out);
	ops_fini(&ops);
	return text;
}

static void assert_change(struct changes *c, const char *expected)
{
	char *text = change_text(c);

	ck_assert_str_eq(text, expected);
	free(text);
}

static const struct service *web(const char *scheduler, const uint32_t *weights, size_t n)
{
	return walk_service("web", scheduler, "lan", "192.0.2.10", 80, weights, n);
}

/* Pool "lan" with two addresses, service "web"; returns the service. */
static const struct service *given_web(const char *scheduler, const uint32_t *weights, size_t n)
{
	const struct service *s = web(scheduler, weights, n);
	const struct pool *p = walk_pool("lan", "10.1.0.50", 2);
	struct changes c = { 0 };

	walk_change_pool(&c, NULL, p);
	walk_change_service(&c, NULL, s);
	change_ignored(&c);
	pool_unref(p);
	return s;
}

/* Replace a service; the references are consumed. */
static void assert_replaced(const struct service *before, const struct service *after,
			    const char *expected)
{
	struct changes c = { 0 };

	walk_change_service(&c, before, after);
	service_unref(before);
	service_unref(after);
	assert_change(&c, expected);
}

#define SLOT0 "192.0.2.10 . tcp . 80 . 0"
#define SLOT1 "192.0.2.10 . tcp . 80 . 1"
#define SLOT2 "192.0.2.10 . tcp . 80 . 2"

START_TEST(test_first_service)
{
	const struct service *s = web("rr", (uint32_t[]){ 1, 1 }, 2);
	const struct pool *p = walk_pool("lan", "10.1.0.50", 2);
	struct changes c = { 0 };

	walk_change_service(&c, NULL, s);
	walk_change_pool(&c, NULL, p);
	service_unref(s);
	pool_unref(p);
	assert_change(&c,
		      "add map inet t slots4-rr-0 { typeof ip daddr . meta l4proto . th dport . "
		      "numgen inc mod 65536 : ip daddr . th dport; }\n"
		      "add map inet t pool-lan4 { typeof numgen inc mod 65536 : ip saddr; }\n"
		      "add chain rr4-2-0\n"
		      "add chain pool-lan\n"
		      "add element inet t addresses4 { 192.0.2.10 }\n"
		      "add element inet t addresses4 { 10.1.0.50 }\n"
		      "add element inet t addresses4 { 10.1.0.51 }\n"
		      "add element inet t pool-lan4 { 0 : 10.1.0.50 }\n"
		      "add element inet t pool-lan4 { 1 : 10.1.0.51 }\n"
		      "add element inet t slots4-rr-0 { " SLOT0
		      " comment \"web/a\" : 10.1.0.11 . 8080 }\n"
		      "add element inet t slots4-rr-0 { " SLOT1
		      " comment \"web/b\" : 10.1.0.12 . 8080 }\n"
		      "add element inet t services4 { 192.0.2.10 . tcp . 80 comment \"web\" : "
		      "goto rr4-2-0 }\n"
		      "add element inet t snat4 { 192.0.2.10 . tcp . 80 : goto pool-lan }\n"
		      "later\n");
}
END_TEST

START_TEST(test_same_again_sends_nothing)
{
	const struct service *s = given_web("wrr", (uint32_t[]){ 3, 1 }, 2);

	assert_replaced(s, web("wrr", (uint32_t[]){ 3, 1 }, 2), "later\n");
}
END_TEST

/* Weights that give a table of the same size: no other program. aab becomes bba. */
START_TEST(test_weight_changes_slots_only)
{
	const struct service *s = given_web("wrr", (uint32_t[]){ 2, 1 }, 2);

	assert_replaced(s, web("wrr", (uint32_t[]){ 1, 2 }, 2),
			"delete element inet t slots4-rr-0 { " SLOT0 " }\n"
			"add element inet t slots4-rr-0 { " SLOT0
			" comment \"web/b\" : 10.1.0.12 . 8080 }\n"
			"delete element inet t slots4-rr-0 { " SLOT1 " }\n"
			"add element inet t slots4-rr-0 { " SLOT1
			" comment \"web/b\" : 10.1.0.12 . 8080 }\n"
			"delete element inet t slots4-rr-0 { " SLOT2 " }\n"
			"add element inet t slots4-rr-0 { " SLOT2
			" comment \"web/a\" : 10.1.0.11 . 8080 }\n"
			"later\n");
}
END_TEST

/* The lane stays, the program changes; the old one and its slot stay for a while. */
START_TEST(test_table_shrinks_in_two_steps)
{
	const struct service *s = given_web("rr", (uint32_t[]){ 1, 1, 1 }, 3);

	assert_replaced(s, web("rr", (uint32_t[]){ 1, 1, 0 }, 3),
			"add chain rr4-2-0\n"
			"delete element inet t services4 { 192.0.2.10 . tcp . 80 }\n"
			"add element inet t services4 { 192.0.2.10 . tcp . 80 comment \"web\" : "
			"goto rr4-2-0 }\n"
			"later\n"
			"delete element inet t slots4-rr-0 { " SLOT2 " }\n"
			"delete chain inet t rr4-3-0\n");
}
END_TEST

START_TEST(test_table_grows_at_once)
{
	const struct service *s = given_web("rr", (uint32_t[]){ 1 }, 1);

	assert_replaced(s, web("rr", (uint32_t[]){ 1, 1 }, 2),
			"add chain rr4-2-0\n"
			"add element inet t slots4-rr-0 { " SLOT1
			" comment \"web/b\" : 10.1.0.12 . 8080 }\n"
			"delete element inet t services4 { 192.0.2.10 . tcp . 80 }\n"
			"add element inet t services4 { 192.0.2.10 . tcp . 80 comment \"web\" : "
			"goto rr4-2-0 }\n"
			"later\n"
			"delete chain inet t rr4-1-0\n");
}
END_TEST

/* The entrance closes at once; what packets on their way need stays. */
START_TEST(test_last_service_goes)
{
	const struct service *s = given_web("rr", (uint32_t[]){ 1 }, 1);

	assert_replaced(s, NULL,
			"delete element inet t services4 { 192.0.2.10 . tcp . 80 }\n"
			"later\n"
			"delete element inet t addresses4 { 192.0.2.10 }\n"
			"delete element inet t slots4-rr-0 { " SLOT0 " }\n"
			"delete element inet t snat4 { 192.0.2.10 . tcp . 80 }\n"
			"delete chain inet t rr4-1-0\n"
			"delete map inet t slots4-rr-0\n");
}
END_TEST

START_TEST(test_no_weight_refuses)
{
	const struct service *s = given_web("sh", (uint32_t[]){ 0, 0 }, 2);
	struct placement *at;
	size_t n;

	at = plan_placements(plan, "web", &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(at->program.kind, PROGRAM_REFUSE);
	free(at);
	service_unref(s);
}
END_TEST

/* Replace pool "lan"; the references are consumed. */
static void assert_pool(const struct pool *before, const struct pool *after, const char *expected)
{
	struct changes c = { 0 };

	walk_change_pool(&c, before, after);
	pool_unref(before);
	pool_unref(after);
	assert_change(&c, expected);
}

#define SNAT(n)                                                                                    \
	"snat ip to jhash ip saddr . th sport mod " n                                              \
	" seed 0x6c616472 map @pool-lan4:1024-65535; "                                             \
	"snat ip to jhash ip saddr . th sport mod " n                                              \
	" seed 0x6c616472 map @pool-lan4:1024-65535; drop; }\n"

START_TEST(test_pool_grows_and_shrinks)
{
	const struct service *s = given_web("rr", (uint32_t[]){ 1 }, 1);

	service_unref(s);
	assert_pool(walk_pool("lan", "10.1.0.50", 2), walk_pool("lan", "10.1.0.50", 3),
		    "flush chain inet t pool-lan; add chain inet t pool-lan { " SNAT(
			    "3") "add element inet t addresses4 { 10.1.0.52 }\n"
				 "add element inet t pool-lan4 { 2 : 10.1.0.52 }\n"
				 "later\n");
	assert_pool(walk_pool("lan", "10.1.0.50", 3), walk_pool("lan", "10.1.0.50", 1),
		    "flush chain inet t pool-lan; add chain inet t pool-lan { " SNAT(
			    "1") "later\n"
				 "delete element inet t addresses4 { 10.1.0.51 }\n"
				 "delete element inet t addresses4 { 10.1.0.52 }\n"
				 "delete element inet t pool-lan4 { 1 }\n"
				 "delete element inet t pool-lan4 { 2 }\n");
}
END_TEST

/* A virtual address that is a pool's as well, and stays when one of them goes. */
START_TEST(test_addresses_are_counted)
{
	const struct service *s = given_web("rr", (uint32_t[]){ 1 }, 1);
	const struct service *same =
		walk_service("x", "rr", "lan", "10.1.0.50", 80, (uint32_t[]){ 1 }, 1);
	struct changes c = { 0 };
	char *text;

	walk_change_service(&c, NULL, same);
	text = change_text(&c);
	ck_assert_ptr_null(strstr(text, "addresses4"));
	free(text);
	c = (struct changes){ 0 };
	walk_change_service(&c, same, NULL);
	text = change_text(&c);
	ck_assert_ptr_null(strstr(text, "addresses4"));
	free(text);
	service_unref(same);
	service_unref(s);
}
END_TEST

static struct placement placement_of(const char *service)
{
	size_t n;
	struct placement *all = plan_placements(plan, service, &n), first;

	ck_assert_uint_eq(n, 1);
	first = all[0];
	free(all);
	return first;
}

/* n services s0, s1, ... of one listener each. */
static void given_services(const char *scheduler, uint32_t n)
{
	struct changes c = { 0 };
	char name[16];

	for (uint32_t i = 0; i < n; i++) {
		const struct service *s;

		snprintf(name, sizeof(name), "s%u", i);
		s = walk_service(name, scheduler, "lan", i % 2 ? "192.0.2.1" : "2001:db8::1",
				 (uint16_t)(80 + i), (uint32_t[]){ 1, 1 }, 2);
		walk_change_service(&c, NULL, s);
		service_unref(s);
	}
	change_ignored(&c);
}

START_TEST(test_lanes_are_never_shared)
{
	bool seen[4] = { false };
	struct plan_stats stats;

	plan_free(plan);
	plan = plan_new(4);
	given_services("rr", 6);
	for (int i = 0; i < 6; i++) {
		char name[16];
		struct placement at;

		snprintf(name, sizeof(name), "s%d", i);
		at = placement_of(name);
		ck_assert_int_eq(at.program.kind, i < 4 ? PROGRAM_RR : PROGRAM_RANDOM);
		ck_assert_uint_eq(at.error_ppm, 0);
		if (i >= 4)
			continue;
		ck_assert(!seen[at.program.lane]);
		seen[at.program.lane] = true;
	}
	plan_stats(plan, &stats);
	ck_assert_uint_eq(stats.lanes, 4);
	ck_assert_uint_eq(stats.lanes_used, 4);
	ck_assert_uint_eq(stats.n_services_without_lane, 2);
	ck_assert_uint_eq(stats.n_programs, 6);
}
END_TEST

START_TEST(test_no_lanes_at_all)
{
	struct plan_stats stats;

	plan_free(plan);
	plan = plan_new(0);
	given_services("wrr", 3);
	plan_stats(plan, &stats);
	ck_assert_uint_eq(stats.lanes_used, 0);
	ck_assert_uint_eq(stats.n_services_without_lane, 3);
	ck_assert_uint_eq(stats.n_programs, 2); /* shared: random4-2, random6-2 */
}
END_TEST

/* No slots map of shared programs has more than SHARD_SLOTS_MAX elements, and adopting keeps them.
 */
START_TEST(test_maps_are_bounded)
{
	struct image all;
	size_t run = 0;

	plan_free(plan);
	plan = plan_new(0);
	given_services("wrr", 20000);
	image_init(&all);
	plan_image(plan, &all);
	ck_assert_uint_gt(all.n_elems, 2 * SHARD_SLOTS_MAX);
	for (size_t i = 1; i < all.n_elems; i++) {
		bool is_same = map_cmp(&all.elems[i].map, &all.elems[i - 1].map) == 0;

		run = is_same && all.elems[i].map.kind == MAP_SLOTS ? run + 1 : 0;
		ck_assert_uint_lt(run, SHARD_SLOTS_MAX);
	}
	image_fini(&all);
}
END_TEST

/* A list that says rr for weights that differ has no error: rr does not look at them. */
START_TEST(test_error_of_placement)
{
	const struct service *s = given_web("rr", (uint32_t[]){ 1, 9 }, 2);
	struct changes c = { 0 };
	const struct service *uneven = web("wrr", (uint32_t[]){ 1, 65535 }, 2);

	ck_assert_uint_eq(placement_of("web").error_ppm, 0);
	walk_change_service(&c, s, uneven);
	change_ignored(&c);
	ck_assert_uint_gt(placement_of("web").error_ppm, 1000000);
	service_unref(s);
	service_unref(uneven);
}
END_TEST

START_TEST(test_no_such_service)
{
	size_t n = 1;

	ck_assert_ptr_null(plan_placements(plan, "nobody", &n));
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* After a random walk, a new daemon that has read the kernel wants what is there. */
START_TEST(test_hints_keep_the_ruleset)
{
	struct walk w;

	rnd_seed = (uint64_t)_i + 100;
	walk_init(&w);
	for (int step = 0; step < 30; step++) {
		struct changes c;

		walk_step(&w, &c);
		change_ignored(&c);
		walk_accept(&w);
	}
	for (int restart = 0; restart < 2; restart++) {
		struct image before, after;
		struct changes c;

		image_init(&before);
		image_init(&after);
		plan_image(plan, &before);
		plan_free(plan);
		plan = plan_new(PLAN_LANES_DEFAULT);
		plan_hint(plan, &before);
		walk_all(&w, &c);
		change_ignored(&c);
		plan_image(plan, &after);
		ck_assert(images_equal(&before, &after));
		image_fini(&before);
		image_fini(&after);
	}
	walk_fini(&w);
}
END_TEST

/* Hints that cannot be followed: too high a lane, one lane for two. */
START_TEST(test_bad_hints)
{
	struct image have;
	struct addr v4 = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
	struct plan_stats stats;

	image_init(&have);
	for (uint16_t i = 0; i < 6; i++) {
		struct elem *e = image_add_elem(&have);

		e->map = (struct map_ref){ .kind = MAP_SERVICES, .family = AF_INET };
		e->address = v4;
		e->port = (uint16_t)(80 + i);
		e->protocol = IPPROTO_TCP;
		e->program = (struct program){ .kind = PROGRAM_RR,
					       .family = AF_INET,
					       .refusal = REFUSAL_REJECT,
					       .lane = i < 3 ? 7 : 60000,
					       .size = 9 };
	}
	plan_hint(plan, &have);
	image_fini(&have);
	given_services("rr", 6);
	ck_assert_uint_eq(placement_of("s1").program.lane, 7);
	plan_stats(plan, &stats);
	ck_assert_uint_eq(stats.lanes_used, 6);
	ck_assert_uint_eq(stats.n_services_without_lane, 0);
}
END_TEST

/* Taking a change back restores everything, and so does making it afterwards. */
START_TEST(test_abort_restores)
{
	struct walk w;

	rnd_seed = (uint64_t)_i + 1;
	plan_free(plan);
	plan = plan_new(_i % 2 ? 3 : 40);
	walk_init(&w);
	for (int step = 0; step < 60; step++) {
		struct image before, after;
		struct plan_stats was, is;
		struct changes c;
		struct ops ops;

		image_init(&before);
		image_init(&after);
		plan_image(plan, &before);
		plan_stats(plan, &was);
		walk_step(&w, &c);
		ops_init(&ops);
		plan_change(plan, &c, &ops);
		plan_abort(plan);
		ops_fini(&ops);
		plan_image(plan, &after);
		plan_stats(plan, &is);
		ck_assert(images_equal(&before, &after));
		ck_assert_mem_eq(&was, &is, sizeof(was));
		image_fini(&before);
		image_fini(&after);
		change_ignored(&c);
		walk_accept(&w);
	}
	walk_fini(&w);
}
END_TEST

/* What a change sends turns the old image into the new one, and the statistics count it. */
START_TEST(test_ops_lead_from_image_to_image)
{
	struct image have;
	struct walk w;

	rnd_seed = (uint64_t)_i + 1000;
	plan_free(plan);
	plan = plan_new(_i % 2 ? 4 : 64);
	walk_init(&w);
	image_init(&have);
	plan_image(plan, &have);
	for (int step = 0; step < 60; step++) {
		struct plan_stats stats;
		struct image want;
		struct changes c;
		struct ops ops;

		walk_step(&w, &c);
		change(&c, &ops);
		walk_accept(&w);
		image_init(&want);
		plan_image(plan, &want);
		ck_assert_int_eq(image_apply(&have, &ops.stage[0]), 0);
		ck_assert_int_eq(image_apply(&have, &ops.stage[1]), 0);
		ck_assert(images_equal(&have, &want));
		plan_stats(plan, &stats);
		ck_assert_uint_eq(stats.n_elems, want.n_elems);
		image_fini(&want);
		ops_fini(&ops);
	}
	image_fini(&have);
	walk_fini(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *changes = tcase_create("changes"), *walks = tcase_create("walks");

	suite_add_tcase(suite, changes);
	tcase_add_checked_fixture(changes, setup, teardown);
	tcase_add_test(changes, test_first_service);
	tcase_add_test(changes, test_same_again_sends_nothing);
	tcase_add_test(changes, test_weight_changes_slots_only);
	tcase_add_test(changes, test_table_shrinks_in_two_steps);
	tcase_add_test(changes, test_table_grows_at_once);
	tcase_add_test(changes, test_last_service_goes);
	tcase_add_test(changes, test_no_weight_refuses);
	tcase_add_test(changes, test_pool_grows_and_shrinks);
	tcase_add_test(changes, test_addresses_are_counted);
	tcase_add_test(changes, test_lanes_are_never_shared);
	tcase_add_test(changes, test_no_lanes_at_all);
	tcase_add_test(changes, test_maps_are_bounded);
	tcase_add_test(changes, test_error_of_placement);
	tcase_add_test(changes, test_no_such_service);
	tcase_add_test(changes, test_bad_hints);
	suite_add_tcase(suite, walks);
	tcase_add_checked_fixture(walks, setup, teardown);
	tcase_set_timeout(walks, 120);
	tcase_add_loop_test(walks, test_hints_keep_the_ruleset, 0, WALKS(5));
	tcase_add_loop_test(walks, test_abort_restores, 0, WALKS(6));
	tcase_add_loop_test(walks, test_ops_lead_from_image_to_image, 0, WALKS(6));
	return run_suite(suite);
}
