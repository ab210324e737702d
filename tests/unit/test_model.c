/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of objects: what a change may do, and that doing and undoing it is exact. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"
#include "model_testing.h"

/* ---- short ways to a model ---- */

static void commit(struct model *m, struct changes *c)
{
	struct err err = ERR_INIT;

	ck_assert_msg(model_check(m, c, &err) == 0, "%s", problems_text(&err));
	model_apply(m, c);
	changes_fini(c);
}

/* pools four (IPv4), six (IPv6), both; services web (four, 192.0.2.1:80), dual (both). */
static struct model *example(void)
{
	struct model *m = model_new();
	struct changes c = { 0 };

	/* services before their pools: the order in a list does not matter */
	want_service(m, "web", "192.0.2.1:80", "four", &c);
	want_service(m, "dual", "192.0.2.2:80,2001:db8::2:80", "both", &c);
	want_pool(m, "four", "\"10.1.0.1\"", &c);
	want_pool(m, "six", "\"fd00::1\"", &c);
	want_pool(m, "both", "\"10.1.0.2\",\"fd00::2\"", &c);
	commit(m, &c);
	return m;
}

static void assert_refused(const struct model *m, struct changes *c, const char *pointer,
			   const char *message)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(model_check(m, c, &err), -EINVAL);
	ck_assert_problem(&err, pointer, message);
	ck_assert_msg(err.n_problems == 1, "%s", problems_text(&err));
	err_fini(&err);
}

/* ---- the model ---- */

START_TEST(test_lookups)
{
	struct model *m = example();
	const struct service *web = model_service(m, "web"), **services;
	const struct pool **pools;
	struct listener l;
	size_t n;

	ck_assert_uint_eq(model_n_services(m), 2);
	ck_assert_uint_eq(model_n_pools(m), 3);
	ck_assert_ptr_null(model_service(m, "four"));
	ck_assert_ptr_null(model_pool(m, "web"));
	ck_assert_uint_eq(model_pool(m, "both")->n6, 1);

	memset(&l, 0xee, sizeof(l)); /* whatever padding holds does not matter */
	l.address = web->listeners[0].address;
	l.port = 80;
	l.protocol = IPPROTO_TCP;
	ck_assert_ptr_eq(model_listener(m, &l), web);
	l.port = 81;
	ck_assert_ptr_null(model_listener(m, &l));

	services = model_services(m, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(services[0]->name, "dual");
	pools = model_pools(m, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(pools[0]->name, "both");
	ck_assert_str_eq(pools[2]->name, "six");
	model_free(m); /* the snapshot lives on */
	ck_assert_str_eq(services[1]->name, "web");
	for (size_t i = 0; i < 2; i++)
		service_unref(services[i]);
	for (size_t i = 0; i < 3; i++)
		pool_unref(pools[i]);
	free(services);
	free(pools);
}
END_TEST

START_TEST(test_empty_model)
{
	struct model *m = model_new();
	struct changes c = { 0 };
	struct err err = ERR_INIT;
	size_t n = 7;

	free(model_services(m, &n));
	ck_assert_uint_eq(n, 0);
	free(model_pools(m, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(model_check(m, &c, &err), 0);
	model_apply(m, &c);
	model_revert(m, &c);
	changes_fini(&c);
	model_free(m);
	model_free(NULL);
}
END_TEST

START_TEST(test_want_only_differences)
{
	struct model *m = example();
	struct changes c = { 0 };

	want_service(m, "web", "192.0.2.1:80", "four", &c);
	want_pool(m, "four", "\"10.1.0.1\"", &c);
	want_service(m, "absent", NULL, NULL, &c);
	want_pool(m, "absent", NULL, &c);
	ck_assert_uint_eq(c.n, 0);
	want_service(m, "web", "192.0.2.1:81", "four", &c);
	ck_assert_uint_eq(c.n, 1);
	ck_assert_ptr_eq(c.items[0].service.before, model_service(m, "web"));
	ck_assert_str_eq(change_name(&c.items[0]), "web");
	changes_fini(&c);
	model_free(m);
}
END_TEST

START_TEST(test_wants_of_one_object_are_merged)
{
	struct model *m = example();
	struct changes c = { 0 };

	want_service(m, "web", "192.0.2.1:81", "four", &c);
	want_service(m, "web", "192.0.2.1:82", "four", &c);
	ck_assert_uint_eq(c.n, 1);
	ck_assert_uint_eq(c.items[0].service.before->listeners[0].port, 80);
	ck_assert_uint_eq(c.items[0].service.after->listeners[0].port, 82);
	want_pool(m, "web", "\"10.1.0.1\"", &c); /* a pool may be called as a service is */
	ck_assert_uint_eq(c.n, 2);
	want_service(m, "web", "192.0.2.1:80", "four", &c); /* as it was */
	ck_assert_uint_eq(c.n, 1);
	want_pool(m, "web", NULL, &c); /* made and removed */
	ck_assert_uint_eq(c.n, 0);
	changes_fini(&c);
	model_free(m);
}
END_TEST

/* The same in a list that is long enough to be indexed. */
START_TEST(test_wants_are_merged_in_long_lists)
{
	enum { N = 2000 };
	struct model *m = model_new();
	struct changes c = { 0 };
	char name[32], listener[48];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			snprintf(name, sizeof(name), "s%d", i);
			snprintf(listener, sizeof(listener), "10.0.%d.%d:%d", i / 250, 1 + i % 250,
				 80 + round);
			want_service(m, name, round == 2 && i % 2 ? NULL : listener, "p", &c);
		}
		ck_assert_uint_eq(c.n, round == 2 ? N / 2 : N);
	}
	for (int i = 0; i < N; i++) {
		const struct change *change;

		snprintf(name, sizeof(name), "s%d", i);
		change = changes_find(&c, OBJECT_SERVICE, name);
		ck_assert((change != NULL) == (i % 2 == 0));
		ck_assert(!change || change->service.after->listeners[0].port == 82);
		ck_assert(!change || strcmp(change_name(change), name) == 0);
		ck_assert_ptr_null(changes_find(&c, OBJECT_POOL, name));
	}
	changes_fini(&c);
	model_free(m);
}
END_TEST

/* ---- rules ---- */

START_TEST(test_listener_of_another_service)
{
	struct model *m = example();
	struct changes c = { 0 };

	want_service(m, "new", "192.0.2.9:80,192.0.2.1:80", "four", &c);
	assert_refused(
		m, &c, "/services/new/listeners/1",
		"service \"new\": listener 192.0.2.1:80/tcp: already used by service \"web\"");
	changes_fini(&c);
	model_free(m);
}
END_TEST

START_TEST(test_listener_twice_within_the_changes)
{
	struct model *m = example();
	struct changes c = { 0 };

	want_service(m, "a", "192.0.2.9:80", "four", &c);
	want_service(m, "b", "192.0.2.9:80", "four", &c);
	assert_refused(m, &c, "/services/b/listeners/0", "already used by service \"a\"");
	changes_fini(&c);
	model_free(m);
}
END_TEST

START_TEST(test_listener_moves_between_services)
{
	struct model *m = example();
	struct changes c = { 0 };
	struct listener l = model_service(m, "web")->listeners[0];

	/* swapped: each has what the other had */
	want_service(m, "web", "192.0.2.2:80,2001:db8::2:80", "both", &c);
	want_service(m, "dual", "192.0.2.1:80", "four", &c);
	commit(m, &c);
	ck_assert_ptr_eq(model_listener(m, &l), model_service(m, "dual"));
	/* taken over from one that goes */
	want_service(m, "heir", "192.0.2.1:80", "four", &c);
	want_service(m, "dual", NULL, NULL, &c);
	commit(m, &c);
	ck_assert_ptr_eq(model_listener(m, &l), model_service(m, "heir"));
	model_free(m);
}
END_TEST

START_TEST(test_pool_that_is_missing)
{
	struct model *m = example();
	struct changes c = { 0 };

	want_service(m, "new", "192.0.2.9:80", "fuor", &c);
	assert_refused(m, &c, "/services/new/pool",
		       "service \"new\": pool \"fuor\": no such pool, did you mean \"four\"?");
	changes_fini(&c);
	want_service(m, "new", "192.0.2.9:80", "xxxxxxxx", &c);
	assert_refused(m, &c, "/services/new/pool", "pool \"xxxxxxxx\": no such pool");
	/* it helps to make it in the same change */
	want_pool(m, "xxxxxxxx", "\"10.1.9.9\"", &c);
	commit(m, &c);
	model_free(m);
}
END_TEST

START_TEST(test_pool_without_the_family)
{
	struct model *m = example();
	struct changes c = { 0 };

	want_service(m, "new", "192.0.2.9:80", "six", &c);
	assert_refused(m, &c, "/services/new/pool",
		       "service \"new\": pool \"six\": no IPv4 address, which listener "
		       "192.0.2.9:80/tcp needs");
	changes_fini(&c);
	want_service(m, "web", "192.0.2.1:80,2001:db8::1:80", "four", &c);
	assert_refused(m, &c, "/services/web/pool",
		       "no IPv6 address, which listener [2001:db8::1]:80/tcp needs");
	/* the same change may mend the pool */
	want_pool(m, "four", "\"10.1.0.1\",\"fd00::9\"", &c);
	commit(m, &c);
	model_free(m);
}
END_TEST

START_TEST(test_pool_loses_a_family_that_is_needed)
{
	struct model *m = example();
	struct changes c = { 0 };

	want_pool(m, "both", "\"10.1.0.2\"", &c);
	assert_refused(
		m, &c, "/pools/both/addresses",
		"pool \"both\": no IPv6 address left, which listener [2001:db8::2]:80/tcp of "
		"service \"dual\" needs");
	/* not any more when the service changes as well */
	want_service(m, "dual", "192.0.2.2:80", "both", &c);
	commit(m, &c);

	want_pool(m, "both", "\"fd00::2\"", &c);
	assert_refused(m, &c, "/pools/both/addresses", "no IPv4 address left");
	changes_fini(&c);
	model_free(m);
}
END_TEST

START_TEST(test_pool_that_is_still_used)
{
	struct model *m = example();
	struct changes c = { 0 };
	struct err err = ERR_INIT;

	want_pool(m, "both", NULL, &c);
	assert_refused(m, &c, "/pools/both", "pool \"both\": still used by service \"dual\"");
	ck_assert_int_eq(model_check(m, &c, &err), -EINVAL);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	err_fini(&err);
	/* the last user goes with it */
	want_service(m, "dual", NULL, NULL, &c);
	commit(m, &c);
	/* nobody uses it */
	want_pool(m, "six", NULL, &c);
	commit(m, &c);
	ck_assert_uint_eq(model_n_pools(m), 1);
	/* a user that stays, though changed, reports it itself */
	want_pool(m, "four", NULL, &c);
	want_service(m, "web", "192.0.2.1:81", "four", &c);
	assert_refused(m, &c, "/services/web/pool", "pool \"four\": no such pool");
	changes_fini(&c);
	/* another one that stays as it is */
	want_service(m, "more", "192.0.2.7:80", "four", &c);
	commit(m, &c);
	want_pool(m, "four", NULL, &c);
	want_service(m, "web", NULL, NULL, &c);
	assert_refused(m, &c, "/pools/four", "still used by service \"more\"");
	changes_fini(&c);
	want_pool(m, "four", NULL, &c);
	assert_refused(m, &c, "/pools/four", "and 1 more");
	changes_fini(&c);
	model_free(m);
}
END_TEST

START_TEST(test_number_of_pools)
{
	struct model *m = model_new();
	struct changes c = { 0 };
	char name[32];

	for (int i = 0; i < MODEL_POOLS_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		want_pool(m, name, "\"10.1.0.1\"", &c);
	}
	commit(m, &c);
	want_pool(m, "one-more", "\"10.1.0.1\"", &c);
	assert_refused(m, &c, "/pools", "1025 pools: expected at most 1024");
	want_pool(m, "p7", NULL, &c);
	commit(m, &c);
	ck_assert_uint_eq(model_n_pools(m), MODEL_POOLS_MAX);
	model_free(m);
}
END_TEST

START_TEST(test_several_problems_at_once)
{
	struct model *m = example();
	struct changes c = { 0 };
	struct err err = ERR_INIT;

	want_service(m, "new", "192.0.2.1:80,2001:db8::2:80", "nope", &c);
	want_pool(m, "four", NULL, &c);
	want_pool(m, "both", "\"10.1.0.2\"", &c);
	ck_assert_int_eq(model_check(m, &c, &err), -EINVAL);
	ck_assert_problem(&err, "/services/new/listeners/0", "already used by service \"web\"");
	ck_assert_problem(&err, "/services/new/listeners/1", "already used by service \"dual\"");
	ck_assert_problem(&err, "/services/new/pool", "no such pool");
	ck_assert_problem(&err, "/pools/four", "still used by service \"web\"");
	ck_assert_problem(&err, "/pools/both/addresses", "no IPv6 address left");
	ck_assert_uint_eq(err.n_problems, 5);
	err_fini(&err);
	changes_fini(&c);
	model_free(m);
}
END_TEST

/* ---- a whole document ---- */

START_TEST(test_document_replaces_all)
{
	static const char text[] =
		"{\"pools\":{\"four\":{\"addresses\":[\"10.1.0.1\"]}},\"services\":{"
		"\"web\":{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\","
		"\"port\":80}],\"pool\":\"four\"},"
		"\"new\":{\"listeners\":[{\"address\":\"192.0.2.2\",\"protocol\":\"tcp\","
		"\"port\":80}],\"pool\":\"four\"}}}";
	struct model *m = example();
	struct err err = ERR_INIT;
	struct changes c = { 0 };
	struct config config;

	ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), 0);
	config_changes(&config, m, &c);
	/* web and four stay; new comes; dual, both and six go */
	ck_assert_uint_eq(c.n, 4);
	ck_assert_ptr_null(changes_find(&c, OBJECT_SERVICE, "web"));
	ck_assert_ptr_null(changes_find(&c, OBJECT_SERVICE, "dual")->service.after);
	ck_assert_ptr_null(changes_find(&c, OBJECT_POOL, "six")->pool.after);
	commit(m, &c);
	ck_assert_uint_eq(model_n_services(m), 2);
	ck_assert_uint_eq(model_n_pools(m), 1);
	config_changes(&config, m, &c);
	ck_assert_uint_eq(c.n, 0);
	config_fini(&config);
	/* the empty document empties the model */
	config_changes(&config, m, &c);
	commit(m, &c);
	ck_assert_uint_eq(model_n_services(m) + model_n_pools(m), 0);
	model_free(m);
}
END_TEST

/* A service with those fields and two backends with those limits: who sees to them? */
static enum limit limit_of(const char *more, uint32_t a, uint32_t b)
{
	char *text = mem_printf("{\"pool\":\"lan\",\"listeners\":[{\"address\":\"192.0.2.1\","
				"\"protocol\":\"tcp\",\"port\":80}],\"backends\":{"
				"\"a\":{\"address\":\"10.1.0.2\",\"max_connections\":%u},"
				"\"b\":{\"address\":\"10.1.0.3\",\"max_connections\":%u}}%s}",
				a, b, more);
	const struct service *s = service_of("web", text);
	enum limit limit = service_limit(s);

	ck_assert(service_has_gates(s) == (limit != LIMIT_FAST && a + b > 0));
	service_unref(s);
	free(text);
	return limit;
}

START_TEST(test_limit)
{
	ck_assert_int_eq(limit_of("", 400, 600), LIMIT_EXACT);
	ck_assert_int_eq(limit_of("", 400, 601), LIMIT_FAST);
	ck_assert_int_eq(limit_of(",\"limit\":\"exact\"", 400, 601), LIMIT_EXACT);
	ck_assert_int_eq(limit_of(",\"limit\":\"budget\"", 1, 0), LIMIT_BUDGET);
	ck_assert_int_eq(limit_of(",\"limit\":\"fast\"", 1, 0), LIMIT_FAST);
	ck_assert_int_eq(limit_of(",\"persistence\":{\"timeout_s\":60}", 1, 1), LIMIT_FAST);
	ck_assert_int_eq(limit_of(",\"pins\":{\"198.51.100.7\":\"a\"}", 1, 1), LIMIT_FAST);
	ck_assert_int_eq(limit_of("", 0, 0), LIMIT_EXACT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *tc = tcase_create("changes");

	tcase_add_test(tc, test_lookups);
	tcase_add_test(tc, test_empty_model);
	tcase_add_test(tc, test_want_only_differences);
	tcase_add_test(tc, test_wants_of_one_object_are_merged);
	tcase_add_test(tc, test_wants_are_merged_in_long_lists);
	tcase_add_test(tc, test_document_replaces_all);
	suite_add_tcase(suite, tc);

	tc = tcase_create("rules");
	tcase_add_test(tc, test_listener_of_another_service);
	tcase_add_test(tc, test_listener_twice_within_the_changes);
	tcase_add_test(tc, test_listener_moves_between_services);
	tcase_add_test(tc, test_pool_that_is_missing);
	tcase_add_test(tc, test_pool_without_the_family);
	tcase_add_test(tc, test_pool_loses_a_family_that_is_needed);
	tcase_add_test(tc, test_pool_that_is_still_used);
	tcase_add_test(tc, test_number_of_pools);
	tcase_add_test(tc, test_several_problems_at_once);
	tcase_add_test(tc, test_limit);
	suite_add_tcase(suite, tc);

	return run_suite(suite);
}
