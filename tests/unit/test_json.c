/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to values to objects and back. Mistakes in documents are test_json_mistakes.c's. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"
#include "model_testing.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* ---- text ---- */

static const struct {
	const char *text;
	size_t len; /* 0: strlen(text) */
	const char *message;
} malformed[] = {
	{ "{", 0, "line 1, column 1: the text ends too early" },
	{ " ", 0, "the text ends too early" },
	{ "{\"a\": 1,\n  \"b\": tru }", 0, "line 2, column 10: not JSON" },
	{ "{\"a\":1,}", 0, "line 1, column 8: not JSON" },
	{ "{'a':1}", 0, "not JSON" },
	{ "{\"a\":01}", 0, "not JSON" },
	{ "{\"a\":NaN}", 0, "not JSON" },
	{ "{\"a\":1} // comment", 0, "something follows the document's end" },
	{ "{}{}", 0, "something follows the document's end" },
	{ "{\"a\":1,\n\"a\":2}", 0, "line 2, column 3: duplicate key" },
	{ "{\"x\":{\"a\":1,\"\\u0061\":2}}", 0, "duplicate key" },
	{ "{\"a\":\"x\\u0000y\"}", 0, "NUL character" },
	{ "{\"a\\u0000b\":1}", 0, "NUL character" },
	{ "{\"a\":\"x\0y\"}", 11, "line 1, column" },
	{ "{\"a\":1}\0", 8, "line 1, column" },
	{ "\0", 1, "line 1, column" },
	{ "{\"a\":\"\xff\"}", 0, "not UTF-8" },
	{ "{\"a\":\"\xc0\xaf\"}", 0, "not UTF-8" },
	{ "{\"a\":\"\xed\xa0\x80\"}", 0, "not UTF-8" },
	{ "{\"\xfe\":1}", 0, "not UTF-8" },
	{ "\xff", 0, "not UTF-8" },
	{ "{\"a\":\"\\ud800\"}", 0, "not JSON" },
	{ "{\"a\":\"a\nb\"}", 0, "not JSON" },
	{ "{\"a\":99999999999999999999}", 0, "number out of range" },
	{ "{\"a\":1e999}", 0, "number out of range" },
	{ "\xef\xbb\xbf{}", 0, "not JSON" },
};

START_TEST(test_malformed_text)
{
	const char *text = malformed[_i].text;
	size_t len = malformed[_i].len ? malformed[_i].len : strlen(text);
	struct err err = ERR_INIT;
	struct config config;

	ck_assert_ptr_null(json_parse(text, len, &err));
	ck_assert_int_eq(err.kind, ERR_SYNTAX);
	ck_assert_msg(strstr(err_text(&err), malformed[_i].message), "%s", err_text(&err));
	err_reset(&err);
	ck_assert_int_eq(config_parse(text, len, &config, &err), -EINVAL);
	ck_assert_int_eq(err.kind, ERR_SYNTAX);
	ck_assert_uint_eq(err.n_problems, 1);
	err_fini(&err);
}
END_TEST

START_TEST(test_empty_text)
{
	struct err err = ERR_INIT;

	ck_assert_ptr_null(json_parse("", 0, &err));
	ck_assert_ptr_null(json_parse(NULL, 0, &err));
	ck_assert_str_eq(err_text(&err), "empty text: expected a JSON document");
	err_fini(&err);
}
END_TEST

START_TEST(test_nesting)
{
	enum { DEPTH = 100000 };
	static const char *const opens[] = { "[", "{\"a\":", "{\"services\":" };
	char *text = mem_alloc(DEPTH * 12 + 1), *p = text;
	struct err err = ERR_INIT;
	struct config config;

	for (int i = 0; i < DEPTH; i++)
		p = stpcpy(p, opens[_i]);
	ck_assert_ptr_null(json_parse(text, (size_t)(p - text), &err));
	ck_assert_int_eq(err.kind, ERR_SYNTAX);
	ck_assert_msg(strstr(err_text(&err), "nested too deeply"), "%s", err_text(&err));
	err_reset(&err);
	ck_assert_int_eq(config_parse(text, (size_t)(p - text), &config, &err), -EINVAL);
	ck_assert_msg(strstr(err_text(&err), "nested too deeply"), "%s", err_text(&err));
	err_fini(&err);
	free(text);
}
END_TEST

/* Nested as deep as the parser lets it be, and found where something else is expected. */
START_TEST(test_nested_value_is_shown_short)
{
	char text[8192] = "{\"services\":{\"web\":{\"pool\":", *p = text + strlen(text);
	struct err err = ERR_INIT;
	struct config config;

	memset(p, '[', 2000);
	memset(p + 2000, ']', 2000);
	strcpy(p + 4000, "}}}");
	ck_assert_int_eq(config_parse(text, strlen(text), &config, &err), -EINVAL);
	ck_assert_problem(&err, "/services/web/pool", "...: expected the name of a pool");
	for (size_t i = 0; i < err.n_problems; i++)
		ck_assert_uint_lt(strlen(err.problems[i].message), 400);
	err_fini(&err);
}
END_TEST

/* ---- documents without mistakes ---- */

#define LISTENER "{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}"
#define SIX      "{\"address\":\"2001:db8::1\",\"protocol\":\"tcp\",\"port\":80}"
#define POOLS    "\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.1\"]}}"

static const char full[] =
	"{ \"pools\": { \"lan\": { \"addresses\": [ \"10.1.0.50-10.1.0.113\", \"fd00:1::40/122\" ] "
	"},\n"
	"             \"b\": { \"addresses\": [ \"10.2.0.0/31\" ] } },\n"
	"  \"services\": { \"web\": {\n"
	"    \"listeners\": [ " SIX ", " LISTENER
	" ], \"forward\": \"fullnat\", \"pool\": \"lan\",\n"
	"    \"scheduler\": \"rr\", \"on_unavailable\": \"drop\",\n"
	"    \"backends\": { \"z\": { \"address\": \"10.1.0.11\", \"port\": 8080, \"weight\": 2 "
	"},\n"
	"                  \"a\": { \"address\": \"fd00:1::11\", \"weight\": 0 },\n"
	"                  \"m\": { \"address\": \"10.1.0.11\" } } },\n"
	"   \"dns\": { \"listeners\": [ "
	"{\"address\":\"192.0.2.1\",\"protocol\":\"udp\",\"port\":80} ],\n"
	"            \"pool\": \"b\" } } }\n";

static void check_full(const struct config *c)
{
	const struct service *web = c->services[1], *dns = c->services[0];

	ck_assert_uint_eq(c->n_services, 2);
	ck_assert_uint_eq(c->n_pools, 2);
	ck_assert_str_eq(dns->name, "dns");
	ck_assert_str_eq(c->pools[0]->name, "b");
	ck_assert_str_eq(web->name, "web");
	ck_assert_ptr_eq(web->scheduler, scheduler_canonical("rr"));
	ck_assert_int_eq(web->refusal, REFUSAL_DROP);
	ck_assert_uint_eq(web->n_listeners, 2);
	ck_assert_uint_eq(web->listeners[0].address.family, AF_INET6); /* the document's order */
	ck_assert_uint_eq(web->n_backends, 3);
	ck_assert_str_eq(web->backends[0].name, "a"); /* sorted */
	ck_assert_str_eq(web->backends[1].name, "m");
	ck_assert_uint_eq(web->backends[0].weight, 0);
	ck_assert_uint_eq(web->backends[1].port, 0);
	ck_assert_uint_eq(web->backends[1].weight, MODEL_WEIGHT_DEFAULT);
	ck_assert_uint_eq(web->backends[2].port, 8080);
	ck_assert_ptr_eq(service_backend(web, "z"), &web->backends[2]);
	ck_assert_ptr_null(service_backend(web, "y"));
	ck_assert_ptr_eq(dns->scheduler, scheduler_canonical("wrr"));
	ck_assert_int_eq(dns->refusal, REFUSAL_REJECT);
	ck_assert_uint_eq(dns->n_backends, 0);
	ck_assert_uint_eq(c->pools[1]->n4, 64);
	ck_assert_uint_eq(c->pools[1]->n6, 64);
}

START_TEST(test_full_document)
{
	struct err err = ERR_INIT;
	json_t *value = json_of(full);
	struct config a, b;

	ck_assert_msg(config_from_json(value, &a, &err) == 0, "%s", problems_text(&err));
	ck_assert_msg(config_parse(full, strlen(full), &b, &err) == 0, "%s", problems_text(&err));
	json_decref(value); /* nothing is borrowed from it */
	check_full(&a);
	check_full(&b);
	config_fini(&a);
	config_fini(&b);
}
END_TEST

#define HASHED(scheduler, hash)                                                                    \
	"{\"listeners\":[" LISTENER "],\"pool\":\"lan\",\"scheduler\":\"" scheduler "\"," hash     \
	"\"backends\":{\"a\":{\"address\":\"10.1.0.1\"}}}"

static const struct {
	const char *text;
	struct hash hash;
	const char *written; /* NULL: not at all */
} hashed[] = {
	{ HASHED("wrr", ""), { HASH_SOURCE, 32, 128, 0 }, NULL },
	{ HASHED("sh", ""),
	  { HASH_SOURCE, 32, 128, 0 },
	  "{\"key\":\"source\",\"prefix4\":32,\"prefix6\":128}" },
	{ HASHED("mh", "\"hash\":{\"key\":\"five_tuple\",\"prefix4\":24,\"table_size\":251},"),
	  { HASH_FIVE_TUPLE, 24, 128, 251 },
	  "{\"key\":\"five_tuple\",\"prefix4\":24,\"prefix6\":128,\"table_size\":251}" },
	/* Kept while another scheduler is tried. */
	{ HASHED("rr", "\"hash\":{\"key\":\"source_port\",\"prefix6\":64},"),
	  { HASH_SOURCE_PORT, 32, 64, 0 },
	  "{\"key\":\"source_port\",\"prefix4\":32,\"prefix6\":64}" },
};

START_TEST(test_hash)
{
	const struct service *s = service_of("web", hashed[_i].text), *again;
	json_t *value = service_to_json(s);
	json_t *hash = json_object_get(value, "hash");
	char *text = hash ? json_dumps(hash, JSON_COMPACT) : NULL;
	struct err err = ERR_INIT;

	ck_assert_int_eq(s->hash.key, hashed[_i].hash.key);
	ck_assert_int_eq(s->hash.prefix4, hashed[_i].hash.prefix4);
	ck_assert_int_eq(s->hash.prefix6, hashed[_i].hash.prefix6);
	ck_assert_uint_eq(s->hash.table_size, hashed[_i].hash.table_size);
	if (hashed[_i].written)
		ck_assert_str_eq(text, hashed[_i].written);
	else
		ck_assert_ptr_null(text);
	again = service_from_json(value, "web", "", &err);
	ck_assert(service_equal(s, again));
	service_unref(s);
	service_unref(again);
	json_decref(value);
	free(text);
}
END_TEST

/* Made once, and not taken over by a copy that may become another service. */
START_TEST(test_service_text)
{
	const struct service *s = service_of("web", HASHED("rr", "")), *changed;
	json_t *value = service_to_json(s);
	char *text = json_dumps(value, JSON_COMPACT);
	const char *kept = service_text(s);
	struct service other;

	ck_assert_str_eq(kept, text);
	ck_assert_ptr_eq(service_text(s), kept);
	other = *s;
	other.refusal = REFUSAL_DROP;
	changed = service_new(&other);
	ck_assert_ptr_nonnull(strstr(service_text(changed), "\"on_unavailable\":\"drop\""));
	ck_assert_str_eq(service_text(s), text);
	service_unref(changed);
	service_unref(s);
	json_decref(value);
	free(text);
}
END_TEST

/* A table must have room for every backend. */
START_TEST(test_table_too_small)
{
	struct err err = ERR_INIT;
	json_t *value = json_of(HASHED("mh", "\"hash\":{\"table_size\":251},"));
	json_t *backends = json_object_get(value, "backends");

	for (int i = 0; i < 251; i++) {
		char name[8], address[32];

		snprintf(name, sizeof(name), "b%d", i);
		snprintf(address, sizeof(address), "10.2.%d.1", i);
		json_object_set_new(backends, name, json_pack("{s:s}", "address", address));
	}
	ck_assert_ptr_null(service_from_json(value, "web", "", &err));
	ck_assert_problem(&err, "/hash/table_size",
			  "table_size 251: expected no less than the 252");
	err_fini(&err);
	json_decref(value);
}
END_TEST

START_TEST(test_written_and_read_again)
{
	struct err err = ERR_INIT;
	struct config c;

	ck_assert_int_eq(config_parse(full, strlen(full), &c, &err), 0);
	for (size_t i = 0; i < c.n_services; i++) {
		json_t *value = service_to_json(c.services[i]);
		const struct service *s = service_from_json(value, c.services[i]->name, "", &err);

		ck_assert_msg(s && service_equal(s, c.services[i]), "%s", problems_text(&err));
		/* defaults are written out */
		ck_assert(json_object_get(value, "scheduler"));
		ck_assert(json_object_get(value, "forward"));
		ck_assert(json_object_get(value, "on_unavailable"));
		ck_assert(json_object_get(value, "backends"));
		service_unref(s);
		json_decref(value);
	}
	for (size_t i = 0; i < c.n_pools; i++) {
		json_t *value = pool_to_json(c.pools[i]);
		const struct pool *p = pool_from_json(value, c.pools[i]->name, "", &err);

		ck_assert_msg(p && pool_equal(p, c.pools[i]), "%s", problems_text(&err));
		pool_unref(p);
		json_decref(value);
	}
	config_fini(&c);
}
END_TEST

START_TEST(test_backend_written)
{
	const struct service *s =
		service_of("web", "{\"listeners\":[" LISTENER "],\"pool\":\"lan\",\"backends\":{"
				  "\"a\":{\"address\":\"10.1.0.2\",\"port\":8080},"
				  "\"b\":{\"address\":\"10.1.0.3\",\"weight\":3}}}");
	json_t *a = backend_to_json(service_backend(s, "a"));
	json_t *b = backend_to_json(service_backend(s, "b"));
	json_t *want_a = json_of("{\"address\":\"10.1.0.2\",\"port\":8080,\"weight\":1}");
	json_t *want_b = json_of("{\"address\":\"10.1.0.3\",\"weight\":3}");

	ck_assert(json_equal(a, want_a));
	ck_assert(json_equal(b, want_b));
	json_decref(a);
	json_decref(b);
	json_decref(want_a);
	json_decref(want_b);
	service_unref(s);
}
END_TEST

static const char *const unusual[] = {
	"{}",
	" \t\r\n{ } \n",
	"{\"services\":{}}",
	"{\"services\":{},\"pools\":{}}",
	"{" POOLS "}",
	/* what the scan of the outline leaves to the plain way */
	"{\"p\\u006fols\":{\"l\\u0061n\":{\"addresses\":[\"10.1.0.1\"]}}}",
	"{\"pools\":{\"lan\":{\"addresses\":[\"\\u0031\\u0030.1.0.1\"]}}}",
};

START_TEST(test_unusual_but_valid)
{
	struct err err = ERR_INIT;
	struct config c;

	ck_assert_msg(config_parse(unusual[_i], strlen(unusual[_i]), &c, &err) == 0, "%s",
		      problems_text(&err));
	ck_assert_uint_eq(c.n_pools, strstr(unusual[_i], "addresses") ? 1 : 0);
	config_fini(&c);
}
END_TEST

/*
 * Both ways to read a document agree on whatever it is made into: bytes of a valid one are
 * changed, removed, doubled.
 */
START_TEST(test_both_ways_agree)
{
	static const char bytes[] = "{}[]\",:\\ \n0a/\xc3";
	struct err slow = ERR_INIT, fast = ERR_INIT;
	size_t n_valid = 0;

	srandom(20240501 + (unsigned int)_i);
	for (int round = 0; round < 3000; round++) {
		char *text = mem_strdup(full);
		size_t len = strlen(text);
		struct config a = { 0 }, b = { 0 };
		json_t *value;
		int rc_slow = -EINVAL, rc_fast;

		for (long n = random() % 3; n >= 0; n--) {
			size_t at = (size_t)random() % len, span = (size_t)random() % (len - at);

			if (random() % 4)
				text[at] = bytes[(size_t)random() % sizeof(bytes)];
			else
				memmove(text + at, text + at + span, len - at - span);
		}
		value = json_parse(text, len, &slow);
		if (value)
			rc_slow = config_from_json(value, &a, &slow);
		rc_fast = config_parse(text, len, &b, &fast);
		ck_assert_msg(rc_slow == rc_fast, "%.*s\n%s%s", (int)len, text,
			      problems_text(&slow), problems_text(&fast));
		ck_assert_uint_eq(slow.n_problems, fast.n_problems);
		ck_assert_uint_eq(a.n_services, b.n_services);
		for (size_t i = 0; i < a.n_services; i++)
			ck_assert(service_equal(a.services[i], b.services[i]));
		ck_assert_uint_eq(a.n_pools, b.n_pools);
		for (size_t i = 0; i < a.n_pools; i++)
			ck_assert(pool_equal(a.pools[i], b.pools[i]));
		n_valid += rc_slow == 0;
		json_decref(value);
		config_fini(&a);
		config_fini(&b);
		err_reset(&slow);
		err_reset(&fast);
		free(text);
	}
	ck_assert_uint_gt(n_valid, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("text");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_malformed_text, 0, N(malformed));
	tcase_add_test(tc, test_empty_text);
	tcase_add_loop_test(tc, test_nesting, 0, 3);
	tcase_add_test(tc, test_nested_value_is_shown_short);
	suite_add_tcase(suite, tc);

	tc = tcase_create("documents");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_full_document);
	tcase_add_test(tc, test_written_and_read_again);
	tcase_add_loop_test(tc, test_hash, 0, sizeof(hashed) / sizeof(hashed[0]));
	tcase_add_test(tc, test_service_text);
	tcase_add_test(tc, test_table_too_small);
	tcase_add_test(tc, test_backend_written);
	tcase_add_loop_test(tc, test_unusual_but_valid, 0, N(unusual));
	tcase_add_loop_test(tc, test_both_ways_agree, 0, 3);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
