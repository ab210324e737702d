/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of requests: what goes together, what is answered at once, and what the model says
 * meanwhile. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/group.h"
#include "model/json.h"
#include "suite.h"

/* What a test's request wants: service `name` with this weight for its backend; -1: remove it. */
struct wish {
	const char *name;
	int weight;
	bool is_refused;
	uint64_t seen_generation;
};

static const struct requester nobody = { .uid = -1, .pid = -1 };
static struct model *model;
static struct pending_queue waiting, settled;
static struct group group;

static const struct service *service_of(const char *name, int weight)
{
	char text[512];
	const struct service *s;
	json_t *value;
	struct err err;
	unsigned int port = 1000;

	for (const char *p = name; *p; p++)
		port = port * 31 + (unsigned char)*p;
	snprintf(text, sizeof(text),
		 "{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":%u}],"
		 "\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.0.0.1\",\"port\":80,"
		 "\"weight\":%d}}}",
		 port % 60000 + 1, weight);
	err_init(&err);
	value = json_parse(text, strlen(text), &err);
	s = service_from_json(value, name, "", &err);
	ck_assert_msg(s != NULL, "%s", err_text(&err));
	json_decref(value);
	err_fini(&err);
	return s;
}

static void pool_make(void)
{
	struct changes c = { 0 };
	const struct pool *p;
	struct err err;
	json_t *value;
	static const char text[] = "{\"addresses\":[\"10.0.0.100\"]}";

	err_init(&err);
	value = json_parse(text, strlen(text), &err);
	p = pool_from_json(value, "lan", "", &err);
	model_want_pool(model, "lan", p, &c);
	model_apply(model, &c);
	changes_fini(&c);
	pool_unref(p);
	json_decref(value);
	err_fini(&err);
}

static int wish_prepare(const struct model *m, uint64_t generation, void *arg, struct changes *out,
			struct err *err)
{
	struct wish *w = arg;
	const struct service *s;

	w->seen_generation = generation;
	if (w->is_refused)
		return err_add(err, ERR_STALE, -EINVAL, NULL, "refused");
	if (w->weight < 0 && !model_service(m, w->name))
		return err_add(err, ERR_NOT_FOUND, -ENOENT, NULL, "no service %s", w->name);
	s = w->weight < 0 ? NULL : service_of(w->name, w->weight);
	model_want_service(m, w->name, s, out);
	service_unref(s);
	return 0;
}

static void ask(struct wish *w, bool dry_run)
{
	pending_queue_push(&waiting, pending_new(&nobody, dry_run, 0, wish_prepare, NULL, w));
}

static int weight_of(const char *name)
{
	const struct service *s = model_service(model, name);

	return s ? (int)service_backend(s, "a")->weight : -1;
}

static void form(uint64_t generation)
{
	group_form(&group, &waiting, model, generation, &settled);
}

/* As the engine does when the kernel has accepted. */
static void accept_group(void)
{
	group_apply(&group, &model);
	for (size_t i = 0; i < group.n; i++)
		pending_free(group.requests[i]);
	group_fini(&group);
}

static void queue_free(struct pending_queue *q)
{
	struct pending *r;

	while ((r = pending_queue_pop(q)))
		pending_free(r);
}

static void setup(void)
{
	model = model_new();
	pool_make();
	pending_queue_init(&waiting);
	pending_queue_init(&settled);
	group_init(&group);
}

static void teardown(void)
{
	accept_group();
	queue_free(&waiting);
	queue_free(&settled);
	model_free(model);
}

START_TEST(test_not_current_before_accepted)
{
	struct wish a = { "web", 1, false, 0 }, b = { "web", 2, false, 0 };

	ask(&a, false);
	ask(&b, false);
	form(7);
	ck_assert_uint_eq(group.n, 2);
	ck_assert_uint_eq(group.generation, 9);
	ck_assert_uint_eq(a.seen_generation, 7);
	ck_assert_uint_eq(b.seen_generation, 8);
	ck_assert_int_eq(weight_of("web"), -1);
	ck_assert_uint_eq(group.net.n, 1);
	ck_assert_ptr_null(group.net.items[0].service.before);
	ck_assert_uint_eq(service_backend(group.net.items[0].service.after, "a")->weight, 2);
	accept_group();
	ck_assert_int_eq(weight_of("web"), 2);
}
END_TEST

START_TEST(test_nothing_and_refusal_are_settled)
{
	struct wish make = { "web", 1, false, 0 }, same = { "web", 1, false, 0 },
		    bad = { "web", 1, true, 0 }, change = { "web", 3, false, 0 };

	ask(&make, false);
	form(1);
	accept_group();
	ask(&same, false);
	ask(&bad, false);
	ask(&change, false);
	form(2);
	ck_assert_uint_eq(settled.n, 2);
	ck_assert(!err_any(&settled.first->err));
	ck_assert_int_eq(settled.first->next->err.kind, ERR_STALE);
	ck_assert_uint_eq(group.n, 1);
	ck_assert_uint_eq(group.generation, 3);
}
END_TEST

START_TEST(test_consequences_stay_in_the_group)
{
	struct wish make = { "web", 1, false, 0 }, same = { "web", 1, false, 0 },
		    remove = { "web", -1, false, 0 }, again = { "web", -1, false, 0 };

	ask(&make, false);
	ask(&same, false);
	ask(&remove, false);
	ask(&again, false);
	form(1);
	ck_assert_uint_eq(settled.n, 0);
	ck_assert_uint_eq(group.n, 4);
	ck_assert_uint_eq(group.generation, 3);
	ck_assert_uint_eq(group.requests[1]->generation, 2);
	ck_assert_int_eq(group.requests[3]->err.kind, ERR_NOT_FOUND);
	ck_assert_uint_eq(group.net.n, 0); /* made and removed: nothing for the kernel */
	accept_group();
	ck_assert_int_eq(weight_of("web"), -1);
}
END_TEST

START_TEST(test_split_goes_alone_in_order)
{
	struct wish a = { "a", 1, false, 0 }, b = { "b", 1, false, 0 }, c = { "c", 1, false, 0 };

	ask(&a, false);
	ask(&b, false);
	form(1);
	ask(&c, false);
	group_split(&group, &waiting);
	ck_assert_uint_eq(waiting.n, 3);
	ck_assert_int_eq(weight_of("a"), -1);
	form(1);
	ck_assert_uint_eq(group.n, 1);
	ck_assert_ptr_eq(group.requests[0]->arg, &a);
	accept_group();
	form(2);
	ck_assert_uint_eq(group.n, 1);
	ck_assert_ptr_eq(group.requests[0]->arg, &b);
	accept_group();
	form(3);
	ck_assert_ptr_eq(group.requests[0]->arg, &c);
}
END_TEST

START_TEST(test_dry_run_goes_alone)
{
	struct wish a = { "a", 1, false, 0 }, b = { "b", 1, false, 0 }, c = { "c", 1, false, 0 };

	ask(&a, false);
	ask(&b, true);
	ask(&c, false);
	form(1);
	ck_assert_uint_eq(group.n, 1);
	ck_assert(!group_is_dry_run(&group));
	accept_group();
	form(2);
	ck_assert_uint_eq(group.n, 1);
	ck_assert(group_is_dry_run(&group));
	ck_assert_uint_eq(group.net.n, 1);
	ck_assert_int_eq(weight_of("b"), -1);
}
END_TEST

START_TEST(test_is_bounded)
{
	struct wish w[GROUP_REQUESTS_MAX + 10];
	char names[GROUP_REQUESTS_MAX + 10][16];

	for (int i = 0; i < GROUP_REQUESTS_MAX + 10; i++) {
		snprintf(names[i], sizeof(names[i]), "s%d", i);
		w[i] = (struct wish){ names[i], 1, false, 0 };
		ask(&w[i], false);
	}
	form(1);
	ck_assert_uint_eq(group.n, GROUP_REQUESTS_MAX);
	accept_group();
	form(1 + GROUP_REQUESTS_MAX);
	ck_assert_uint_eq(group.n, 10);
}
END_TEST

/* Whatever is grouped and split, the model ends as if each request had gone alone. */
START_TEST(test_groups_equal_singles)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct wish w[200];
	int expected[4] = { -1, -1, -1, -1 };
	uint64_t generation = 1;

	srand((unsigned int)_i);
	for (int i = 0; i < 200; i++) {
		int n = rand() % 4;
		bool is_dry_run = rand() % 8 == 0;

		w[i] = (struct wish){ names[n], rand() % 4 - 1, rand() % 8 == 0, 0 };
		if (!w[i].is_refused && !is_dry_run)
			expected[n] = w[i].weight;
		ask(&w[i], is_dry_run);
	}
	while (waiting.first) {
		form(generation);
		queue_free(&settled);
		if (group.n > 1 && rand() % 3 == 0) {
			group_split(&group, &waiting);
			continue;
		}
		generation = group.generation;
		if (!group_is_dry_run(&group)) {
			accept_group();
		} else {
			pending_free(group.requests[0]);
			group_fini(&group);
		}
	}
	for (int n = 0; n < 4; n++)
		ck_assert_int_eq(weight_of(names[n]), expected[n]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("group");
	TCase *tc = tcase_create("group");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_not_current_before_accepted);
	tcase_add_test(tc, test_nothing_and_refusal_are_settled);
	tcase_add_test(tc, test_consequences_stay_in_the_group);
	tcase_add_test(tc, test_split_goes_alone_in_order);
	tcase_add_test(tc, test_dry_run_goes_alone);
	tcase_add_test(tc, test_is_bounded);
	tcase_add_loop_test(tc, test_groups_equal_singles, 0, 20);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
