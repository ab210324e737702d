/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conditions on connections: how they are read, what fits; states in words; who listens where.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/listener_map.h"
#include "stats/flow_filter.h"
#include "stats/flow_state.h"
#include "suite.h"

#define NOW_NS 1000000000000ull

static struct flow_end end_of(const char *text)
{
	struct flow_end end;

	ck_assert_int_eq(flow_end_parse(text, &end), 0);
	return end;
}

static struct flow flow_of(uint8_t protocol, const char *client, const char *to, const char *local)
{
	return (struct flow){ .protocol = protocol,
			      .client = end_of(client),
			      .to = end_of(to),
			      .local = end_of(local),
			      .backend = end_of("10.1.0.11:8080") };
}

/* --- endpoints ----------------------------------------------------------------------------- */

static const struct {
	const char *text, *address; /* NULL: refused */
	uint16_t port;
} ends[] = {
	{ "10.1.0.11:8080", "10.1.0.11", 8080 },
	{ "10.1.0.11:65535", "10.1.0.11", 65535 },
	{ "10.1.0.11", "10.1.0.11", 0 },
	{ "fd00:1::11", "fd00:1::11", 0 },
	{ "[fd00:1::11]:80", "fd00:1::11", 80 },
	{ "[fd00:1::11]", "fd00:1::11", 0 },
	{ "fd00::1:80", "fd00::1:80", 0 }, /* an address */
	{ "", NULL, 0 },
	{ ":", NULL, 0 },
	{ ":80", NULL, 0 },
	{ "10.1.0.11:", NULL, 0 },
	{ "10.1.0.11:0", NULL, 0 },
	{ "10.1.0.11:65536", NULL, 0 },
	{ "10.1.0.11:080800", NULL, 0 },
	{ "10.1.0.11:+1", NULL, 0 },
	{ "10.1.0.11: 1", NULL, 0 },
	{ "10.1.0.11:80x", NULL, 0 },
	{ "[10.1.0.11]:80", NULL, 0 },
	{ "[fd00:1::11]80", NULL, 0 },
	{ "[fd00:1::11", NULL, 0 },
	{ "[]:80", NULL, 0 },
	{ "[", NULL, 0 },
	{ "]:80", NULL, 0 },
	{ "[fd00:1::11]:", NULL, 0 },
	{ "fd00:1::11]:80", NULL, 0 },
	{ "localhost:80", NULL, 0 },
	{ "10000000000000000000000000000000000000000000000000000000000000.1.0.11:80", NULL, 0 },
};

START_TEST(test_end)
{
	struct flow_end end = { .port = 7 };
	char address[ADDR_STRLEN];
	int code = flow_end_parse(ends[_i].text, &end);

	if (!ends[_i].address) {
		ck_assert_int_eq(code, -EINVAL);
		ck_assert_uint_eq(end.port, 7);
		return;
	}
	ck_assert_int_eq(code, 0);
	ck_assert_str_eq(addr_format(&end.address, address), ends[_i].address);
	ck_assert_uint_eq(end.port, ends[_i].port);
}
END_TEST

/* --- conditions ---------------------------------------------------------------------------- */

static const struct {
	const char *name, *value;
	int code; /* 1: fits flow_of(tcp, 198.51.100.7:40000, 192.0.2.10:80, 10.1.0.50:40000) */
} conditions[] = {
	{ "protocol", "tcp", 1 },
	{ "protocol", "udp", 0 },
	{ "protocol", "icmp", -EINVAL },
	{ "protocol", "", -EINVAL },
	{ "client", "198.51.100.7", 1 },
	{ "client", "198.51.100.0/24", 1 },
	{ "client", "198.51.100.0-198.51.100.7", 1 },
	{ "client", "198.51.100.8/29", 0 },
	{ "client", "::/0", 0 },
	{ "client", "0.0.0.0/0", 1 },
	{ "client", "198.51.100.7/24", -EINVAL },
	{ "client", "198.51.100.7:40000", -EINVAL },
	{ "client", "", -EINVAL },
	{ "virtual", "192.0.2.10", 1 },
	{ "virtual", "192.0.2.10:80", 1 },
	{ "virtual", "192.0.2.10:81", 0 },
	{ "virtual", "192.0.2.11", 0 },
	{ "virtual", "2001:db8::1", 0 },
	{ "virtual", "192.0.2.0/24", -EINVAL },
	{ "local", "10.1.0.50:40000", 1 },
	{ "local", "10.1.0.51", 0 },
	{ "local", "lan", -EINVAL },
	{ "state", "established", 1 },
	{ "state", "syn_sent,established", 1 },
	{ "state", "syn_sent,time_wait", 0 },
	{ "state", "replied", 0 },
	{ "state", "", -EINVAL },
	{ "state", ",", -EINVAL },
	{ "state", "established,", -EINVAL },
	{ "state", "establishe", -EINVAL },
	{ "state", "establishedd", -EINVAL },
	{ "min_age_s", "100", 1 },
	{ "min_age_s", "101", 0 },
	{ "min_age_s", "0", 1 },
	{ "min_age_s", "", -EINVAL },
	{ "min_age_s", "-1", -EINVAL },
	{ "min_age_s", "99999999999", -EINVAL },
	{ "max_age_s", "100", 1 },
	{ "max_age_s", "99", 0 },
	{ "max_age_s", "1h", -EINVAL },
	{ "service", "web", 1 },
	{ "service", "", -EINVAL },
	{ "backend", "a", 1 },
	{ "backend", "", -EINVAL },
	{ "colour", "red", -ENOENT },
	{ "", "", -ENOENT },
};

START_TEST(test_condition)
{
	struct flow flow =
		flow_of(IPPROTO_TCP, "198.51.100.7:40000", "192.0.2.10:80", "10.1.0.50:40000");
	struct flow_filter f = { .protocol = 0 };
	struct err err = ERR_INIT;
	int code = flow_filter_set(&f, conditions[_i].name, conditions[_i].value, &err);

	flow.state = 3;
	flow.start_ns = NOW_NS - 100500000000ull;
	if (conditions[_i].code < 0) {
		ck_assert_int_eq(code, conditions[_i].code);
		ck_assert_int_eq(err_any(&err), code == -EINVAL);
		ck_assert(code == -ENOENT || strstr(err_text(&err), conditions[_i].name));
	} else {
		ck_assert_int_eq(code, 0);
		ck_assert_int_eq(flow_filter_fits(&f, &flow, NOW_NS), conditions[_i].code);
	}
	err_fini(&err);
}
END_TEST

START_TEST(test_age_not_known)
{
	struct flow flow =
		flow_of(IPPROTO_UDP, "198.51.100.7:40000", "192.0.2.10:80", "10.1.0.50:40000");
	struct flow_filter f = { .has_min_age = true };

	ck_assert_int_eq(flow_age_s(&flow, NOW_NS), -1);
	ck_assert(!flow_filter_fits(&f, &flow, NOW_NS));
	f = (struct flow_filter){ .has_max_age = true, .max_age_s = 1000000 };
	ck_assert(!flow_filter_fits(&f, &flow, NOW_NS));
	flow.start_ns = NOW_NS + 5; /* the clock was set back */
	ck_assert_int_eq(flow_age_s(&flow, NOW_NS), 0);
}
END_TEST

START_TEST(test_too_many_states)
{
	char value[40 * 6] = "close";
	struct flow_filter f = { .protocol = 0 };
	struct err err = ERR_INIT;

	for (int i = 0; i < 33; i++)
		strcat(value, ",close");
	ck_assert_int_eq(flow_filter_set(&f, "state", value, &err), -EINVAL);
	err_fini(&err);
}
END_TEST

START_TEST(test_states)
{
	struct flow flow = { .protocol = IPPROTO_TCP, .state = 7 };
	const char *word;
	size_t n = 0;

	ck_assert_str_eq(flow_state_name(&flow), "time_wait");
	flow.state = 200;
	ck_assert_str_eq(flow_state_name(&flow), "none");
	flow.protocol = IPPROTO_SCTP;
	flow.state = 4;
	ck_assert_str_eq(flow_state_name(&flow), "established");
	flow.protocol = IPPROTO_UDP;
	ck_assert_str_eq(flow_state_name(&flow), "unreplied");
	flow.status = FLOW_SEEN_REPLY;
	ck_assert_str_eq(flow_state_name(&flow), "replied");
	for (; (word = flow_state_word(n)); n++)
		ck_assert_uint_gt(strlen(word), 0);
	ck_assert_uint_eq(n, 22);
}
END_TEST

/* --- who listens where --------------------------------------------------------------------- */

static struct listener listener_of(const char *address, uint16_t port)
{
	return (struct listener){ .address = end_of(address).address,
				  .port = port,
				  .protocol = IPPROTO_TCP };
}

START_TEST(test_listener_map)
{
	struct listener of_web[] = { listener_of("192.0.2.10", 80),
				     listener_of("2001:db8::1", 80) };
	struct listener of_api[] = { listener_of("192.0.2.9", 443) };
	char name_a[] = "a", name_b[] = "b", name_web[] = "web", name_api[] = "api", pool[] = "lan";
	struct backend backends[] = {
		{ .name = name_a, .address = end_of("10.1.0.11").address, .port = 8080 },
		{ .name = name_b, .address = end_of("10.1.0.12").address },
	};
	const struct service *web = service_new(&(struct service){ .name = name_web,
								   .pool = pool,
								   .scheduler = "rr",
								   .listeners = of_web,
								   .n_listeners = 2,
								   .backends = backends,
								   .n_backends = 2 });
	const struct service *api = service_new(&(struct service){ .name = name_api,
								   .pool = pool,
								   .scheduler = "rr",
								   .listeners = of_api,
								   .n_listeners = 1 });
	struct changes changes = { 0 };
	struct model *m = model_new();
	struct listener_map *all, *one;

	model_want_service(m, "web", web, &changes);
	model_want_service(m, "api", api, &changes);
	model_apply(m, &changes);
	all = listener_map_of_model(m);
	one = listener_map_of_service(web);
	changes_fini(&changes);
	model_free(m); /* the snapshot stays */
	listener_map_sort(all);
	listener_map_sort(one);
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_eq(listener_map_find(all, &of_web[i]), web);
		ck_assert_ptr_eq(listener_map_find(one, &of_web[i]), web);
	}
	ck_assert_ptr_eq(listener_map_find(all, &of_api[0]), api);
	ck_assert_ptr_null(listener_map_find(one, &of_api[0]));
	of_api[0].port++;
	ck_assert_ptr_null(listener_map_find(all, &of_api[0]));

	ck_assert_str_eq(service_backend_at(web, 80, &backends[0].address, 8080)->name, "a");
	ck_assert_str_eq(service_backend_at(web, 80, &backends[1].address, 80)->name, "b");
	ck_assert_ptr_null(service_backend_at(web, 80, &backends[0].address, 80));
	ck_assert_ptr_null(service_backend_at(web, 81, &backends[1].address, 80));
	listener_map_free(all);
	listener_map_free(one);
	service_unref(web);
	service_unref(api);
}
END_TEST

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *s = suite_create("flow_filter");
	TCase *tc = tcase_create("filter");

	tcase_add_loop_test(tc, test_end, 0, N(ends));
	tcase_add_loop_test(tc, test_condition, 0, N(conditions));
	tcase_add_test(tc, test_age_not_known);
	tcase_add_test(tc, test_too_many_states);
	tcase_add_test(tc, test_states);
	tcase_add_test(tc, test_listener_map);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
