/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keeps its numbers while the configuration changes, and is followed later than the model. */
#include <check.h>

#include "stats_fixture.h"

#define A_PORT80  "\"a\":{\"address\":\"10.1.0.11\",\"port\":80}"
#define A_NO_PORT "\"a\":{\"address\":\"10.1.0.11\"}"

static uint64_t at = 1000 * S;

static void list(const struct flow *f)
{
	stats_list_begin(w.s);
	if (f)
		feed(f);
	stats_list_end(w.s, w.m, at += 2 * S, false);
}

/* Until rates are zero, too. */
static void rest(void)
{
	for (int i = 0; i < 80; i++)
		list(NULL);
}

static uint64_t conns_of_listener(void)
{
	const struct listener l = { .address = end_of("192.0.2.10", 0).address,
				    .port = 80,
				    .protocol = IPPROTO_TCP };

	return stats_of_listener(w.s, &l).shown[SUM_CONNS];
}

static uint64_t conns_of_a(void)
{
	return stats_of_backend(w.s, "web", world_backend(&w, "web", "a")).shown[SUM_CONNS];
}

/* The service with other backends; in the model at once. */
static void change_model(const char *backends, struct changes *c)
{
	char text[512];
	const struct service *s;

	snprintf(text, sizeof(text), WEB_OF(L80, "%s"), backends);
	s = service_of("web", text);
	model_want_service(w.m, "web", s, c);
	service_unref(s);
	model_apply(w.m, c);
}

/* As engine/progress.c does with requests that went together. */
START_TEST(test_a_change_is_followed_when_the_model_has_the_next_one)
{
	const struct flow f = make_flow(FLOW_DESTROY, 3, 100);
	struct changes first = { 0 }, second = { 0 };

	feed(&f);
	rest();
	change_model(BA, &first);
	change_model(BB, &second);
	stats_apply(w.s, w.m, &first.items[0]);
	stats_apply(w.s, w.m, &second.items[0]);
	changes_fini(&first);
	changes_fini(&second);
	ck_assert_uint_eq(conns_of_listener(), 1);
}
END_TEST

START_TEST(test_a_listing_ends_when_the_model_has_what_is_not_followed_yet)
{
	const struct flow f = make_flow(FLOW_DESTROY, 3, 100);
	struct changes c = { 0 };

	feed(&f);
	change_model(BA, &c);
	rest();
	stats_apply(w.s, w.m, &c.items[0]);
	changes_fini(&c);
	ck_assert_uint_eq(conns_of_listener(), 1);
}
END_TEST

START_TEST(test_a_backend_whose_port_is_the_listeners)
{
	struct flow f = make_flow(FLOW_DESTROY, 3, 100);

	f.backend.port = 80;
	world_service(&w, "web", WEB_OF(L80, A_PORT80));
	feed(&f);
	rest();
	ck_assert_uint_eq(conns_of_a(), 1);
	world_service(&w, "web", WEB_OF(L80, A_NO_PORT));
	feed(&f);
	rest();
	ck_assert_uint_eq(conns_of_a(), 2);
	/* Back, while a connection lives. */
	f.kind = FLOW_LISTED;
	list(&f);
	world_service(&w, "web", WEB_OF(L80, A_PORT80));
	list(&f);
	ck_assert_uint_eq(conns_of_a(), 1);
	/* And again, with what counted apart so far. */
	world_service(&w, "web", WEB_OF(L80, A_NO_PORT));
	list(&f);
	ck_assert_uint_eq(stats_live(w.s, "web", world_backend(&w, "web", "a")).open, 1);
	ck_assert_uint_eq(stats_self(w.s).n_rows, 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats rows");
	TCase *t = tcase_create("stats rows");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_a_change_is_followed_when_the_model_has_the_next_one);
	tcase_add_test(t, test_a_listing_ends_when_the_model_has_what_is_not_followed_yet);
	tcase_add_test(t, test_a_backend_whose_port_is_the_listeners);
	suite_add_tcase(s, t);
	return run_suite(s);
}
