/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mistakes in documents: each has a row with its pointer and its message. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"
#include "model_testing.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

#define LISTENER "{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}"
#define SIX      "{\"address\":\"2001:db8::1\",\"protocol\":\"tcp\",\"port\":80}"
#define POOLS    "\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.1\"]}}"
#define WEB(members)                                                                               \
	"{" POOLS ",\"services\":{\"web\":{\"listeners\":[" LISTENER "],\"pool\":\"lan\"" members  \
	"}}}"
#define WEB_LISTENERS(l) "{" POOLS ",\"services\":{\"web\":{\"pool\":\"lan\",\"listeners\":" l "}}}"
#define WEB_BACKENDS(b)  WEB(",\"backends\":{" b "}")
#define POOL(addresses)  "{\"pools\":{\"lan\":{\"addresses\":" addresses "}}}"
#define PORT(port)       "[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":" port "}]"
#define PORT_EXPECTED    "expected an integer from 1 to 65535"
#define WEIGHT(w)        WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"weight\":" w "}")
#define WEIGHT_POINTER   "/services/web/backends/a/weight"
#define WEIGHT_EXPECTED  "expected an integer from 0 to 65535"
#define SUBJECT_A        "service \"web\": backend \"a\": "
#define LISTENERS        "/services/web/listeners"
#define SUBJECT_0        "service \"web\": listeners[0]: "

static const struct {
	const char *text, *pointer, *message;
} invalid[] = {
	{ "[1]", "", "document [1]: expected an object" },
	{ "null", "", "document null: expected an object" },
	{ "{\"services\":[]}", "/services", "services []: expected an object of services by name" },
	{ "{\"pools\":3}", "/pools", "pools 3: expected an object of pools by name" },
	{ "{\"servces\":{}}", "/servces", "unknown field \"servces\": did you mean \"services\"?" },
	{ "{\"x\":1}", "/x", "unknown field \"x\": expected one of pools, services" },
	{ "{\"a/b~c\":1}", "/a~1b~0c", "unknown field \"a/b~c\"" },
	{ "{\"\\u001b[31m\":1}", "/?[31m", "unknown field \"\\u001b[31m\"" },
	{ "{\"services\":{\"web\":5}}", "/services/web", "service \"web\" 5: expected an object" },
	{ "{\"services\":{\"web\":{\"pool\":\"lan\"}}}", LISTENERS,
	  "service \"web\": listeners: required, but missing" },
	{ "{\"services\":{\"web\":{\"listeners\":[" LISTENER "]}}}", "/services/web/pool",
	  "service \"web\": pool: required, but missing" },
	{ "{\"services\":{\"a b\":{}}}", "/services/a b", "service \"a b\": not a name: expected" },
	{ "{\"services\":{\"\":{}}}", "/services/", "service \"\": not a name" },
	{ "{\"services\":{\"-a\":{}}}", "/services/-a", "not a name" },
	{ "{\"services\":{\"a/b\":{}}}", "/services/a~1b", "not a name" },
	{ "{\"services\":{\"caf\xc3\xa9\":{}}}", "/services/caf\xc3\xa9", "not a name" },
	{ WEB(",\"shceduler\":\"rr\""), "/services/web/shceduler",
	  "service \"web\": unknown field \"shceduler\": did you mean \"scheduler\"?" },
	{ WEB(",\"scheduler\":\"lblcr\""), "/services/web/scheduler",
	  "scheduler \"lblcr\": the destination that it hashes is always the listener: use "
	  "\"mh\"" },
	{ WEB(",\"scheduler\":\"wlcc\""), "/services/web/scheduler",
	  "service \"web\": scheduler \"wlcc\": expected one of \"rr\", \"wrr\", \"random\", "
	  "\"sh\"" },
	{ WEB(",\"slow_start_s\":3601"), "/services/web/slow_start_s",
	  "slow_start_s 3601: expected an integer from 0 to 3600" },
	{ WEB(",\"quorum\":-1"), "/services/web/quorum",
	  "quorum -1: expected an integer from 0 to 268431360" },
	{ WEB(",\"quorum\":2,\"quorum_hysteresis\":2"), "/services/web/quorum_hysteresis",
	  "service \"web\": quorum_hysteresis 2: expected less than the quorum, 2" },
	{ WEB(",\"quorum_hysteresis\":1"), "/services/web/quorum_hysteresis",
	  "expected less than the quorum, 0" },
	{ WEB(",\"all_down\":\"opne\""), "/services/web/all_down",
	  "all_down \"opne\": expected \"closed\" or \"open\"" },
	{ WEB(",\"on_down\":\"reset\""), "/services/web/on_down",
	  "on_down \"reset\": expected \"keep\" or \"cut\"" },
	{ WEB(",\"on_remove\":true"), "/services/web/on_remove",
	  "on_remove true: expected \"keep\" or \"cut\"" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"state\":\"drain\"}"),
	  "/services/web/backends/a/state",
	  SUBJECT_A "state \"drain\": expected \"enabled\", \"draining\" or \"disabled\"" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"priority\":256}"),
	  "/services/web/backends/a/priority", "expected an integer from 0 to 255" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"sorry\":1}"),
	  "/services/web/backends/a/sorry", SUBJECT_A "sorry 1: expected true or false" },
	{ WEB(",\"max_connections\":10000001"), "/services/web/max_connections",
	  "service \"web\": max_connections 10000001: expected an integer from 0 to 10000000" },
	{ WEB(",\"max_connections_per_client\":true"), "/services/web/max_connections_per_client",
	  "service \"web\": max_connections_per_client true: expected an integer" },
	{ WEB(",\"limit\":\"slow\""), "/services/web/limit",
	  "service \"web\": limit \"slow\": expected \"auto\", \"exact\", \"budget\" or "
	  "\"fast\"" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"max_connections\":1}},"
		       "\"limit\":\"exact\",\"persistence\":{"),
	  "/services/web/limit",
	  "service \"web\": limit \"exact\": expected \"fast\": with persistence and pins, "
	  "clients go to their backend without being counted" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"max_connections\":-1}"),
	  "/services/web/backends/a/max_connections",
	  SUBJECT_A "max_connections -1: expected an integer from 0 to 10000000" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"max_connections\":\"9\"}"),
	  "/services/web/backends/a/max_connections", "expected an integer" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"max_connections\":5,"
		       "\"min_connections\":6}"),
	  "/services/web/backends/a/min_connections",
	  SUBJECT_A "min_connections 6: expected no more than max_connections, 5" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"min_connections\":1}"),
	  "/services/web/backends/a/min_connections", "expected no more than max_connections, 0" },
	{ WEB(",\"hash\":3"), "/services/web/hash", "hash 3: expected an object" },
	{ WEB(",\"hash\":{\"kye\":3}"), "/services/web/hash/kye", "did you mean \"key\"?" },
	{ WEB(",\"hash\":{\"key\":\"port\"}"), "/services/web/hash/key",
	  "key \"port\": expected \"source\", \"source_port\" or \"five_tuple\"" },
	{ WEB(",\"hash\":{\"prefix4\":33}"), "/services/web/hash/prefix4",
	  "prefix4 33: expected an integer from 1 to 32" },
	{ WEB(",\"hash\":{\"prefix6\":0}"), "/services/web/hash/prefix6",
	  "prefix6 0: expected an integer from 1 to 128" },
	{ WEB(",\"hash\":{\"table_size\":4096}"), "/services/web/hash/table_size",
	  "table_size 4096: expected one of 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, "
	  "65521" },
	{ WEB(",\"scheduler\":null"), "/services/web/scheduler",
	  "scheduler null: expected one of" },
	{ WEB(",\"forward\":\"dr\""), "/services/web/forward",
	  "forward \"dr\": expected \"fullnat\"" },
	{ WEB(",\"forward\":true"), "/services/web/forward", "forward true: expected" },
	{ WEB(",\"on_unavailable\":\"tarpit\""), "/services/web/on_unavailable",
	  "on_unavailable \"tarpit\": expected \"reject\" or \"drop\"" },
	{ WEB(",\"on_unavailable\":1"), "/services/web/on_unavailable", "expected \"reject\"" },
	{ "{\"services\":{\"web\":{\"listeners\":[" LISTENER "],\"pool\":\"\"}}}",
	  "/services/web/pool", "pool \"\": expected the name of a pool" },
	{ "{\"services\":{\"web\":{\"listeners\":[" LISTENER "],\"pool\":[\"lan\"]}}}",
	  "/services/web/pool", "pool [\"lan\"]: expected the name of a pool" },
	/* listeners */
	{ WEB_LISTENERS("[]"), LISTENERS, "listeners []: expected an array of at least one" },
	{ WEB_LISTENERS("{}"), LISTENERS, "listeners {}: expected an array" },
	{ WEB_LISTENERS("[5]"), LISTENERS "/0",
	  "service \"web\": listeners[0] 5: expected an object" },
	{ WEB_LISTENERS("[{\"proto\":1}]"), LISTENERS "/0/proto", "did you mean \"protocol\"?" },
	{ WEB_LISTENERS(PORT("0")), LISTENERS "/0/port", SUBJECT_0 "port 0: " PORT_EXPECTED },
	{ WEB_LISTENERS(PORT("65536")), LISTENERS "/0/port", "port 65536: " PORT_EXPECTED },
	{ WEB_LISTENERS(PORT("-1")), LISTENERS "/0/port", "port -1: " PORT_EXPECTED },
	{ WEB_LISTENERS(PORT("\"abc\"")), LISTENERS "/0/port", "port \"abc\": " PORT_EXPECTED },
	{ WEB_LISTENERS(PORT("\"80\"")), LISTENERS "/0/port", "port \"80\": " PORT_EXPECTED },
	{ WEB_LISTENERS(PORT("80.0")), LISTENERS "/0/port", "port 80.0: " PORT_EXPECTED },
	{ WEB_LISTENERS(PORT("9223372036854775807")), LISTENERS "/0/port", PORT_EXPECTED },
	{ WEB_LISTENERS(PORT("null")), LISTENERS "/0/port", "port null: " PORT_EXPECTED },
	{ WEB_LISTENERS("[{\"protocol\":\"tcp\",\"port\":80}]"), LISTENERS "/0/address",
	  SUBJECT_0 "address: required, but missing" },
	{ WEB_LISTENERS("[{\"address\":\"192.0.2.1\",\"port\":80}]"), LISTENERS "/0/protocol",
	  SUBJECT_0 "protocol: required, but missing" },
	{ WEB_LISTENERS("[{\"address\":\"192.0.2.1\",\"port\":80,\"protocol\":\"icmp\"}]"),
	  LISTENERS "/0/protocol", "protocol \"icmp\": expected \"tcp\", \"udp\" or \"sctp\"" },
	{ WEB_LISTENERS("[{\"address\":\"192.0.2\",\"port\":80,\"protocol\":\"tcp\"}]"),
	  LISTENERS "/0/address", "address \"192.0.2\": expected an IPv4 or IPv6 address" },
	{ WEB_LISTENERS("[{\"address\":\"0.0.0.0\",\"port\":80,\"protocol\":\"tcp\"}]"),
	  LISTENERS "/0/address", "address \"0.0.0.0\": expected a unicast address" },
	{ WEB_LISTENERS("[{\"address\":\"ff02::1\",\"port\":80,\"protocol\":\"tcp\"}]"),
	  LISTENERS "/0/address", "expected a unicast address" },
	{ WEB_LISTENERS("[{\"address\":\"::ffff:192.0.2.1\",\"port\":80,\"protocol\":\"tcp\"}]"),
	  LISTENERS "/0/address", "an IPv4 address must be written as one" },
	{ WEB_LISTENERS("[" LISTENER "," SIX "," LISTENER "]"), LISTENERS "/2",
	  "service \"web\": listeners[2] 192.0.2.1:80/tcp: the same as listeners[0]" },
	/* backends */
	{ WEB(",\"backends\":[]"), "/services/web/backends",
	  "service \"web\": backends []: expected an object of backends by name" },
	{ WEB_BACKENDS("\"a\":[]"), "/services/web/backends/a",
	  "service \"web\": backend \"a\" []: expected an object" },
	{ WEB_BACKENDS("\"a\":{}"), "/services/web/backends/a/address",
	  SUBJECT_A "address: required, but missing" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"port\":0}"),
	  "/services/web/backends/a/port", SUBJECT_A "port 0: " PORT_EXPECTED },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\",\"wieght\":1}"),
	  "/services/web/backends/a/wieght", "did you mean \"weight\"?" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2/32\"}"), "/services/web/backends/a/address",
	  SUBJECT_A "address \"10.1.0.2/32\": expected an IPv4 or IPv6 address" },
	{ WEB_BACKENDS("\"~a/\":{\"address\":\"10.1.0.2\"}"), "/services/web/backends/~0a~1",
	  "service \"web\": backend \"~a/\": not a name" },
	{ WEIGHT("-1"), WEIGHT_POINTER, SUBJECT_A "weight -1: " WEIGHT_EXPECTED },
	{ WEIGHT("65536"), WEIGHT_POINTER, "weight 65536: " WEIGHT_EXPECTED },
	{ WEIGHT("4294967297"), WEIGHT_POINTER, "weight 4294967297: " WEIGHT_EXPECTED },
	{ WEIGHT("1.5"), WEIGHT_POINTER, "weight 1.5: " WEIGHT_EXPECTED },
	{ WEIGHT("\"1\""), WEIGHT_POINTER, "weight \"1\": " WEIGHT_EXPECTED },
	{ WEIGHT("{\"a\":[1,2]}"), WEIGHT_POINTER, "weight {\"a\":[1,2]}: " WEIGHT_EXPECTED },
	{ WEB_BACKENDS("\"a\":{\"address\":\"10.1.0.2\"},\"b\":{\"address\":\"10.1.0.2\"}"),
	  "/services/web/backends/b/address",
	  "service \"web\": backend \"b\": address 10.1.0.2: already used by backend \"a\"" },
	{ WEB_BACKENDS("\"b\":{\"address\":\"10.1.0.2\",\"port\":81},"
		       "\"a\":{\"address\":\"10.1.0.2\",\"port\":81}"),
	  "/services/web/backends/a/address",
	  SUBJECT_A "address 10.1.0.2, port 81: already used by backend \"b\"" },
	{ WEB_BACKENDS("\"a\":{\"address\":\"fd00::1\"}"), LISTENERS "/0",
	  "listeners[0] 192.0.2.1:80/tcp: expected a backend with an IPv4 address" },
	{ "{\"pools\":{\"lan\":{\"addresses\":[\"fd00::1\"]}},\"services\":{\"web\":{\"listeners\":"
	  "[" SIX "],\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"10.1.0.2\"}}}}}",
	  LISTENERS "/0", "listeners[0] [2001:db8::1]:80/tcp: expected a backend with an IPv6" },
	/* pools */
	{ "{\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.1\"],\"ports\":\"9-8\"}}}",
	  "/pools/lan/ports",
	  "pool \"lan\": ports \"9-8\": expected a range of ports, as \"1024-65535\"" },
	{ POOL("[]"), "/pools/lan/addresses",
	  "pool \"lan\": addresses []: expected an array of at least one address, range or "
	  "prefix" },
	{ "{\"pools\":{\"lan\":{}}}", "/pools/lan/addresses",
	  "pool \"lan\": addresses: required, but missing" },
	{ "{\"pools\":{\"lan\":{\"adresses\":[\"10.1.0.1\"],\"addresses\":[\"10.1.0.1\"]}}}",
	  "/pools/lan/adresses", "did you mean \"addresses\"?" },
	{ "{\"pools\":{\"lan\":[]}}", "/pools/lan", "pool \"lan\" []: expected an object" },
	{ "{\"pools\":{\"l n\":{\"addresses\":[\"10.1.0.1\"]}}}", "/pools/l n", "not a name" },
	{ POOL("\"10.1.0.1\""), "/pools/lan/addresses", "expected an array" },
	{ POOL("[7]"), "/pools/lan/addresses/0", "addresses[0] 7: expected an address, a range" },
	{ POOL("[\"10.1.0.1\",\"x\"]"), "/pools/lan/addresses/1",
	  "pool \"lan\": addresses[1] \"x\": expected an address, a range" },
	{ POOL("[\"10.1.0.9-10.1.0.1\"]"), "/pools/lan/addresses/0", "expected an address" },
	{ POOL("[\"10.1.0.1-fd00::1\"]"), "/pools/lan/addresses/0", "expected an address" },
	{ POOL("[\"10.1.0.1/24\"]"), "/pools/lan/addresses/0",
	  "addresses[0] \"10.1.0.1/24\": expected a prefix without host bits" },
	{ POOL("[\"10.0.0.0/8\"]"), "/pools/lan/addresses/0",
	  "addresses[0] \"10.0.0.0/8\": expected at most 65536 addresses in a pool" },
	{ POOL("[\"::/0\"]"), "/pools/lan/addresses/0", "expected at most 65536" },
	{ POOL("[\"fd00::/64\"]"), "/pools/lan/addresses/0", "expected at most 65536" },
	{ POOL("[\"224.0.0.0/30\"]"), "/pools/lan/addresses/0", "expected unicast addresses" },
	{ POOL("[\"0.0.0.0-0.0.0.5\"]"), "/pools/lan/addresses/0", "expected unicast addresses" },
	{ POOL("[\"10.1.0.0/16\",\"10.2.0.0\"]"), "/pools/lan/addresses",
	  "pool \"lan\": addresses: 65537 IPv4 addresses: expected at most 65536" },
	{ POOL("[\"10.1.0.8-10.1.0.9\",\"10.1.1.1\",\"10.1.0.0/28\"]"), "/pools/lan/addresses/2",
	  "addresses[2] 10.1.0.0-10.1.0.15: overlaps addresses[0] 10.1.0.8-10.1.0.9" },
	{ POOL("[\"10.1.0.1\",\"10.1.0.1\"]"), "/pools/lan/addresses/1",
	  "pool \"lan\": addresses[1] 10.1.0.1: overlaps addresses[0] 10.1.0.1" },
};

START_TEST(test_invalid_document)
{
	const char *text = invalid[_i].text;
	struct err err = ERR_INIT, again = ERR_INIT;
	struct config config;
	json_t *value = json_of(text);

	ck_assert_int_eq(config_from_json(value, &config, &err), -EINVAL);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_problem(&err, invalid[_i].pointer, invalid[_i].message);
	ck_assert(config.services == NULL && config.pools == NULL);

	ck_assert_int_eq(config_parse(text, strlen(text), &config, &again), -EINVAL);
	ck_assert_uint_eq(err.n_problems, again.n_problems);
	for (size_t i = 0; i < err.n_problems; i++)
		ck_assert_str_eq(err.problems[i].message, again.problems[i].message);
	err_fini(&again);
	err_fini(&err);
	json_decref(value);
}
END_TEST

START_TEST(test_several_problems_at_once)
{
	static const char text[] =
		"{\"services\":{"
		"\"one\":{\"listeners\":[" LISTENER "],\"pool\":\"lna\"},"
		"\"two\":{\"listeners\":[" LISTENER "," SIX "],\"pool\":\"lan\"},"
		"\"three\":{\"listeners\":[{\"address\":1,\"protocol\":2,\"port\":\"x\"}],"
		"\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":\"y\",\"weight\":-7}}}"
		"}," POOLS "}";
	struct err err = ERR_INIT;
	struct config config;

	ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), -EINVAL);
	ck_assert_problem(&err, "/services/three/listeners/0/address", "address 1");
	ck_assert_problem(&err, "/services/three/listeners/0/protocol", "protocol 2");
	ck_assert_problem(&err, "/services/three/listeners/0/port", "port \"x\"");
	ck_assert_problem(&err, "/services/three/backends/a/address", "address \"y\"");
	ck_assert_problem(&err, "/services/three/backends/a/weight", "weight -7");
	/* and what only the objects together tell */
	ck_assert_problem(&err, "/services/two/listeners/0", "already used by service \"one\"");
	ck_assert_problem(&err, "/services/one/pool", "did you mean \"lan\"?");
	ck_assert_problem(&err, "/services/two/pool", "no IPv6 address");
	ck_assert_uint_eq(err.n_problems, 8);
	err_fini(&err);
}
END_TEST

/* Nobody is told that a pool is missing which is there, but wrong. */
START_TEST(test_wrong_pool_is_not_a_missing_pool)
{
	static const char text[] = "{\"services\":{\"web\":{\"listeners\":[" LISTENER
				   "],\"pool\":\"lan\"}},\"pools\":{\"lan\":{\"addresses\":[]}}}";
	struct err err = ERR_INIT;
	struct config config;

	ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), -EINVAL);
	ck_assert_uint_eq(err.n_problems, 1);
	err_fini(&err);
}
END_TEST

START_TEST(test_problems_are_bounded)
{
	enum { SERVICES = 5000 };
	char *text = mem_alloc(SERVICES * 32 + 64), *p = stpcpy(text, "{\"services\":{\"x\":1");
	struct err err = ERR_INIT;
	struct config config;

	for (int i = 0; i < SERVICES; i++)
		p += sprintf(p, ",\"s%d\":{}", i);
	strcpy(p, "}}");
	ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), -EINVAL);
	ck_assert_uint_eq(err.n_problems, ERR_MAX_PROBLEMS);
	ck_assert_uint_eq(err.n_dropped, 1 + 2 * SERVICES - ERR_MAX_PROBLEMS);
	err_fini(&err);
	free(text);
}
END_TEST

/* ---- names ---- */

static char *long_text(size_t len)
{
	char *text = mem_alloc(len + 1);

	memset(text, 'n', len);
	text[len] = '\0';
	return text;
}

START_TEST(test_name_of_3000_characters)
{
	char *name = long_text(3000), *text = mem_printf("{\"services\":{\"%s\":{}}}", name);
	char *pointer = mem_printf("/services/%s", name);
	struct err err = ERR_INIT;
	struct config config;

	ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), -EINVAL);
	ck_assert_problem(&err, pointer, "nnn...\": a name of 3000 bytes: expected at most 60");
	for (size_t i = 0; i < err.n_problems; i++)
		ck_assert_uint_lt(strlen(err.problems[i].message), 200);
	err_fini(&err);
	free(pointer);
	free(text);
	free(name);
}
END_TEST

START_TEST(test_huge_texts_are_shortened)
{
	char *huge = long_text(1000000);
	char *text =
		mem_printf("{\"%s\":1,\"pools\":\"%s\",\"services\":[\"%s\"]}", huge, huge, huge);
	struct err err = ERR_INIT;
	struct config config;

	ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), -EINVAL);
	ck_assert_uint_eq(err.n_problems, 3);
	for (size_t i = 0; i < err.n_problems; i++) {
		ck_assert_uint_lt(strlen(err.problems[i].message), 300);
		ck_assert_uint_lt(strlen(err.problems[i].pointer), 5000);
	}
	err_fini(&err);
	free(text);
	free(huge);
}
END_TEST

START_TEST(test_shortened_utf8_stays_utf8)
{
	/* 3 bytes a character, so that the cut falls on each of them. */
	char text[512], value[256];
	struct err err = ERR_INIT;
	struct config config;

	for (int shift = 0; shift < 3; shift++) {
		char *p = value;

		for (int i = 0; i < shift; i++)
			*p++ = 'x';
		for (int i = 0; i < 60; i++)
			p = stpcpy(p, "\xe2\x82\xac");
		snprintf(text, sizeof(text), "{\"pools\":\"%s\"}", value);
		ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), -EINVAL);
		ck_assert_msg(strstr(err_text(&err), "\xe2\x82\xac...\": expected"), "%s",
			      err_text(&err));
		err_reset(&err);
	}
}
END_TEST

START_TEST(test_name_check)
{
	static const char *const good[] = { "a", "0", "web-1.example_com", "A.b-C_9" };
	static const char *const bad[] = { "",    ".a",   "-a",   "_a",          "a b",
					   "a/b", "a\"b", "\xff", "caf\xc3\xa9", "a\n" };
	char *longest = long_text(MODEL_NAME_MAX), *too_long = long_text(MODEL_NAME_MAX + 1);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_int_eq(name_check(good[i], "pool", "/pools/x", &err), 0);
	ck_assert_int_eq(name_check(longest, "pool", NULL, &err), 0);
	ck_assert(!err_any(&err));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(name_check(bad[i], "pool", "/pools/x", &err), -EINVAL);
	ck_assert_int_eq(name_check(too_long, "backend", NULL, &err), -EINVAL);
	ck_assert_str_eq(err_text(&err), "pool \"\": not a name: expected a letter or digit, then "
					 "letters, digits, \".\", \"_\" or \"-\"");
	ck_assert_str_eq(err.problems[0].pointer, "/pools/x");
	err_fini(&err);
	free(longest);
	free(too_long);
}
END_TEST

/* ---- limits ---- */

/* PRE, then n times `each` (a format for i and i), separated by commas, then POST. */
static char *repeated(const char *pre, const char *each, size_t n, const char *post)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs(pre, out);
	for (unsigned int i = 0; i < n; i++) {
		fputs(i ? "," : "", out);
		for (const char *p = each; *p; p++) {
			if (*p == '#') /* number */
				fprintf(out, "%u", i);
			else if (*p == '@') /* address */
				fprintf(out, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
			else
				fputc(*p, out);
		}
	}
	fputs(post, out);
	fclose(out);
	return text;
}

static void assert_limit(const char *text, const char *pointer, const char *message)
{
	struct err err = ERR_INIT;
	struct config config;
	int rc = config_parse(text, strlen(text), &config, &err);

	if (message) {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_problem(&err, pointer, message);
	} else {
		ck_assert_msg(rc == 0, "%s", err_text(&err));
		config_fini(&config);
	}
	err_fini(&err);
}

static const struct {
	const char *pre, *each, *post;
	size_t max;
	const char *pointer, *message;
} limits[] = {
	{ "{\"services\":{\"web\":{\"pool\":\"lan\",\"listeners\":[",
	  "{\"address\":\"@\",\"protocol\":\"udp\",\"port\":53}", "]}}}", MODEL_LISTENERS_MAX,
	  "/services/web/listeners",
	  "service \"web\": listeners: 1025 listeners: expected at most 1024" },
	{ "{\"services\":{\"web\":{\"pool\":\"lan\",\"listeners\":[" LISTENER "],\"backends\":{",
	  "\"b#\":{\"address\":\"@\"}", "}}}}", MODEL_BACKENDS_MAX, "/services/web/backends",
	  "service \"web\": backends: 4097 backends: expected at most 4096" },
};

START_TEST(test_limit)
{
	/* Number 0 would be 10.0.0.0, which is fine as an address. */
	char *most = repeated(limits[_i].pre, limits[_i].each, limits[_i].max, limits[_i].post);
	char *over = repeated(limits[_i].pre, limits[_i].each, limits[_i].max + 1, limits[_i].post);

	assert_limit(most, NULL, NULL);
	assert_limit(over, limits[_i].pointer, limits[_i].message);
	free(most);
	free(over);
}
END_TEST

START_TEST(test_pool_of_single_addresses_is_bounded)
{
	char *most = repeated("{\"pools\":{\"lan\":{\"addresses\":[", "\"@\"",
			      MODEL_POOL_ADDRESSES_MAX, "]}}}");
	char *over = repeated("{\"pools\":{\"lan\":{\"addresses\":[", "\"@\"",
			      2 * MODEL_POOL_ADDRESSES_MAX + 1, "]}}}");

	assert_limit(most, NULL, NULL);
	assert_limit(over, "/pools/lan/addresses",
		     "131073 elements: expected at most 65536 addresses of a family");
	free(most);
	free(over);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_mistakes");
	TCase *tc = tcase_create("mistakes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_invalid_document, 0, N(invalid));
	tcase_add_test(tc, test_several_problems_at_once);
	tcase_add_test(tc, test_wrong_pool_is_not_a_missing_pool);
	tcase_add_test(tc, test_problems_are_bounded);
	tcase_add_test(tc, test_name_of_3000_characters);
	tcase_add_test(tc, test_huge_texts_are_shortened);
	tcase_add_test(tc, test_shortened_utf8_stays_utf8);
	tcase_add_test(tc, test_name_check);
	tcase_add_loop_test(tc, test_limit, 0, N(limits));
	tcase_add_test(tc, test_pool_of_single_addresses_is_bounded);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
