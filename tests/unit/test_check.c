/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of a service: every field with good and bad values, and the way to JSON and back.
 */
#include "check_testing.h"
#include "health/probe.h"

static const char *const good[] = {
	"{\"type\":\"none\"}",
	"{\"type\":\"icmp\"}",
	"{\"type\":\"none\",\"observe\":\"connections\",\"observe_failures\":1,\"observe_udp\":"
	"true}",
	"{\"type\":\"tcp\",\"inhibit_s\":1,\"inhibit_max_s\":86400}",
	"{\"type\":\"udp\"}",
	"{\"type\":\"udp\",\"payload\":\"ping\",\"expect_hex\":\"00fF\",\"reply_required\":false}",
	"{\"type\":\"udp\",\"payload_hex\":\"\",\"expect\":\"pong\"}",
	"{\"type\":\"dns\"}",
	"{\"type\":\"dns\",\"name\":\"www.example.\",\"record\":\"A\",\"expect\":\"10.0.0.1\"}",
	"{\"type\":\"dns\",\"name\":\"x\",\"rcode\":\"nxdomain\"}",
	"{\"type\":\"exec\",\"program\":\"check.sh\"}",
	"{\"type\":\"exec\",\"program\":\"x\",\"args\":[\"\",\"-a b\"],\"dynamic_weight\":true}",
	"{\"type\":\"grpc\"}",
	"{\"type\":\"grpc\",\"grpc_service\":\"shop.Cart\"}",
	"{\"type\":\"grpcs\",\"verify\":\"full\",\"sni\":\"a.example\"}",
	"{\"type\":\"smtp\"}",
	"{\"type\":\"smtp\",\"hostname\":\"lb-1.example\"}",
	"{\"type\":\"agent\"}",
	"{\"type\":\"agent\",\"port\":9777,\"send\":\"web/b1\\n\"}",
	"{\"type\":\"tcp\"}",
	"{\"type\":\"tcp\",\"interval_ms\":10,\"fast_interval_ms\":86400000,\"timeout_ms\":"
	"3600000}",
	"{\"type\":\"tcp\",\"rise\":1000,\"fall\":1,\"initial\":\"down\",\"jitter_percent\":0}",
	"{\"type\":\"tcp\",\"port\":65535,\"address\":\"10.0.0.1\",\"source\":\"fd00::1\"}",
};

START_TEST(accepted_and_kept)
{
	ck_assert_check_kept(good[_i]);
}
END_TEST

static const struct bad_check bad[] = {
	{ "7", "", "expected an object" },
	{ "{}", "/type", "required, but missing" },
	{ "{\"type\":\"icpm\"}", "/type", "expected one of \"none\", \"tcp\"" },
	{ "{\"type\":1}", "/type", "expected one of" },
	{ "{\"type\":\"tcp\",\"payload_hex\":\"x\"}", "/payload_hex",
	  "only checks of type udp have it, not tcp" },
	{ "{\"type\":\"udp\",\"payload\":\"a\",\"payload_hex\":\"00\"}", "/payload_hex",
	  "there is payload, too" },
	{ "{\"type\":\"udp\",\"payload_hex\":\"0\"}", "/payload_hex",
	  "pairs of hexadecimal digits" },
	{ "{\"type\":\"udp\",\"payload_hex\":\"0x00\"}", "/payload_hex",
	  "pairs of hexadecimal digits" },
	{ "{\"type\":\"udp\",\"expect\":\"\"}", "/expect", "at least 1 character" },
	{ "{\"type\":\"udp\",\"reply_required\":1}", "/reply_required", "true or false" },
	{ "{\"type\":\"dns\",\"name\":\"a..b\"}", "/name", "not a domain name" },
	{ "{\"type\":\"dns\",\"name\":\".a\"}", "/name", "not a domain name" },
	{ "{\"type\":\"dns\",\"record\":\"ANY\"}", "/record", "\"SOA\", \"A\"" },
	{ "{\"type\":\"dns\",\"rcode\":\"any\",\"expect\":\"x\"}", "/expect",
	  "need not be an answer" },
	{ "{\"type\":\"tcp\",\"observe\":true}", "/observe", "\"off\" or \"connections\"" },
	{ "{\"type\":\"tcp\",\"inhibit_s\":0}", "/inhibit_s", "from 1 to 86400" },
	{ "{\"type\":\"tcp\",\"flap_count\":1001}", "/flap_count", "from 0 to 1000" },
	{ "{\"type\":\"tcp\",\"flap_window_s\":0}", "/flap_window_s", "from 1 to 86400" },
	{ "{\"type\":\"tcp\",\"observe_failures\":0}", "/observe_failures", "from 1 to 1000" },
	{ "{\"type\":\"exec\"}", "/program", "required, but missing" },
	{ "{\"type\":\"exec\",\"program\":\"../sh\"}", "/program", "the name of a file" },
	{ "{\"type\":\"exec\",\"program\":\"/bin/sh\"}", "/program", "the name of a file" },
	{ "{\"type\":\"exec\",\"program\":\".x\"}", "/program", "the name of a file" },
	{ "{\"type\":\"exec\",\"program\":\"\"}", "/program", "at least 1 character" },
	{ "{\"type\":\"exec\",\"program\":\"x\",\"args\":\"-a\"}", "/args", "an array of strings" },
	{ "{\"type\":\"exec\",\"program\":\"x\",\"args\":[1]}", "/args/0", "expected a string" },
	{ "{\"type\":\"grpc\",\"grpc_service\":1}", "/grpc_service", "expected a string" },
	{ "{\"type\":\"grpc\",\"sni\":\"a.example\"}", "/sni",
	  "only checks of type https, tls, grpcs have it" },
	{ "{\"type\":\"grpcs\",\"sni\":\"a b\"}", "/sni", "expected a host name" },
	{ "{\"type\":\"grpcs\",\"ca\":\"/x\"}", "/ca", "verify is" },
	{ "{\"type\":\"http\",\"grpc_service\":\"a\"}", "/grpc_service",
	  "only checks of type grpc, grpcs have it" },
	{ "{\"type\":\"smtp\",\"hostname\":\"a b\"}", "/hostname", "expected a host name" },
	{ "{\"type\":\"smtp\",\"hostname\":\"10.0.0.1\"}", "/hostname", "expected a host name" },
	{ "{\"type\":\"smtp\",\"hostname\":\"\"}", "/hostname", "at least 1 character" },
	{ "{\"type\":\"smtp\",\"hostname\":7}", "/hostname", "expected a string" },
	{ "{\"type\":\"tcp\",\"hostname\":\"a\"}", "/hostname",
	  "only checks of type smtp have it" },
	{ "{\"type\":\"agent\",\"send\":\"\"}", "/send", "at least 1 character" },
	{ "{\"type\":\"agent\",\"send\":[\"a\"]}", "/send", "expected a string" },
	{ "{\"type\":\"smtp\",\"send\":\"a\"}", "/send", "only checks of type agent have it" },
	{ "{\"type\":\"tcp\",\"intervall_ms\":5}", "/intervall_ms",
	  "did you mean \"interval_ms\"" },
	{ "{\"type\":\"tcp\",\"zzz\":5}", "/zzz", "not a field of a check of type tcp" },
	{ "{\"type\":\"tcp\",\"interval_ms\":9}", "/interval_ms", "from 10 to 86400000" },
	{ "{\"type\":\"tcp\",\"interval_ms\":86400001}", "/interval_ms", "from 10 to 86400000" },
	{ "{\"type\":\"tcp\",\"interval_ms\":\"2s\"}", "/interval_ms", "interval_ms \"2s\"" },
	{ "{\"type\":\"tcp\",\"interval_ms\":1e3}", "/interval_ms", "expected an integer" },
	{ "{\"type\":\"tcp\",\"fast_interval_ms\":0}", "/fast_interval_ms", "from 10" },
	{ "{\"type\":\"tcp\",\"down_interval_ms\":-1}", "/down_interval_ms", "from 10" },
	{ "{\"type\":\"tcp\",\"timeout_ms\":0}", "/timeout_ms", "from 1 to 3600000" },
	{ "{\"type\":\"tcp\",\"rise\":0}", "/rise", "from 1 to 1000" },
	{ "{\"type\":\"tcp\",\"fall\":1001}", "/fall", "from 1 to 1000" },
	{ "{\"type\":\"tcp\",\"initial\":\"unknown\"}", "/initial", "\"up\" or \"down\"" },
	{ "{\"type\":\"tcp\",\"initial\":null}", "/initial", "\"up\" or \"down\"" },
	{ "{\"type\":\"tcp\",\"jitter_percent\":51}", "/jitter_percent", "from 0 to 50" },
	{ "{\"type\":\"tcp\",\"port\":0}", "/port", "from 1 to 65535" },
	{ "{\"type\":\"tcp\",\"address\":\"0.0.0.0\"}", "/address", "unicast" },
	{ "{\"type\":\"tcp\",\"source\":\"eth0\"}", "/source", "an IPv4 or IPv6 address" },
};

START_TEST(refused_with_the_place)
{
	ck_assert_check_refused(&bad[_i]);
}
END_TEST

START_TEST(each_field_makes_a_difference)
{
	static const char *const others[] = {
		"{\"type\":\"tcp\",\"interval_ms\":11}",
		"{\"type\":\"tcp\",\"fast_interval_ms\":11}",
		"{\"type\":\"tcp\",\"timeout_ms\":11}",
		"{\"type\":\"tcp\",\"down_interval_ms\":11}",
		"{\"type\":\"tcp\",\"rise\":11}",
		"{\"type\":\"tcp\",\"fall\":11}",
		"{\"type\":\"tcp\",\"initial\":\"down\"}",
		"{\"type\":\"tcp\",\"jitter_percent\":11}",
		"{\"type\":\"tcp\",\"port\":11}",
		"{\"type\":\"tcp\",\"address\":\"10.0.0.1\"}",
		"{\"type\":\"none\"}",
		"{\"type\":\"tcp\",\"source\":\"10.0.0.1\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert_checks_differ("{\"type\":\"tcp\"}", others[i]);
}
END_TEST

/* Every type that may be configured can be done. */
START_TEST(types_have_probes)
{
	const struct check_type *type;

	for (size_t i = 0; (type = check_type_at(i)); i++) {
		struct check check = { .type = type };
		bool is_none = strcmp(check_type_name(type), "none") == 0;

		ck_assert_msg((probe_type_of(&check) == NULL) == is_none, "%s",
			      check_type_name(type));
	}
}
END_TEST

/* --- an agent beside the check ------------------------------------------------------------- */

static const struct service *with_agent(const char *check, const char *agent, struct err *err)
{
	char *both = mem_printf("%s,\"agent\":%s", check, agent);
	const struct service *s = with_check(both, err);

	free(both);
	return s;
}

static const char *const agents[] = {
	"{\"port\":1}",
	"{\"port\":65535,\"address\":\"10.0.0.1\",\"source\":\"fd00::1\",\"send\":\"x\\n\"}",
	"{\"port\":9,\"interval_ms\":10,\"timeout_ms\":3600000,\"jitter_percent\":50}",
};

/* What it says is written, with its defaults and nothing of a check that it has not. */
START_TEST(agent_kept)
{
	json_t *wanted = json_of("{\"interval_ms\":2000,\"timeout_ms\":1000,\"jitter_percent\":5}");
	json_t *said = json_of(agents[_i]), *written;
	struct err err = ERR_INIT;
	const struct service *s = with_agent("{\"type\":\"http\"}", agents[_i], &err), *again;

	ck_assert_msg(s != NULL, "%s", err_text(&err));
	written = service_to_json(s);
	json_object_update(wanted, said);
	ck_assert(json_equal(json_object_get(written, "agent"), wanted));
	again = service_from_json(written, "web", "", &err);
	ck_assert(service_equal(s, again));
	json_decref(said);
	json_decref(wanted);
	json_decref(written);
	service_unref(again);
	service_unref(s);
}
END_TEST

static const struct {
	const char *check, *agent, *pointer, *part;
} bad_agents[] = {
	{ "{\"type\":\"tcp\"}", "7", "", "expected an object" },
	{ "{\"type\":\"tcp\"}", "{}", "/port", "required, but missing" },
	{ "{\"type\":\"tcp\"}", "{\"port\":0}", "/port", "from 1 to 65535" },
	{ "{\"type\":\"tcp\"}", "{\"port\":9,\"interval_ms\":9}", "/interval_ms", "from 10" },
	{ "{\"type\":\"tcp\"}", "{\"port\":9,\"send\":\"\"}", "/send", "at least 1 character" },
	{ "{\"type\":\"tcp\"}", "{\"port\":9,\"rise\":2}", "/rise", "not a field of an agent" },
	{ "{\"type\":\"tcp\"}", "{\"port\":9,\"observe_window_ms\":2}", "/observe_window_ms",
	  "not a field of an agent" },
	{ "{\"type\":\"tcp\"}", "{\"port\":9,\"sent\":\"x\"}", "/sent", "did you mean \"send\"" },
	{ "{\"type\":\"agent\"}", "{\"port\":9}", "", "the check asks an agent already" },
};

START_TEST(agent_refused_with_the_place)
{
	char *pointer = mem_printf("/services/web/agent%s", bad_agents[_i].pointer);
	struct err err = ERR_INIT;

	ck_assert(!with_agent(bad_agents[_i].check, bad_agents[_i].agent, &err));
	ck_assert_problem(&err, pointer, bad_agents[_i].part);
	ck_assert_uint_eq(err.n_problems, 1);
	free(pointer);
	err_fini(&err);
}
END_TEST

START_TEST(agent_without_a_check)
{
	json_t *value = json_of("{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\","
				"\"port\":80}],\"pool\":\"lan\",\"agent\":{\"port\":9}}");
	struct err err = ERR_INIT;

	ck_assert(!service_from_json(value, "web", "/services/web", &err));
	ck_assert_problem(&err, "/services/web/agent", "beside a check, and there is none");
	json_decref(value);
	err_fini(&err);
}
END_TEST

START_TEST(agents_differ)
{
	struct err err = ERR_INIT;
	const struct service *a = with_agent("{\"type\":\"tcp\"}", "{\"port\":9}", &err);
	const struct service *b = with_agent("{\"type\":\"tcp\"}", "{\"port\":8}", &err);
	const struct service *none = with_check("{\"type\":\"tcp\"}", &err);

	ck_assert(!service_equal(a, b) && !service_equal(a, none) && !service_equal(none, b));
	service_unref(a);
	service_unref(b);
	service_unref(none);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tc = tcase_create("check");

	tcase_add_loop_test(tc, accepted_and_kept, 0, (int)ARRAY_SIZE(good));
	tcase_add_loop_test(tc, refused_with_the_place, 0, (int)ARRAY_SIZE(bad));
	tcase_add_test(tc, each_field_makes_a_difference);
	tcase_add_loop_test(tc, agent_kept, 0, (int)ARRAY_SIZE(agents));
	tcase_add_loop_test(tc, agent_refused_with_the_place, 0, (int)ARRAY_SIZE(bad_agents));
	tcase_add_test(tc, agent_without_a_check);
	tcase_add_test(tc, agents_differ);
	tcase_add_test(tc, types_have_probes);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
