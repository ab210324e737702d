/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks over HTTP and TLS: every option with good and bad values, and what answers are taken for
 * well.
 */
#include <time.h>

#include "base/pattern.h"
#include "check_testing.h"
#include "health/http_judge.h"
#include "health/probe_curl.h"

static const char *const good[] = {
	"{\"type\":\"http\"}",
	"{\"type\":\"https\"}",
	"{\"type\":\"tls\"}",
	"{\"type\":\"http\",\"method\":\"OPTIONS\",\"path\":\"*\",\"host\":\"www.example:8080\","
	"\"headers\":[\"X-Probe: fnat\",\"Empty:\"],\"payload\":\"a\\nb\"}",
	"{\"type\":\"http\",\"status\":[200,\"300-599\"],\"expect\":\"ok\",\"expect_regex\":\"^a|b$"
	"\",\"version\":\"2\"}",
	"{\"type\":\"http\",\"status\":[\"100-599\"],\"version\":\"1.0\"}",
	"{\"type\":\"http\",\"status\":[404]}",
	"{\"type\":\"https\",\"path\":\"/"
	"healthz?x=%20\",\"sni\":\"a-b_c.example\",\"verify\":\"full\",\"ca\":\"/etc/"
	"ca.pem\",\"certificate\":\"/etc/c.pem\",\"key\":\"/etc/k.pem\",\"expiry_days\":0}",
	"{\"type\":\"tls\",\"verify\":\"chain\",\"expiry_days\":3650,\"certificate\":\"/c\"}",
};

START_TEST(accepted_and_kept)
{
	ck_assert_check_kept(good[_i]);
}
END_TEST

static const struct bad_check bad[] = {
	{ "{\"type\":\"http\",\"path\":\"healthz\"}", "/path", "begins with /" },
	{ "{\"type\":\"http\",\"path\":\"/a b\"}", "/path", "without blanks" },
	{ "{\"type\":\"http\",\"path\":\"/a\\r\\nX: y\"}", "/path", "without blanks" },
	{ "{\"type\":\"http\",\"path\":\"/\\u00e4\"}", "/path", "in ASCII" },
	{ "{\"type\":\"http\",\"path\":7}", "/path", "expected a string" },
	{ "{\"type\":\"http\",\"path\":\"\"}", "/path", "at least 1 character" },
	{ "{\"type\":\"http\",\"path\":\"/"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaa\"}",
	  "/path", "at most 2048" },
	{ "{\"type\":\"http\",\"method\":\"GET /\"}", "/method", "expected a method" },
	{ "{\"type\":\"http\",\"method\":\"CONNECT\"}", "/method", "expected a method" },
	{ "{\"type\":\"http\",\"method\":\"\"}", "/method", "at least 1" },
	{ "{\"type\":\"http\",\"method\":[\"GET\"]}", "/method", "expected a string" },
	{ "{\"type\":\"http\",\"host\":\"a b\"}", "/host", "www.example:8080" },
	{ "{\"type\":\"http\",\"host\":\"a\\nb\"}", "/host", "www.example:8080" },
	{ "{\"type\":\"http\",\"host\":1}", "/host", "expected a string" },
	{ "{\"type\":\"http\",\"headers\":\"X: y\"}", "/headers", "array of strings" },
	{ "{\"type\":\"http\",\"headers\":[\"X y\"]}", "/headers/0", "Name: value" },
	{ "{\"type\":\"http\",\"headers\":[\": y\"]}", "/headers/0", "Name: value" },
	{ "{\"type\":\"http\",\"headers\":[\"A: b\",\"X: a\\r\\nY: b\"]}", "/headers/1",
	  "in one line" },
	{ "{\"type\":\"http\",\"headers\":[\"host: b\"]}", "/headers/0", "use the field host" },
	{ "{\"type\":\"http\",\"headers\":[\"Content-Length: 5\"]}", "/headers/0",
	  "counts the payload" },
	{ "{\"type\":\"http\",\"headers\":[\"Transfer-Encoding: chunked\"]}", "/headers/0",
	  "in one piece" },
	{ "{\"type\":\"http\",\"headers\":[\"Connection: close\"]}", "/headers/0",
	  "connection of its own" },
	{ "{\"type\":\"http\",\"headers\":[\"Upgrade: h2c\"]}", "/headers/0", "field version" },
	{ "{\"type\":\"http\",\"headers\":[\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: "
	  "b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: "
	  "b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: "
	  "b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\",\"A: b\"]}",
	  "/headers", "33 strings: expected 0 to 32" },
	{ "{\"type\":\"http\",\"payload\":5}", "/payload", "expected a string" },
	{ "{\"type\":\"http\",\"payload\":"
	  "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
	  "/payload", "at most 4096" },
	{ "{\"type\":\"http\",\"method\":\"HEAD\",\"payload\":\"x\"}", "/payload",
	  "HEAD has no payload" },
	{ "{\"type\":\"http\",\"method\":\"HEAD\",\"expect\":\"x\"}", "/expect", "has no body" },
	{ "{\"type\":\"http\",\"method\":\"HEAD\",\"expect_regex\":\"x\"}", "/expect_regex",
	  "has no body" },
	{ "{\"type\":\"http\",\"status\":200}", "/status", "array of numbers and ranges" },
	{ "{\"type\":\"http\",\"status\":[]}", "/status", "0 elements: expected 1 to 256" },
	{ "{\"type\":\"http\",\"status\":[99]}", "/status/0", "from 100 to 599" },
	{ "{\"type\":\"http\",\"status\":[200,600]}", "/status/1", "from 100 to 599" },
	{ "{\"type\":\"http\",\"status\":[\"2xx\"]}", "/status/0", "200-299" },
	{ "{\"type\":\"http\",\"status\":[\"299-200\"]}", "/status/0", "200-299" },
	{ "{\"type\":\"http\",\"status\":[\"200-299-\"]}", "/status/0", "200-299" },
	{ "{\"type\":\"http\",\"status\":[\"-200-299\"]}", "/status/0", "200-299" },
	{ "{\"type\":\"http\",\"status\":[\"200-600\"]}", "/status/0", "200-299" },
	{ "{\"type\":\"http\",\"status\":[null]}", "/status/0", "200-299" },
	{ "{\"type\":\"http\",\"status\":[200.5]}", "/status/0", "200-299" },
	{ "{\"type\":\"http\",\"expect\":\"\"}", "/expect", "at least 1" },
	{ "{\"type\":\"http\",\"expect\":"
	  "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
	  "/expect", "at most 1024" },
	{ "{\"type\":\"http\",\"expect_regex\":\"(a\"}", "/expect_regex",
	  "missing closing parenthesis, at character 2" },
	{ "{\"type\":\"http\",\"expect_regex\":\"[b-a]\"}", "/expect_regex", "range out of order" },
	{ "{\"type\":\"http\",\"expect_regex\":\"(((a{1,9999}){1,9999}){1,9999})\"}",
	  "/expect_regex", "too large" },
	{ "{\"type\":\"http\",\"expect_regex\":\"(*UTF)a\"}", "/expect_regex", "at character" },
	{ "{\"type\":\"http\",\"version\":2}", "/version", "\"1.1\", \"1.0\" or \"2\"" },
	{ "{\"type\":\"http\",\"version\":\"3\"}", "/version", "\"2\"" },
	{ "{\"type\":\"http\",\"sni\":\"a.b\"}", "/sni",
	  "only checks of type https, tls, grpcs have it, not http" },
	{ "{\"type\":\"tls\",\"path\":\"/\"}", "/path",
	  "only checks of type http, https have it, not tls" },
	{ "{\"type\":\"tcp\",\"path\":\"/\"}", "/path",
	  "only checks of type http, https have it, not tcp" },
	{ "{\"type\":\"https\",\"pth\":\"/\"}", "/pth", "did you mean \"path\"" },
	{ "{\"type\":\"https\",\"verfy\":\"full\"}", "/verfy", "did you mean \"verify\"" },
	{ "{\"type\":\"https\",\"sni\":\"a.b:443\"}", "/sni", "without a port" },
	{ "{\"type\":\"https\",\"sni\":\"10.0.0.1\"}", "/sni", "expected a host name" },
	{ "{\"type\":\"https\",\"sni\":\"a..b\"}", "/sni", "expected a host name" },
	{ "{\"type\":\"https\",\"sni\":\"a.\"}", "/sni", "expected a host name" },
	{ "{\"type\":\"https\",\"sni\":"
	  "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.b\"}",
	  "/sni", "expected a host name" },
	{ "{\"type\":\"tls\",\"sni\":\"\"}", "/sni", "at least 1" },
	{ "{\"type\":\"tls\",\"verify\":true}", "/verify", "\"none\", \"chain\" or \"full\"" },
	{ "{\"type\":\"tls\",\"verify\":\"yes\"}", "/verify", "\"none\", \"chain\" or \"full\"" },
	{ "{\"type\":\"tls\",\"ca\":\"/a\"}", "/ca", "without effect while verify is" },
	{ "{\"type\":\"tls\",\"ca\":\"a.pem\",\"verify\":\"full\"}", "/ca", "absolute path" },
	{ "{\"type\":\"tls\",\"certificate\":\"c.pem\"}", "/certificate", "absolute path" },
	{ "{\"type\":\"tls\",\"certificate\":\"/c.pem\",\"key\":\"k.pem\"}", "/key",
	  "absolute path" },
	{ "{\"type\":\"tls\",\"key\":\"/k.pem\"}", "/key", "certificate is missing" },
	{ "{\"type\":\"tls\",\"expiry_days\":-1}", "/expiry_days", "from 0 to 3650" },
	{ "{\"type\":\"tls\",\"expiry_days\":3651}", "/expiry_days", "from 0 to 3650" },
	{ "{\"type\":\"tls\",\"expiry_days\":\"1\"}", "/expiry_days", "expected an integer" },
};

START_TEST(refused_with_the_place)
{
	ck_assert_check_refused(&bad[_i]);
}
END_TEST

START_TEST(each_field_makes_a_difference)
{
	static const char *const others[] = {
		"{\"type\":\"https\",\"method\":\"POST\"}",
		"{\"type\":\"https\",\"path\":\"/x\"}",
		"{\"type\":\"https\",\"host\":\"x\"}",
		"{\"type\":\"https\",\"headers\":[\"A: b\"]}",
		"{\"type\":\"https\",\"payload\":\"\"}",
		"{\"type\":\"https\",\"status\":[200]}",
		"{\"type\":\"https\",\"expect\":\"x\"}",
		"{\"type\":\"https\",\"expect_regex\":\"x\"}",
		"{\"type\":\"https\",\"version\":\"2\"}",
		"{\"type\":\"https\",\"sni\":\"a.b\"}",
		"{\"type\":\"https\",\"verify\":\"full\"}",
		"{\"type\":\"https\",\"verify\":\"chain\",\"ca\":\"/x\"}",
		"{\"type\":\"https\",\"certificate\":\"/x\"}",
		"{\"type\":\"https\",\"certificate\":\"/x\",\"key\":\"/y\"}",
		"{\"type\":\"https\",\"expiry_days\":1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert_checks_differ("{\"type\":\"https\"}", others[i]);
}
END_TEST

/* Another type takes the fields of both tables of the old one away. */
START_TEST(another_type_by_patch)
{
	json_t *target = json_of("{\"check\":{\"type\":\"https\",\"path\":\"/x\",\"sni\":\"a.b\","
				 "\"rise\":3}}");
	json_t *patch = json_of("{\"check\":{\"type\":\"tcp\"}}");
	json_t *left = json_of("{\"check\":{\"type\":\"https\",\"rise\":3}}");

	check_patch_type(target, patch);
	ck_assert(json_equal(target, left));
	json_decref(target);
	json_decref(patch);
	json_decref(left);
}
END_TEST

static const struct {
	const char *options; /* beside the type */
	long status;
	const char *body;
	bool is_ok;
	const char *part; /* of the reason */
} answers[] = {
	{ "", 200, NULL, true, "answered 200" },
	{ "", 399, "x", true, "answered 399" },
	{ "", 404, NULL, false, "answered 404" },
	{ "", 0, NULL, false, "answered 0" },
	{ "", 100, NULL, false, "answered 100" },
	{ "\"status\":[404]", 404, NULL, true, "" },
	{ "\"status\":[404]", 200, NULL, false, "" },
	{ "\"status\":[\"200-299\",418]", 418, NULL, true, "" },
	{ "\"expect\":\"ok\"", 200, "it is ok", true, "" },
	{ "\"expect\":\"ok\"", 200, "it is not o k", false, "expect is not in the body" },
	{ "\"expect\":\"ok\"", 200, NULL, false, "0 bytes" },
	{ "\"expect\":\"ok\"", 500, "ok", false, "answered 500" },
	{ "\"expect_regex\":\"^o.$\"", 200, "ok", true, "" },
	{ "\"expect_regex\":\"^o.$\"", 200, "no", false, "expect_regex is not" },
	{ "\"expect_regex\":\"^$\"", 200, NULL, true, "" },
	{ "\"expect\":\"a\",\"expect_regex\":\"b\"", 200, "a", false, "expect_regex is not" },
	{ "\"expect\":\"a\",\"expect_regex\":\"b\"", 200, "ab", true, "" },
};

START_TEST(judged)
{
	char reason[PROBE_REASON_BYTES];
	struct err err = ERR_INIT;
	char *check = mem_printf("{\"type\":\"http\"%s%s}", *answers[_i].options ? "," : "",
				 answers[_i].options);
	const struct service *s = with_check(check, &err);
	const char *body = answers[_i].body;
	bool is_ok;

	ck_assert_msg(s != NULL, "%s: %s", check, err_text(&err));
	is_ok = http_judge(s->check->options, answers[_i].status, body, body ? strlen(body) : 0,
			   reason) == PROBE_OK;
	ck_assert_msg(is_ok == answers[_i].is_ok && strstr(reason, answers[_i].part),
		      "%s, %ld, %s: %s", check, answers[_i].status, body, reason);
	service_unref(s);
	free(check);
}
END_TEST

/* Patterns that take exponential time elsewhere come to an end here. */
START_TEST(patterns_are_bounded)
{
	static const char *const evil[] = { "a(a*)*[bc]", "a(a|aa)+[bc]",
					    "(.*)(.*)(.*)(.*)(.*)[xy]", "a(?=(a+))*[bc]",
					    "a(a+)+\1[bc]" };
	size_t len = CURL_PROBE_BODY_MAX;
	char *body = mem_alloc(len), mistake[PATTERN_MISTAKE_BYTES];

	memset(body, 'a', len);
	for (size_t i = 0; i < ARRAY_SIZE(evil); i++) {
		struct pattern *p = pattern_new(evil[i], mistake);
		struct timespec a, b;
		double ms;

		ck_assert_msg(p != NULL, "%s", mistake);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		ck_assert_int_le(pattern_find(p, body, len), 0);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
		printf("%s: %.2f ms\n", evil[i], ms);
		ck_assert_msg(ms < 500, "%s: %f ms", evil[i], ms);
		pattern_free(p);
	}
	free(body);
}
END_TEST

START_TEST(expiry)
{
	char out[PROBE_REASON_BYTES];
	time_t now = 1800000000, day = 86400;

	certificate_warning(now + 15 * day, now, 14, out);
	ck_assert_str_eq(out, "");
	certificate_warning(now + 13 * day + 5, now, 14, out);
	ck_assert_str_eq(out, "the certificate expires in 13 days, 2027-01-28 08:00:05Z");
	certificate_warning(now - 1, now, 14, out);
	ck_assert_str_eq(out, "the certificate has expired, 2027-01-15 07:59:59Z");
	certificate_warning(-1, now, 14, out);
	ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check_http");
	TCase *tc = tcase_create("check_http");

	tcase_add_loop_test(tc, accepted_and_kept, 0, (int)ARRAY_SIZE(good));
	tcase_add_loop_test(tc, refused_with_the_place, 0, (int)ARRAY_SIZE(bad));
	tcase_add_test(tc, each_field_makes_a_difference);
	tcase_add_test(tc, another_type_by_patch);
	tcase_add_loop_test(tc, judged, 0, (int)ARRAY_SIZE(answers));
	tcase_add_test(tc, patterns_are_bounded);
	tcase_add_test(tc, expiry);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
