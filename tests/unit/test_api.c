/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the API needs no daemon: the table of routes, preconditions, request
 * targets, the parser fed in any pieces, problems.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/edit.h"
#include "api/http_parse.h"
#include "api/http_target.h"
#include "api/precondition.h"
#include "api/problem.h"
#include "api/routes.h"
#include "base/mem.h"
#include "suite.h"

/* A path that fits the pattern, taken apart. */
static size_t split(char *path, const char *segments[8])
{
	size_t n = 0;
	char *rest = path + 1;

	while ((segments[n] = strsep(&rest, "/")))
		n++;
	return n;
}

START_TEST(every_route_is_found)
{
	for (size_t i = 0; route_at(i); i++) {
		const struct route *r = route_at(i), *found = NULL;
		const char *segments[8], *names[ROUTE_NAMES_MAX];
		char *path = mem_strdup(r->pattern), allow[ROUTE_ALLOW_BYTES];
		size_t n = split(path, segments);

		ck_assert_int_eq(route_find(r->method, segments, n, &found, names), ROUTE_FOUND);
		ck_assert_ptr_eq(found, r);
		ck_assert(!r->handle != !r->edit);
		ck_assert_ptr_nonnull(strstr(route_allow(segments, n, allow), r->method));
		ck_assert_int_eq(route_find("BREW", segments, n, &found, names), ROUTE_NO_METHOD);
		ck_assert_int_eq(route_find(r->method, segments, n - 1, &found, names) ==
						 ROUTE_FOUND &&
					 found == r,
				 0);
		free(path);
	}
}
END_TEST

START_TEST(names_and_methods_of_routes)
{
	const char *path[] = { "v1", "services", "a/b", "backends", "c" }, *names[2];
	const struct route *r;
	char allow[ROUTE_ALLOW_BYTES];

	ck_assert_int_eq(route_find("HEAD", path, 5, &r, names), ROUTE_FOUND);
	ck_assert_str_eq(r->method, "GET");
	ck_assert_str_eq(names[0], "a/b");
	ck_assert_str_eq(names[1], "c");
	ck_assert_str_eq(route_allow(path, 5, allow), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
	ck_assert_int_eq(route_find("GET", path, 1, &r, names), ROUTE_NO_PATH);
	ck_assert_str_eq(route_allow(path, 1, allow), "");
	ck_assert_int_eq(route_find("PUT", path, 3, &r, names), ROUTE_FOUND);
	ck_assert(route_takes(r, "dry_run"));
	ck_assert(!route_takes(r, "dry") && !route_takes(r, "") && !route_takes(r, "dry_run2"));
}
END_TEST

static const struct {
	const char *header;
	int rc;
	bool matches_17, none_match_17; /* of an object that is there */
} preconditions[] = {
	{ NULL, 0, true, true },
	{ "\"17\"", 0, true, false },
	{ "W/\"17\"", 0, false, false }, /* weak: good for If-None-Match only */
	{ "\"16\" , \"17\"", 0, true, false },
	{ "\"16\",\"18\"", 0, false, true },
	{ "\"abc\", \"17x\", \"\"", 0, false, true },
	{ "\"017\"", 0, true, false },
	{ "\"18446744073709551633\"", 0, false, true }, /* 2^64 + 17 */
	{ " * ", 0, true, false },
	{ "17", -EINVAL, false, false },
	{ "\"17", -EINVAL, false, false },
	{ "", -EINVAL, false, false },
	{ "*, \"17\"", -EINVAL, false, false },
	{ "\"17\" \"18\"", -EINVAL, false, false },
	{ "\"17\",", -EINVAL, false, false },
};

START_TEST(preconditions_hold)
{
	struct precondition p;

	ck_assert_int_eq(precondition_parse(preconditions[_i].header, &p), preconditions[_i].rc);
	if (preconditions[_i].rc)
		return;
	ck_assert(if_match_holds(&p, 17, true) == preconditions[_i].matches_17);
	ck_assert(if_none_match_holds(&p, 17, true) == preconditions[_i].none_match_17);
}
END_TEST

START_TEST(any_asks_for_the_object)
{
	struct precondition p;

	precondition_parse("*", &p);
	ck_assert(!if_match_holds(&p, 17, false));
	ck_assert(if_none_match_holds(&p, 17, false));
}
END_TEST

START_TEST(targets)
{
	struct http_target t;
	const char *why;

	ck_assert_int_eq(http_target_parse("/a//b%2Fc/?x=%3D%26&y&&z=1=2#frag", &t, &why), 0);
	ck_assert_uint_eq(t.n_segments, 4);
	ck_assert_str_eq(t.segments[1], "");
	ck_assert_str_eq(t.segments[2], "b/c");
	ck_assert_str_eq(t.segments[3], "");
	ck_assert_uint_eq(t.n_queries, 3);
	ck_assert_str_eq(t.queries[0].value, "=&");
	ck_assert_str_eq(t.queries[1].value, "");
	ck_assert_str_eq(t.queries[2].value, "1=2");
	http_target_fini(&t);
	ck_assert_int_eq(http_target_parse("/", &t, &why), 0);
	ck_assert_uint_eq(t.n_segments, 0);
	http_target_fini(&t);
	ck_assert_int_eq(http_target_parse("http://h:80/x?u=http://y/z", &t, &why), 0);
	ck_assert_str_eq(t.segments[0], "x");
	ck_assert_str_eq(t.queries[0].value, "http://y/z");
	http_target_fini(&t);
	ck_assert_int_eq(http_target_parse("/x?u=http://y/z", &t, &why), 0);
	ck_assert_uint_eq(t.n_segments, 1);
	http_target_fini(&t);
	ck_assert_int_eq(http_target_parse("host:80", &t, &why), -EINVAL);
	ck_assert_int_eq(http_target_parse("http://host", &t, &why), -EINVAL);
	ck_assert_int_eq(http_target_parse("/%", &t, &why), -EINVAL);
	ck_assert_int_eq(http_target_parse("/%4", &t, &why), -EINVAL);
	ck_assert_int_eq(http_target_parse("/a?%00", &t, &why), -EINVAL);
}
END_TEST

/* Any split of the bytes gives the same request. */
START_TEST(parser_takes_any_pieces)
{
	static const char text[] = "PATCH /p?q HTTP/1.1\r\nA: 1\r\nb:\r\na: 2 \r\n"
				   "Transfer-Encoding: chunked\r\n\r\n"
				   "2\r\n{}\r\n1;x=y\r\n \r\n0\r\nT: z\r\n\r\nGET /next";
	size_t end = sizeof(text) - 1 - strlen("GET /next"), len = sizeof(text) - 1;

	for (size_t cut = 0; cut < end; cut++) {
		struct http_parse *p = http_parse_new(4096, 100);
		struct http_message m;
		size_t used, second;

		ck_assert_int_eq(http_parse_feed(p, text, cut, &used), HTTP_PARSE_MORE);
		ck_assert_uint_eq(used, cut);
		ck_assert_int_eq(http_parse_feed(p, text + cut, len - cut, &second),
				 HTTP_PARSE_DONE);
		ck_assert_uint_eq(used + second, end);
		http_parse_take(p, &m);
		ck_assert_str_eq(m.method, "PATCH");
		ck_assert_str_eq(m.target, "/p?q");
		ck_assert_str_eq(http_message_field(&m, "a"), "1, 2");
		ck_assert_str_eq(http_message_field(&m, "B"), "");
		ck_assert_ptr_null(http_message_field(&m, "T"));
		ck_assert_uint_eq(m.body_len, 3);
		ck_assert_str_eq(m.body, "{} ");
		ck_assert(m.is_keep_alive);
		http_message_fini(&m);
		http_parse_free(p);
	}
}
END_TEST

START_TEST(problem_of_any_bytes)
{
	size_t len;
	char *text =
		problem_body(404, "\xc3\xa9 \xc3 \xe2\x82 \xf0\x9f\x98\x80 \xed\xa0\x80", &len);
	json_t *value = json_loadb(text, len, 0, NULL);

	ck_assert_ptr_nonnull(value);
	ck_assert_str_eq(json_string_value(json_object_get(value, "detail")),
			 "\xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd \xf0\x9f\x98\x80 "
			 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(value);
	free(text);
}
END_TEST

START_TEST(problem_lists_what_is_wrong)
{
	struct err err = ERR_INIT;
	json_t *value;
	size_t len;
	char *text;

	err_add(&err, ERR_INVALID, -1, "/services/a", "first");
	for (int i = 0; i < ERR_MAX_PROBLEMS + 2; i++)
		err_add(&err, ERR_INVALID, -1, NULL, "more");
	text = problem_body_of_err(&err, &len);
	value = json_loadb(text, len, 0, NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(value, "status")), 422);
	ck_assert_str_eq(json_string_value(json_object_get(value, "detail")), "first");
	ck_assert_uint_eq(json_array_size(json_object_get(value, "problems")), ERR_MAX_PROBLEMS);
	ck_assert_int_eq(json_integer_value(json_object_get(value, "more_problems")), 3);
	json_decref(value);
	free(text);
	err_fini(&err);
}
END_TEST

START_TEST(pointers_are_escaped)
{
	char *p = edit_pointer("services", "a/b~c");

	ck_assert_str_eq(p, "/services/a~1b~0c");
	free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api");
	TCase *t = tcase_create("api");

	tcase_add_test(t, every_route_is_found);
	tcase_add_test(t, names_and_methods_of_routes);
	tcase_add_loop_test(t, preconditions_hold, 0,
			    sizeof(preconditions) / sizeof(preconditions[0]));
	tcase_add_test(t, any_asks_for_the_object);
	tcase_add_test(t, targets);
	tcase_add_test(t, parser_takes_any_pieces);
	tcase_add_test(t, problem_of_any_bytes);
	tcase_add_test(t, problem_lists_what_is_wrong);
	tcase_add_test(t, pointers_are_escaped);
	suite_add_tcase(s, t);
	return run_suite(s);
}
