/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fnatctl: what can be told without a daemon. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/assign.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/difference.h"
#include "fnatctl/document.h"
#include "fnatctl/indent.h"
#include "fnatctl/names.h"
#include "fnatctl/progress.h"
#include "fnatctl/text.h"
#include "suite.h"

START_TEST(test_text_width)
{
	ck_assert_uint_eq(text_width(""), 0);
	ck_assert_uint_eq(text_width("abc"), 3);
	ck_assert_uint_eq(text_width("\xc3\xbcn\xc3\xaf"), 3);
	ck_assert_uint_eq(text_width("\xff\xfe"), 2);
}
END_TEST

START_TEST(test_text_safe)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f" },
		{ "\xc3\xbc", "\xc3\xbc" },
		{ "\xc3(", "\\xc3(" },                 /* cut short */
		{ "\xc0\xaf", "\\xc0\\xaf" },          /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogate */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" }, /* right-to-left override */
		{ "\xc2\x9b", "\\xc2\\x9b" },          /* CSI in C1 */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *safe = text_safe(cases[i].in);

		ck_assert_str_eq(safe, cases[i].out);
		free(safe);
	}
}
END_TEST

START_TEST(test_text_duration)
{
	char buf[64];

	ck_assert_str_eq(text_duration(59, buf), "59 s");
	ck_assert_str_eq(text_duration(61, buf), "1 min 1 s");
	ck_assert_str_eq(text_duration(7200, buf), "2 h 0 min");
	ck_assert_str_eq(text_duration(90000, buf), "1 d 1 h");
	ck_assert_str_eq(text_count(1, "service", buf), "1 service");
	ck_assert_str_eq(text_count(0, "service", buf), "0 services");
}
END_TEST

START_TEST(test_columns)
{
	static const char *const headings[] = { "NAME", ">N", "LAST", NULL };
	struct columns *c = columns_new(headings);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	columns_cell(c, "\xc3\xbc");
	columns_cell(c, "%d", 100);
	columns_cell(c, "x");
	columns_cell(c, "longer");
	columns_end_row(c);
	ck_assert_uint_eq(columns_rows(c), 2);
	columns_print(c, false, out);
	fclose(out);
	ck_assert_str_eq(text, "NAME      N  LAST\n"
			       "\xc3\xbc       100  x\n"
			       "longer\n");
	free(text);
	columns_free(c);
}
END_TEST

/* What assign_parse() makes of words; NULL when it refuses. The caller frees it. */
static char *assigned(const char *object, char *const args[])
{
	struct err err = ERR_INIT;
	size_t n = 0;
	json_t *v;
	char *text;

	while (args[n])
		n++;
	v = assign_parse(object, args, n, &err);
	ck_assert(v ? !err_any(&err) : err.kind == ERR_SYNTAX);
	text = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(v);
	err_fini(&err);
	return text;
}

START_TEST(test_assign)
{
	static const struct {
		const char *object;
		const char *args[4];
		const char *json; /* NULL: refused */
	} cases[] = {
		{ "backend",
		  { "weight=2", "address=10.0.0.1" },
		  "{\"address\":\"10.0.0.1\",\"weight\":2}" },
		{ "backend", { "address=10" }, "{\"address\":\"10\"}" },
		{ "backend", { "weight=" }, "{\"weight\":null}" },
		{ "backend", { "weight=abc" }, "{\"weight\":\"abc\"}" },
		{ "backend",
		  { "a.b.c=1", "a.b.d=x=y" },
		  "{\"a\":{\"b\":{\"c\":1,\"d\":\"x=y\"}}}" },
		{ "backend", { "x={\"y\":[1]}" }, "{\"x\":{\"y\":[1]}}" },
		{ "backend", { "{\"port\":80}" }, "{\"port\":80}" },
		{ "pool",
		  { "addresses=10.0.0.1-10.0.0.9,fd00::/120" },
		  "{\"addresses\":[\"10.0.0.1-10.0.0.9\",\"fd00::/120\"]}" },
		{ "pool", { "addresses=[\"10.0.0.1\"]" }, "{\"addresses\":[\"10.0.0.1\"]}" },
		{ "service",
		  { "check.status=200-299,404" },
		  "{\"check\":{\"status\":[\"200-299\",404]}}" },
		{ "service", { "check.version=2" }, "{\"check\":{\"version\":\"2\"}}" },
		{ "service", { "pool=7" }, "{\"pool\":\"7\"}" },
		{ "service",
		  { "listeners=192.0.2.1:80/udp,[2001:db8::1]:53" },
		  "{\"listeners\":[{\"address\":\"192.0.2.1\",\"port\":80,\"protocol\":\"udp\"},"
		  "{\"address\":\"2001:db8::1\",\"port\":53,\"protocol\":\"tcp\"}]}" },
		{ "service", { "listeners=[{\"port\":1}]" }, "{\"listeners\":[{\"port\":1}]}" },
		{ "service", { "listeners=2001:db8::1:80" }, NULL },
		{ "service", { "listeners=:80" }, NULL },
		{ "service", { "listeners=[::1" }, NULL },
		{ "service", { "listeners=[::1]x:80" }, NULL },
		{ "service", { "pool" }, NULL },
		{ "service", { "=x" }, NULL },
		{ "service", { "pool=\xff" }, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *json = assigned(cases[i].object, (char *const *)cases[i].args);

		ck_assert_pstr_eq(json, cases[i].json);
		free(json);
	}
}
END_TEST

/* The first line that document_explain() prints, and where its caret stands. */
static void explain(const char *json, char *line, size_t size, size_t *caret)
{
	struct document d = { mem_strdup("f"), mem_strdup(json), strlen(json) };
	char *text = NULL, *last;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool is_wrong = document_explain(&d, out);

	fclose(out);
	ck_assert(is_wrong);
	snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
	last = strrchr(text, '^');
	for (*caret = 0; last > text && last[-1] != '\n'; last--)
		++*caret;
	free(text);
	document_fini(&d);
}

START_TEST(test_document_explains)
{
	static const struct {
		const char *json, *place;
		size_t caret; /* two blanks stand before the line */
	} cases[] = {
		{ "{\"a\": tru}", "fnatctl: f:1:7: ", 2 + 6 },
		{ "{\n \"a\":1,\n\t\"a\":2}", "fnatctl: f:3:2: ", 2 + 1 },
		{ "{\"a\":\"\xc3\xbc\" x}", "fnatctl: f:1:10: ", 2 + 9 },
		{ "[1", "fnatctl: f:1:3: ", 2 + 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char line[256];
		size_t caret;

		explain(cases[i].json, line, sizeof(line), &caret);
		ck_assert_msg(!strncmp(line, cases[i].place, strlen(cases[i].place)), "%s", line);
		ck_assert_uint_eq(caret, cases[i].caret);
	}
}
END_TEST

START_TEST(test_document_that_is_right)
{
	struct document d = { mem_strdup("f"), mem_strdup("{\"a\":1}"), 7 };

	ck_assert(!document_explain(&d, stderr));
	document_fini(&d);
}
END_TEST

START_TEST(test_commands_are_complete)
{
	const struct command *c, *other;

	for (size_t i = 0; (c = command_at(i)); i++) {
		ck_assert(c->run && *c->summary);
		ck_assert_msg(!c->example || !strncmp(c->example, "fnatctl ", 8), "%s", c->words);
		for (size_t j = i + 1; (other = command_at(j)); j++)
			ck_assert_str_ne(c->words, other->words);
		for (size_t j = 0; c->alias && (other = command_at(j)); j++)
			ck_assert_msg(strcmp(c->alias, other->words) != 0 &&
					      (i == j || !other->alias ||
					       strcmp(c->alias, other->alias) != 0),
				      "%s", c->alias);
	}
}
END_TEST

START_TEST(test_command_find)
{
	static const struct {
		const char *words[4];
		const char *found; /* NULL: none */
		size_t n_words;
	} cases[] = {
		{ { "status" }, "status", 1 },
		{ { "status", "web" }, "status", 1 },
		{ { "show" }, "show", 1 },
		{ { "show", "services" }, "service list", 2 },
		{ { "service", "list" }, "service list", 2 },
		{ { "service" }, NULL, 0 },
		{ { "show", "servces" }, NULL, 0 },
		{ { "set", "backend", "web/a" }, "backend set", 2 },
		{ { "set" }, NULL, 0 },
		{ { "stat" }, NULL, 0 },
		{ { "" }, NULL, 0 },
	};

	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct command *c;
		size_t n = 0, n_words;

		while (cases[i].words[n])
			n++;
		c = command_find((char *const *)cases[i].words, n, &n_words);
		ck_assert_pstr_eq(c ? c->words : NULL, cases[i].found);
		if (c)
			ck_assert_uint_eq(n_words, cases[i].n_words);
	}
}
END_TEST

START_TEST(test_command_argument)
{
	struct command c = { .args = "A [B] C..." };
	size_t len;

	ck_assert(!strncmp(command_argument(&c, 1, &len), "[B]", 3) && len == 3);
	ck_assert(!strncmp(command_argument(&c, 9, &len), "C...", 4) && len == 4);
	c.args = "A";
	ck_assert_ptr_null(command_argument(&c, 1, &len));
	c.args = "";
	ck_assert_ptr_null(command_argument(&c, 0, &len));
}
END_TEST

/* Differences as lines of "PATH:BEFORE:AFTER ". */
static void write_difference(void *arg, const char *path, const json_t *before, const json_t *after)
{
	char *a = before ? json_dumps(before, JSON_ENCODE_ANY | JSON_COMPACT) : mem_strdup("");
	char *b = after ? json_dumps(after, JSON_ENCODE_ANY | JSON_COMPACT) : mem_strdup("");

	fprintf(arg, "%s:%s:%s ", path, a, b);
	free(a);
	free(b);
}

START_TEST(test_difference)
{
	static const struct {
		const char *before, *after, *found;
	} cases[] = {
		{ "{}", "{}", "" },
		{ "{\"a\":1}", "{\"a\":1}", "" },
		{ "{\"a\":1}", "{\"a\":2}", "a:1:2 " },
		{ "{\"b\":1,\"a\":{\"c\":1}}", "{\"a\":{\"c\":2}}", "a.c:1:2 b:1: " },
		{ "{\"a\":{}}", "{}", "a:{}: " },
		{ "{}", "{\"a\":{\"b\":{\"c\":1}}}", "a.b.c::1 " },
		{ "{\"a\":1}", "{\"a\":{\"b\":2}}", "a:1:{\"b\":2} " },
		{ "{\"a\":[1,2]}", "{\"a\":[2,3]}", "a:1: a::3 " },
		{ "{\"a\":[1,1]}", "{\"a\":[1]}", "a:1: " },
		{ "{\"a\":[1,2]}", "{\"a\":[2,1]}", "a:[1,2]:[2,1] " },
		{ "{\"a\":null}", "{\"a\":[]}", "a:null:[] " },
		{ "null", "{\"a\":1}", ":null:{\"a\":1} " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *a = json_loads(cases[i].before, JSON_DECODE_ANY, NULL);
		json_t *b = json_loads(cases[i].after, JSON_DECODE_ANY, NULL);
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		difference_find(a, b, write_difference, out);
		fclose(out);
		ck_assert_str_eq(text, cases[i].found);
		free(text);
		json_decref(a);
		json_decref(b);
	}
}
END_TEST

/* As jansson would have it, however it is cut. */
START_TEST(test_indent)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"a\":{},\"b\":[],\"c\":[1,-2.5,true,null,[[]]]}",
		"{\"a:{,\\\"\":\"} \\\\\",\"b\":\"\xc3\xbc\"}",
		"[ {\n\"a\" : 1 } ,\t2 ]",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *value = json_loads(texts[i], 0, NULL);
		char *want = json_dumps(value, JSON_INDENT(2)), *text = NULL;
		size_t len = 0;

		for (size_t cut = 0; cut <= strlen(texts[i]); cut++) {
			FILE *out = open_memstream(&text, &len);
			struct indent in = { .out = out };

			indent_take(&in, texts[i], cut);
			indent_take(&in, texts[i] + cut, strlen(texts[i]) - cut);
			fclose(out);
			ck_assert_str_eq(text, want);
			free(text);
		}
		free(want);
		json_decref(value);
	}
}
END_TEST

static void add_name(void *arg, const char *name)
{
	strcat(arg, name);
	strcat(arg, " ");
}

START_TEST(test_names)
{
	static const char json[] = "{\"a\": {\"x\": [1, {\"y\": 2}, \"z\"]}, \"b-1\":\"c,\\\"{d\", "
				   "\"e\\\"\": {}, \"f\": null}\n";
	char found[64];

	for (size_t piece = 1; piece < sizeof(json); piece++) {
		struct names n = { .found = add_name, .arg = found };

		*found = '\0';
		for (size_t i = 0; i < sizeof(json) - 1; i += piece)
			names_take(&n, json + i,
				   sizeof(json) - 1 - i < piece ? sizeof(json) - 1 - i : piece);
		ck_assert_str_eq(found, "a b-1 f ");
	}
}
END_TEST

START_TEST(test_names_that_are_none)
{
	static const char *const texts[] = { "[\"a\", {\"b\": 1}]", "\"a\"", "}}]{\"a", "" };
	char text[1000] = "{\"", found[64] = "";

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct names n = { .found = add_name, .arg = found };

		names_take(&n, texts[i], strlen(texts[i]));
		ck_assert_str_eq(found, "");
	}
	struct names n = { .found = add_name, .arg = found };
	memset(text + 2, 'x', sizeof(text) - 4);
	memcpy(text + sizeof(text) - 3, "\":", 2);
	names_take(&n, text, sizeof(text));
	ck_assert_str_eq(found, "");
}
END_TEST

START_TEST(test_progress)
{
	char *text = NULL, buf[64];
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct progress p;

	progress_init(&p, out);
	progress_show(&p, 1, 2, 0); /* too early */
	progress_fini(&p);
	ck_assert_uint_eq(len, 0);
	progress_init(&p, out);
	p.begin_ms = 0;
	progress_show(&p, 1, 2, 0);
	progress_show(&p, 1, 2, 0); /* too often */
	progress_fini(&p);
	fclose(out);
	ck_assert_str_eq(text, "\rsending 50 % of 1 MB\033[K\r\033[K");
	free(text);
	ck_assert_str_eq(progress_text(3100, 5, 5, 0, buf), "fnatd works on it, 3 s");
	ck_assert_str_eq(progress_text(3100, 5, 5, 12 << 20, buf), "received 12 MB");
}
END_TEST

START_TEST(test_command_arity)
{
	static const struct {
		const char *args;
		size_t min, max;
	} cases[] = {
		{ "", 0, 0 },
		{ "A", 1, 1 },
		{ "[A]", 0, 1 },
		{ "A [B]", 1, 2 },
		{ "A B...", 2, SIZE_MAX },
		{ "[A...]", 0, SIZE_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct command c = { .args = cases[i].args };
		size_t min, max;

		command_arity(&c, &min, &max);
		ck_assert_uint_eq(min, cases[i].min);
		ck_assert_uint_eq(max, cases[i].max);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl");
	TCase *tc = tcase_create("ctl");

	tcase_add_test(tc, test_text_width);
	tcase_add_test(tc, test_text_safe);
	tcase_add_test(tc, test_text_duration);
	tcase_add_test(tc, test_columns);
	tcase_add_test(tc, test_assign);
	tcase_add_test(tc, test_document_explains);
	tcase_add_test(tc, test_document_that_is_right);
	tcase_add_test(tc, test_commands_are_complete);
	tcase_add_test(tc, test_command_find);
	tcase_add_test(tc, test_command_arity);
	tcase_add_test(tc, test_command_argument);
	tcase_add_test(tc, test_difference);
	tcase_add_test(tc, test_indent);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_names_that_are_none);
	tcase_add_test(tc, test_progress);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
