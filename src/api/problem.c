/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages may quote what a client sent, so they may hold bytes that are not
 * UTF-8; JSON cannot carry those, and they are shown as U+FFFD.
 */
#include "api/problem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/http_parse.h"
#include "base/mem.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Length of the UTF-8 sequence that the lead byte announces; 0: not a lead byte. */
static size_t sequence_len(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

static json_t *utf8_string(const char *s)
{
	json_t *value = json_string(s);
	char *clean, *to;

	if (value)
		return value;
	to = clean = mem_calloc(strlen(s) + 1, sizeof(REPLACEMENT));
	while (*s) {
		size_t n = sequence_len((unsigned char)*s);
		json_t *one = n && strnlen(s, n) == n ? json_stringn(s, n) : NULL;

		if (one) {
			memcpy(to, s, n);
			to += n;
			s += n;
		} else {
			memcpy(to, REPLACEMENT, sizeof(REPLACEMENT) - 1);
			to += sizeof(REPLACEMENT) - 1;
			s++;
		}
		json_decref(one);
	}
	value = json_string(clean);
	free(clean);
	return value;
}

/* RFC 9457, 4.2.1: the title of about:blank is the status's own phrase. */
static json_t *problem_head(int status, const char *detail)
{
	return json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title",
			 http_reason(status), "status", status, "detail", utf8_string(detail));
}

static void add_problem(json_t *problems, const char *pointer, const char *message)
{
	json_array_append_new(problems, json_pack("{s:o, s:o}", "pointer", utf8_string(pointer),
						  "message", utf8_string(message)));
}

static char *finish(json_t *problem, json_t *problems, size_t *len)
{
	char *text;

	json_object_set_new(problem, "problems", problems);
	text = json_dumps(problem, JSON_COMPACT);
	json_decref(problem);
	text = text ? text : mem_strdup("{}");
	*len = strlen(text);
	return text;
}

char *problem_body(int status, const char *detail, size_t *len)
{
	json_t *problems = json_array();

	add_problem(problems, "", detail);
	return finish(problem_head(status, detail), problems, len);
}

char *problem_body_of_err(const struct err *err, size_t *len)
{
	int status = err_status(err->kind);
	json_t *problem = problem_head(status, err_text(err));
	json_t *problems = json_array();

	for (size_t i = 0; i < err->n_problems; i++)
		add_problem(problems, err->problems[i].pointer, err->problems[i].message);
	if (err->n_dropped)
		json_object_set_new(problem, "more_problems",
				    json_integer((json_int_t)err->n_dropped));
	return finish(problem, problems, len);
}
