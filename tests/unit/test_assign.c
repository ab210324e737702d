/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses go where, and what is said of them on the link. */
#include "kernel/address.h"
#include "kernel/announce.h"
#include "kernel/assign_set.h"
#include "model_testing.h"

static const struct service *listens(const char *name, const char *listeners)
{
	char *text = mem_printf("{\"listeners\":[%s],\"pool\":\"p\"}", listeners);
	const struct service *s = service_of(name, text);

	free(text);
	return s;
}

#define L(address, port, interface)                                                                \
	"{\"address\":\"" address "\",\"protocol\":\"tcp\",\"port\":" #port interface "}"
#define ON(interface) ",\"interface\":\"" interface "\""

static struct change service_change(const struct service *before, const struct service *after)
{
	return (struct change){ .object = OBJECT_SERVICE, .service = { before, after } };
}

/* "192.0.2.1 eth0 192.0.2.2 eth1", sorted, of what is wanted and not there. */
struct text {
	char items[16][ADDR_STRLEN + INTERFACE_NAME_BYTES];
	size_t n;
};

static void collect(const struct addr *a, const char *ifname, void *arg)
{
	struct text *t = arg;
	char text[ADDR_STRLEN];

	ck_assert_uint_lt(t->n, 16);
	snprintf(t->items[t->n++], sizeof(t->items[0]), "%s %s", addr_format(a, text), ifname);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void missing_is(const struct assign_set *set, const char *expected)
{
	struct text t = { .n = 0 };
	char all[1024] = "";

	assign_missing(set, collect, &t);
	qsort(t.items, t.n, sizeof(t.items[0]), by_text);
	for (size_t i = 0; i < t.n; i++) {
		strcat(all, i ? ", " : "");
		strcat(all, t.items[i]);
	}
	ck_assert_str_eq(all, expected);
}

START_TEST(test_last_user_takes_it_away)
{
	const struct service *web =
		listens("web", L("192.0.2.1", 80, ON("eth0")) "," L("192.0.2.1", 443, ON("eth0")));
	const struct service *dns = listens("dns", L("192.0.2.1", 53, ON("eth0")));
	struct change add_web = service_change(NULL, web), add_dns = service_change(NULL, dns);
	struct change del_web = service_change(web, NULL), del_dns = service_change(dns, NULL);
	struct assign_set set = { 0 };

	ck_assert(assign_concerns(&add_web) && assign_concerns(&del_web));
	assign_change(&set, &add_web);
	assign_change(&set, &add_dns);
	missing_is(&set, "192.0.2.1 eth0");
	assign_change(&set, &del_web);
	missing_is(&set, "192.0.2.1 eth0");
	assign_change(&set, &del_dns);
	missing_is(&set, "");
	service_unref(web);
	service_unref(dns);
	assign_set_fini(&set);
}
END_TEST

START_TEST(test_change_moves_it)
{
	const struct service *a =
		listens("web", L("192.0.2.1", 80, ON("eth0")) "," L("2001:db8::1", 80, ON("eth1")));
	const struct service *b =
		listens("web", L("192.0.2.1", 80, ON("eth1")) "," L("2001:db8::1", 80, ""));
	const struct service *c = listens("web", L("192.0.2.1", 80, ""));
	struct change first = service_change(NULL, a), second = service_change(a, b);
	struct change third = service_change(b, c), fourth = service_change(c, c);
	struct assign_set set = { 0 };

	assign_change(&set, &first);
	missing_is(&set, "192.0.2.1 eth0, 2001:db8::1 eth1");
	assign_change(&set, &second);
	missing_is(&set, "192.0.2.1 eth1");
	assign_change(&set, &third);
	missing_is(&set, "");
	ck_assert(!assign_concerns(&fourth));
	service_unref(a);
	service_unref(b);
	service_unref(c);
	assign_set_fini(&set);
}
END_TEST

START_TEST(test_pool)
{
	const struct pool *p = pool_of(
		"lan", "{\"addresses\":[\"10.1.0.1-10.1.0.3\",\"fd00::1\"],\"interface\":\"br0\"}");
	struct change add = { .object = OBJECT_POOL, .pool = { NULL, p } };
	struct change del = { .object = OBJECT_POOL, .pool = { p, NULL } };
	struct assign_set set = { 0 };

	ck_assert(assign_concerns(&add));
	assign_change(&set, &add);
	missing_is(&set, "10.1.0.1 br0, 10.1.0.2 br0, 10.1.0.3 br0, fd00::1 br0");
	assign_change(&set, &del);
	missing_is(&set, "");
	pool_unref(p);
	assign_set_fini(&set);
}
END_TEST

START_TEST(test_only_our_own_is_removed)
{
	const struct service *s = listens("web", L("192.0.2.1", 80, ON("eth0")));
	struct change add = service_change(NULL, s);
	struct assign_set set = { 0 };
	struct addr wanted, other;

	ck_assert_int_eq(addr_parse("192.0.2.1", &wanted), 0);
	ck_assert_int_eq(addr_parse("192.0.2.2", &other), 0);
	assign_change(&set, &add);
	assign_begin(&set);
	ck_assert_int_eq(assign_see(&set, &other, "eth0", false), ASSIGN_LEAVE);
	ck_assert_int_eq(assign_see(&set, &other, "eth0", true), ASSIGN_REMOVE);
	ck_assert_int_eq(assign_see(&set, &wanted, "eth1", true), ASSIGN_REMOVE);
	missing_is(&set, "192.0.2.1 eth0");
	ck_assert_int_eq(assign_see(&set, &wanted, "eth0", false), ASSIGN_LEAVE);
	missing_is(&set, "");
	assign_begin(&set);
	missing_is(&set, "192.0.2.1 eth0");
	service_unref(s);
	assign_set_fini(&set);
}
END_TEST

START_TEST(test_names_of_interfaces)
{
	static const char *const bad[] = {
		"\"\"",        "\"a/b\"", "\"a b\"",    "\"a:1\"",
		"\".\"",       "\"..\"",  "1",          "\"sixteen-letters0\"",
		"\"\\u00e9\"", "null",    "\"\\u0001\""
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *text = mem_printf("{\"addresses\":[\"10.1.0.1\"],\"interface\":%s}", bad[i]);
		json_t *value = json_of(text);

		ck_assert_msg(!pool_from_json(value, "lan", "/pools/lan", &err), "%s", text);
		ck_assert_msg(strstr(err_text(&err), "pool \"lan\": interface") != NULL, "%s",
			      err_text(&err));
		ck_assert_str_eq(err.problems[0].pointer, "/pools/lan/interface");
		err_reset(&err);
		json_decref(value);
		free(text);
	}
	err_fini(&err);
}
END_TEST

START_TEST(test_json_keeps_them)
{
	const struct service *s =
		listens("web", L("192.0.2.1", 80, ON("eth0")) "," L("192.0.2.2", 80, "") "," L(
				       "192.0.2.3", 80, ON("eth0.5")));
	json_t *value = service_to_json(s);
	struct err err = ERR_INIT;
	const struct service *again = service_from_json(value, "web", "", &err);
	const struct service *other =
		listens("web", L("192.0.2.1", 80, ON("eth1")) "," L("192.0.2.2", 80, "") "," L(
				       "192.0.2.3", 80, ON("eth0.5")));

	ck_assert(service_equal(s, again) && !service_equal(s, other));
	ck_assert_str_eq(service_interface(again, &again->listeners[2]), "eth0.5");
	ck_assert_ptr_null(service_interface(again, &again->listeners[1]));
	json_decref(value);
	service_unref(s);
	service_unref(again);
	service_unref(other);
	err_fini(&err);
}
END_TEST

START_TEST(test_too_many_interfaces)
{
	char *text = mem_strdup("{\"pool\":\"p\",\"listeners\":["), *longer;
	struct err err = ERR_INIT;
	json_t *value;

	for (int i = 0; i < 256; i++) {
		longer = mem_printf(
			"%s%s{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":%d,"
			"\"interface\":\"e%d\"}",
			text, i ? "," : "", i + 1, i);
		free(text);
		text = longer;
	}
	longer = mem_printf("%s]}", text);
	value = json_of(longer);
	ck_assert_ptr_null(service_from_json(value, "web", "", &err));
	ck_assert_ptr_nonnull(strstr(err_text(&err), "more than 255 different interfaces"));
	json_decref(value);
	free(longer);
	free(text);
	err_fini(&err);
}
END_TEST

START_TEST(test_arp)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	static const uint8_t expected[] = { 0,   1, 8, 0,  6, 4, 0, 1, 2, 0, 0,   0, 0, 9,
					    192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10 };
	uint8_t packet[ANNOUNCE_BYTES_MAX];
	struct addr a;

	ck_assert_int_eq(addr_parse("192.0.2.10", &a), 0);
	ck_assert_uint_eq(announce_packet(&a, mac, packet), sizeof(expected));
	ck_assert_mem_eq(packet, expected, sizeof(expected));
}
END_TEST

START_TEST(test_networks)
{
	struct addr a, b;

	addr_parse("10.1.2.3", &a);
	addr_parse("10.1.3.4", &b);
	ck_assert(address_shares(&a, &b, 16) && address_shares(&a, &b, 23));
	ck_assert(!address_shares(&a, &b, 24) && !address_shares(&a, &b, 32));
	ck_assert(address_shares(&a, &a, 32) && address_shares(&a, &b, 0));
	addr_parse("fd00::1", &b);
	ck_assert(!address_shares(&a, &b, 0));
	ck_assert(address_shares(&b, &b, 128));
}
END_TEST

START_TEST(test_protocols_of_tables)
{
	ck_assert_uint_eq(address_protocol("fnat"), 250);
	ck_assert_uint_ne(address_protocol("blue"), 250);
	ck_assert_uint_ge(address_protocol("blue"), 200);
	ck_assert_uint_eq(address_protocol("blue"), address_protocol("blue"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("assign");
	TCase *set = tcase_create("set"), *link = tcase_create("link"),
	      *json = tcase_create("json");

	tcase_add_test(set, test_last_user_takes_it_away);
	tcase_add_test(set, test_change_moves_it);
	tcase_add_test(set, test_pool);
	tcase_add_test(set, test_only_our_own_is_removed);
	suite_add_tcase(s, set);
	tcase_add_test(json, test_names_of_interfaces);
	tcase_add_test(json, test_json_keeps_them);
	tcase_add_test(json, test_too_many_interfaces);
	suite_add_tcase(s, json);
	tcase_add_test(link, test_arp);
	tcase_add_test(link, test_networks);
	tcase_add_test(link, test_protocols_of_tables);
	suite_add_tcase(s, link);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
