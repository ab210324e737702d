/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of the session log: what is not known is null, and all of it is JSON. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "stats/session.h"
#include "stats_testing.h"

static json_t *line_of(const struct session *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *object;

	ck_assert_ptr_nonnull(out);
	session_put(s, out);
	fclose(out);
	ck_assert_int_eq(text[len - 1], '\n');
	ck_assert_ptr_eq(memchr(text, '\n', len), text + len - 1);
	object = json_loadb(text, len, 0, NULL);
	ck_assert_msg(object != NULL, "%s", text);
	free(text);
	return object;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

START_TEST(test_all_is_told)
{
	struct session s = { .flow = make_flow(FLOW_DESTROY, 3, 300),
			     .told_ns = 5000000000,
			     .service = "web",
			     .backend = "a" };
	json_t *o;

	s.flow.has_counters = true;
	s.flow.start_ns = 1000000000;
	s.flow.stop_ns = 4500000000;
	o = line_of(&s);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "duration_ms")), 3500);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "end_ms")), 4500);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "inpkts")), 3);
	ck_assert_str_eq(text_of(json_object_get(o, "backend"), "name"), "a");
	ck_assert_str_eq(text_of(o, "end"), "ok");
	json_decref(o);
}
END_TEST

START_TEST(test_what_is_not_known_is_null)
{
	struct session s = { .flow = make_flow(FLOW_DESTROY, 0, 0),
			     .told_ns = 5000000000,
			     .service = "web" };
	static const char *const keys[] = { "start_ms", "duration_ms", "inpkts",
					    "outpkts",  "inbytes",     "outbytes" };
	json_t *o;

	s.flow.has_counters = false;
	o = line_of(&s);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		ck_assert_msg(json_is_null(json_object_get(o, keys[i])), "%s", keys[i]);
	ck_assert(json_is_null(json_object_get(json_object_get(o, "backend"), "name")));
	ck_assert_int_eq(json_integer_value(json_object_get(o, "end_ms")), 5000);
	json_decref(o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("session");
	TCase *t = tcase_create("session");

	tcase_add_test(t, test_all_is_told);
	tcase_add_test(t, test_what_is_not_known_is_null);
	suite_add_tcase(s, t);
	return run_suite(s);
}
