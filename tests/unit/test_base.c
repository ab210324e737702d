/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors, log, memory and suggestions. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/by_name.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "model_testing.h"

START_TEST(test_err_collects)
{
	struct err err;

	err_init(&err);
	ck_assert(!err_any(&err));
	ck_assert_str_eq(err_text(&err), "");
	ck_assert_int_eq(err_add(&err, ERR_INVALID, -EINVAL, "/a", "port %d", 0), -EINVAL);
	ck_assert_int_eq(err_add(&err, ERR_SYSTEM, -EIO, NULL, "second"), -EIO);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_str_eq(err_text(&err), "port 0");
	ck_assert_str_eq(err.problems[1].pointer, "");
	err_reset(&err);
	ck_assert(!err_any(&err) && err.n_problems == 0);
	err_fini(&err);
}
END_TEST

START_TEST(test_err_is_bounded)
{
	struct err err = ERR_INIT, more = ERR_INIT;

	for (int i = 0; i < ERR_MAX_PROBLEMS + 10; i++)
		err_add(&err, ERR_INVALID, -EINVAL, NULL, "%d", i);
	ck_assert_uint_eq(err.n_problems, ERR_MAX_PROBLEMS);
	ck_assert_uint_eq(err.n_dropped, 10);
	err_add(&more, ERR_SYSTEM, -EIO, NULL, "one more");
	err_move(&err, &more);
	ck_assert_uint_eq(err.n_dropped, 11);
	ck_assert(!err_any(&more) && more.problems == NULL);
	err_move(&more, &err);
	ck_assert_uint_eq(more.n_problems, ERR_MAX_PROBLEMS);
	ck_assert_uint_eq(more.n_dropped, 11);
	ck_assert_int_eq(more.kind, ERR_INVALID);
	err_fini(&err);
	err_fini(&more);
}
END_TEST

START_TEST(test_err_is_printable_utf8)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac "
							       "\xf0\x9f\x98\x80" },
		{ "\033[31mred\n", "?[31mred?" },
		{ "\xff\xfe", "??" },
		{ "cut \xe2\x82", "cut ??" },
		{ "overlong \xc0\xaf \xe0\x80\xaf", "overlong ?? ???" },
		{ "surrogate \xed\xa0\x80", "surrogate ???" },
		{ "C1 \xc2\x9b", "C1 ??" },
		{ "beyond \xf4\x90\x80\x80", "beyond ????" },
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		err_add(&err, ERR_INVALID, -EINVAL, t[i].in, "%s", t[i].in);
		ck_assert_str_eq(err.problems[i].pointer, t[i].out);
		ck_assert_str_eq(err.problems[i].message, t[i].out);
	}
	err_fini(&err);
}
END_TEST

START_TEST(test_err_kinds_have_status_and_title)
{
	ck_assert_int_eq(err_status(ERR_SYNTAX), 400);
	ck_assert_int_eq(err_status(ERR_INVALID), 422);
	ck_assert_int_eq(err_status(ERR_STALE), 412);
	for (int kind = ERR_NONE; kind <= ERR_SYSTEM; kind++) {
		ck_assert_int_ge(err_status(kind), 200);
		ck_assert(err_title(kind)[0]);
	}
}
END_TEST

/* What is written to stderr while body runs. */
static void stderr_into(char *buf, size_t size, void (*body)(void))
{
	int saved = dup(STDERR_FILENO), fds[2];
	ssize_t n;

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	body();
	dup2(saved, STDERR_FILENO);
	n = read(fds[0], buf, size - 1);
	buf[n < 0 ? 0 : n] = '\0';
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

static void log_some(void)
{
	char long_text[5000];

	log_set_level(LOG_LEVEL_WARN);
	log_info("test", "not seen");
	errno = 77;
	log_warn("test", "one\ntwo \033[0m");
	ck_assert_int_eq(errno, 77);
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	log_error("test", "%s", long_text);
}

START_TEST(test_log_writes_whole_lines)
{
	char buf[8192], *second;

	stderr_into(buf, sizeof(buf), log_some);
	ck_assert_msg(strncmp(buf, "warn test: one?two ?[0m\n", 24) == 0, "%s", buf);
	second = strchr(buf, '\n') + 1;
	ck_assert_msg(strncmp(second, "error test: xxx", 15) == 0, "%s", second);
	ck_assert_ptr_eq(strchr(second, '\n'), second + strlen(second) - 1);
}
END_TEST

static void log_json_some(void)
{
	char long_text[5000];

	log_set_json(true);
	log_info("test", "a \"b\" \\ c\nd \xff caf\xc3\xa9");
	memset(long_text, '"', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	log_error("test", "%s", long_text);
	for (int i = 0; i < 5000 - 2; i += 2)
		memcpy(long_text + i, "\xc3\xa9", 3);
	log_warn("test", "x%s", long_text); /* cut within a character */
	log_set_json(false);
}

static const char *json_member(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	ck_assert_msg(text != NULL, "no %s", name);
	return text;
}

START_TEST(test_log_json_is_one_valid_object_a_line)
{
	static const char *const levels[] = { "info", "error", "warn" };
	char buf[16384], *at = buf;
	struct tm tm;

	log_set_level(LOG_LEVEL_INFO);
	stderr_into(buf, sizeof(buf), log_json_some);
	for (size_t i = 0; i < 3; i++) {
		char *end = strchr(at, '\n');
		json_t *line;

		ck_assert_ptr_nonnull(end);
		line = json_loadb(at, (size_t)(end - at), 0, NULL);
		ck_assert_msg(json_is_object(line), "%s", at);
		ck_assert_uint_eq(json_object_size(line), 4);
		ck_assert_str_eq(json_member(line, "level"), levels[i]);
		ck_assert_str_eq(json_member(line, "subsystem"), "test");
		ck_assert_ptr_nonnull(
			strptime(json_member(line, "time"), "%Y-%m-%dT%H:%M:%S.", &tm));
		if (i == 0)
			ck_assert_str_eq(json_member(line, "message"),
					 "a \"b\" \\ c?d ? caf\xc3\xa9");
		json_decref(line);
		at = end + 1;
	}
	ck_assert_str_eq(at, "");
}
END_TEST

START_TEST(test_log_levels)
{
	enum log_level level = LOG_LEVEL_INFO;

	ck_assert_int_eq(log_level_parse("debug", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(log_level_parse("DEBUG", &level), -EINVAL);
	ck_assert_int_eq(log_level_parse("", &level), -EINVAL);
	log_set_level(LOG_LEVEL_INFO);
	ck_assert(log_enabled(LOG_LEVEL_ERROR) && !log_enabled(LOG_LEVEL_DEBUG));
}
END_TEST

START_TEST(test_mem)
{
	struct {
		int *items;
		size_t n, cap;
	} v = { 0 };
	char *text = mem_printf("%s-%d", "a", 7), *copy = mem_strndup("abcdef", 3);

	ck_assert_str_eq(text, "a-7");
	ck_assert_str_eq(copy, "abc");
	free(text);
	free(copy);
	free(mem_alloc(0));
	for (int i = 0; i < 1000; i++)
		VEC_PUSH(v.items, v.n, v.cap) = i;
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(v.items[i], i);
	free(v.items);
}
END_TEST

START_TEST(test_mem_overflow_aborts)
{
	volatile size_t half = SIZE_MAX / 2;

	mem_calloc(half, 4);
}
END_TEST

static const struct {
	const char *word, *best;
} mistyped[] = {
	{ "schduler", "scheduler" },
	{ "shceduler", "scheduler" },
	{ "sched", "scheduler" },
	{ "Pool", "pool" },
	{ "pools", "pool" },
	{ "listener", "listeners" },
	{ "backend", "backends" },
	{ "unrelated", NULL },
	{ "", NULL },
	{ "p", NULL },
	{ "xyz", NULL },
	{ "backends", "backends" },
};

START_TEST(test_suggest)
{
	static const char *const words[] = { "scheduler", "pool", "listeners", "backends" };
	struct suggest s = suggest_for(mistyped[_i].word);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggest_offer(&s, words[i]);
	if (mistyped[_i].best)
		ck_assert_pstr_eq(s.best, mistyped[_i].best);
	else
		ck_assert_ptr_null(s.best);
}
END_TEST

START_TEST(test_suggest_ignores_very_long_words)
{
	char word[100000];
	struct suggest s;

	memset(word, 'p', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	s = suggest_for(word);
	suggest_offer(&s, "pool");
	ck_assert_ptr_null(s.best);
}
END_TEST

START_TEST(test_sorted_by_name)
{
	static const char *const names[] = { "web",    "web-1",          "we",
					     "web-10", "web-1000000001", "web-1000000000",
					     "web-2",  "w\xc3\xa4",      "web-100000000" };
	struct by_name items[sizeof(names) / sizeof(*names)];
	size_t n = sizeof(names) / sizeof(*names);

	for (size_t i = 0; i < n; i++)
		items[i] = (struct by_name){ .name = names[i], .object = names[i] };
	by_name_sort(items, n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_eq(items[i].object, items[i].name);
		if (i > 0)
			ck_assert_int_lt(strcmp(items[i - 1].name, items[i].name), 0);
	}
	by_name_sort(items, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = tcase_create("base");

	tcase_add_test(tc, test_err_collects);
	tcase_add_test(tc, test_err_is_bounded);
	tcase_add_test(tc, test_err_is_printable_utf8);
	tcase_add_test(tc, test_err_kinds_have_status_and_title);
	tcase_add_test(tc, test_log_writes_whole_lines);
	tcase_add_test(tc, test_log_json_is_one_valid_object_a_line);
	tcase_add_test(tc, test_log_levels);
	tcase_add_test(tc, test_mem);
	tcase_add_test_raise_signal(tc, test_mem_overflow_aborts, SIGABRT);
	tcase_add_loop_test(tc, test_suggest, 0, (int)(sizeof(mistyped) / sizeof(mistyped[0])));
	tcase_add_test(tc, test_suggest_ignores_very_long_words);
	tcase_add_test(tc, test_sorted_by_name);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
