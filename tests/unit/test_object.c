/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services and pools as values: names, order, equality, references. */
#include <check.h>
#include <pthread.h>

#include "model_testing.h"

START_TEST(test_protocols_and_schedulers)
{
	static const char *const names[] = { "tcp", "udp", "sctp" };

	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(protocol_name(protocol_parse(names[i])), names[i]);
	ck_assert_uint_eq(protocol_parse("tcp"), IPPROTO_TCP);
	ck_assert_uint_eq(protocol_parse("TCP"), 0);
	ck_assert_ptr_null(protocol_name(IPPROTO_ICMP));
	ck_assert_ptr_nonnull(scheduler_canonical(SCHEDULER_DEFAULT));
	ck_assert_ptr_null(scheduler_canonical("lblc"));
	for (size_t i = 0; scheduler_name(i); i++)
		ck_assert_ptr_eq(scheduler_canonical(scheduler_name(i)), scheduler_name(i));
}
END_TEST

START_TEST(test_listener_order_and_text)
{
	const struct service *s =
		make_service("s", "9.0.0.1:80,10.0.0.1:79,10.0.0.1:80,2001:db8::1:65535", "p");
	char buf[LISTENER_STRLEN];
	struct listener udp;

	for (size_t i = 1; i < s->n_listeners; i++)
		ck_assert_int_lt(listener_cmp(&s->listeners[i - 1], &s->listeners[i]), 0);
	udp = s->listeners[1];
	udp.protocol = IPPROTO_UDP;
	udp.port = 1;
	ck_assert_int_gt(listener_cmp(&udp, &s->listeners[2]), 0); /* protocol before port */
	ck_assert_str_eq(listener_format(&s->listeners[0], buf), "9.0.0.1:80/tcp");
	ck_assert_str_eq(listener_format(&s->listeners[3], buf), "[2001:db8::1]:65535/tcp");
	ck_assert(service_listens_on(s, AF_INET) && service_listens_on(s, AF_INET6));
	service_unref(s);
}
END_TEST

START_TEST(test_pool_addresses_are_numbered_in_order)
{
	const struct pool *p = make_pool("p", "\"fd00::10-fd00::12\",\"10.0.0.8-10.0.0.9\","
					      "\"10.0.0.1\",\"fd00::1\",\"10.0.1.0/30\"");
	static const char *const four[] = { "10.0.0.8", "10.0.0.9", "10.0.0.1", "10.0.1.0",
					    "10.0.1.1", "10.0.1.2", "10.0.1.3" };
	static const char *const six[] = { "fd00::10", "fd00::11", "fd00::12", "fd00::1" };
	char buf[ADDR_STRLEN];

	ck_assert_uint_eq(p->n4, 7);
	ck_assert_uint_eq(p->n6, 4);
	for (uint32_t i = 0; i < p->n4; i++) {
		struct addr a = pool_address(p, AF_INET, i);

		ck_assert_str_eq(addr_format(&a, buf), four[i]);
	}
	for (uint32_t i = 0; i < p->n6; i++) {
		struct addr a = pool_address(p, AF_INET6, i);

		ck_assert_str_eq(addr_format(&a, buf), six[i]);
	}
	pool_unref(p);
}
END_TEST

static const char *const variants[] = {
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.2\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"udp\",\"port\":80}],"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":81}],"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"wan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"lan\"}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"lan\",\"backends\":{\"b\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.2\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\"}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80,\"weight\":2}}"
	"}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"scheduler\":\"sh\","
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"hash\":{\"key\":\"source_port\"},"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"hash\":{\"prefix4\":24},"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"hash\":{\"prefix6\":64},"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"hash\":{\"table_size\":251},"
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
	"{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],"
	"\"on_unavailable\":\"drop\","
	"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.1\",\"port\":80}}}",
};

START_TEST(test_service_equal_sees_every_field)
{
	const size_t n = sizeof(variants) / sizeof(variants[0]);
	const struct service *other = service_of("y", variants[0]);

	for (size_t i = 0; i < n; i++) {
		const struct service *a = service_of("x", variants[i]);

		for (size_t j = 0; j < n; j++) {
			const struct service *b = service_of("x", variants[j]);

			ck_assert_msg(service_equal(a, b) == (i == j), "%zu %zu", i, j);
			service_unref(b);
		}
		ck_assert(!service_equal(a, other));
		service_unref(a);
	}
	service_unref(other);
}
END_TEST

START_TEST(test_pool_equal)
{
	const struct pool *a = make_pool("p", "\"10.0.0.0/30\""), *b, *c, *d;

	b = make_pool("p", "\"10.0.0.0-10.0.0.3\"");
	c = make_pool("p", "\"10.0.0.0-10.0.0.2\"");
	d = make_pool("q", "\"10.0.0.0/30\"");
	ck_assert(pool_equal(a, a) && pool_equal(a, b));
	ck_assert(!pool_equal(a, c) && !pool_equal(a, d));
	pool_unref(a);
	pool_unref(b);
	pool_unref(c);
	pool_unref(d);
}
END_TEST

static void *ref_cb(void *arg)
{
	for (int i = 0; i < 100000; i++) {
		service_ref(arg);
		service_unref(arg);
	}
	service_unref(arg);
	return NULL;
}

START_TEST(test_references_from_threads)
{
	const struct service *s = make_service("s", "192.0.2.1:80", "p");
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, ref_cb, (void *)service_ref(s));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(s->refs, 1);
	service_unref(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object");
	TCase *tc = tcase_create("values");

	tcase_add_test(tc, test_protocols_and_schedulers);
	tcase_add_test(tc, test_listener_order_and_text);
	tcase_add_test(tc, test_pool_addresses_are_numbered_in_order);
	tcase_add_test(tc, test_service_equal_sees_every_field);
	tcase_add_test(tc, test_pool_equal);
	tcase_add_test(tc, test_references_from_threads);
	suite_add_tcase(suite, tc);

	return run_suite(suite);
}
