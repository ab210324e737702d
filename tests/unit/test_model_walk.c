/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model beside a plain one, at random. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "model_testing.h"
#include "walk.h"

/*
 * The plain model: an array of services and pools by number. Services 0-11 may have one or two of
 * 12 listeners, 6 of each family, and use one of 5 pools; a pool has no, IPv4, IPv6 or both kinds
 * of addresses. check() is the rules, written down directly.
 */
enum { SERVICES = 12, LISTENERS = 12, POOLS = 5 };

struct plain {
	struct {
		bool is_there;
		int listeners[2]; /* -1: none */
		int pool;
	} services[SERVICES];
	int pools[POOLS]; /* 0: none; 1: IPv4; 2: IPv6; 3: both */
};

static int family_bit(int listener)
{
	return listener < LISTENERS / 2 ? 1 : 2;
}

static bool plain_check(const struct plain *p)
{
	int owner[LISTENERS];

	for (int l = 0; l < LISTENERS; l++)
		owner[l] = -1;
	for (int s = 0; s < SERVICES; s++) {
		for (int i = 0; i < 2 && p->services[s].is_there; i++) {
			int l = p->services[s].listeners[i];

			if (l < 0)
				continue;
			if (owner[l] >= 0 || !(p->pools[p->services[s].pool] & family_bit(l)))
				return false;
			owner[l] = s;
		}
	}
	return true;
}

static void plain_want_service(const struct plain *p, int s, const struct model *m,
			       struct changes *c)
{
	char name[16], pool[16], listeners[128] = "";
	size_t n = 0;

	snprintf(name, sizeof(name), "s%d", s);
	snprintf(pool, sizeof(pool), "p%d", p->services[s].pool);
	for (int i = 0; i < 2; i++) {
		int l = p->services[s].listeners[i];

		if (l >= 0)
			n += (size_t)snprintf(
				listeners + n, sizeof(listeners) - n, "%s%s%d:80", n ? "," : "",
				family_bit(l) == 1 ? "192.0.2." : "2001:db8::", l + 1);
	}
	want_service(m, name, p->services[s].is_there ? listeners : NULL, pool, c);
}

static void plain_want_pool(const struct plain *p, int i, const struct model *m, struct changes *c)
{
	static const char *const addresses[] = { NULL, "\"10.1.0.1\"", "\"fd00::1\"",
						 "\"10.1.0.1\",\"fd00::1\"" };
	char name[16];

	snprintf(name, sizeof(name), "p%d", i);
	want_pool(m, name, addresses[p->pools[i]], c);
}

static void plain_step(struct plain *p, const struct model *m, struct changes *c)
{
	if (random() % 4 == 0) {
		int i = (int)(random() % POOLS);

		p->pools[i] = (int)(random() % 4);
		plain_want_pool(p, i, m, c);
	} else {
		int s = (int)(random() % SERVICES);
		int first = (int)(random() % LISTENERS), second = (int)(random() % LISTENERS);

		p->services[s].is_there = random() % 4 != 0;
		p->services[s].pool = (int)(random() % POOLS);
		p->services[s].listeners[0] = first;
		p->services[s].listeners[1] = random() % 2 || first == second ? -1 : second;
		plain_want_service(p, s, m, c);
	}
}

static void assert_same(const struct plain *p, const struct model *m)
{
	struct changes c = { 0 };
	size_t n_services = 0, n_pools = 0;

	for (int s = 0; s < SERVICES; s++) {
		n_services += p->services[s].is_there;
		plain_want_service(p, s, m, &c);
	}
	for (int i = 0; i < POOLS; i++) {
		n_pools += p->pools[i] != 0;
		plain_want_pool(p, i, m, &c);
	}
	ck_assert_uint_eq(c.n, 0);
	ck_assert_uint_eq(model_n_services(m), n_services);
	ck_assert_uint_eq(model_n_pools(m), n_pools);
	for (int l = 0; l < LISTENERS; l++) {
		const struct service *owner = NULL, *probe;
		char text[64], name[16];

		for (int s = 0; s < SERVICES; s++) {
			snprintf(name, sizeof(name), "s%d", s);
			if (p->services[s].is_there &&
			    (p->services[s].listeners[0] == l || p->services[s].listeners[1] == l))
				owner = model_service(m, name);
		}
		snprintf(text, sizeof(text), "%s%d:80",
			 family_bit(l) == 1 ? "192.0.2." : "2001:db8::", l + 1);
		probe = make_service("probe", text, "p");
		ck_assert_ptr_eq(model_listener(m, &probe->listeners[0]), owner);
		service_unref(probe);
	}
	changes_fini(&c);
}

START_TEST(test_random_walk)
{
	struct model *m = model_new();
	struct plain now = { 0 };
	size_t n_accepted = 0, n_refused = 0;

	srandom(4711 + (unsigned int)_i);
	for (int round = 0; round < 4000; round++) {
		struct plain then = now;
		struct changes c = { 0 };
		struct err err = ERR_INIT;
		bool is_fine;

		for (long n = random() % 24 == 0 ? 30 : random() % 4; n >= 0; n--)
			plain_step(&then, m, &c);
		is_fine = plain_check(&then);
		ck_assert_msg((model_check(m, &c, &err) == 0) == is_fine, "round %d:%s", round,
			      problems_text(&err));
		ck_assert(err_any(&err) == !is_fine);
		if (is_fine) {
			model_apply(m, &c);
			assert_same(&then, m);
			if (random() % 3 == 0) {
				model_revert(m, &c);
				assert_same(&now, m);
			} else {
				now = then;
			}
			n_accepted++;
		} else {
			assert_same(&now, m);
			n_refused++;
		}
		err_fini(&err);
		changes_fini(&c);
	}
	ck_assert_uint_gt(n_accepted, 100);
	ck_assert_uint_gt(n_refused, 100);
	model_free(m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model_walk");
	TCase *tc = tcase_create("walk");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_random_walk, 0, WALKS(3));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
