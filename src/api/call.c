/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every answer passes through answered(), so that none lacks its line in the log,
 * and frees the call.
 */
#include "api/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/problem.h"
#include "base/log.h"
#include "base/mem.h"

const char *call_what(const struct call *c, char buf[CALL_WHAT_BYTES])
{
	int n = snprintf(buf, CALL_WHAT_BYTES, "%s %s", http_method(c->req), http_target(c->req));

	if (n >= CALL_WHAT_BYTES)
		strcpy(buf + CALL_WHAT_BYTES - 4, "...");
	return buf;
}

#define LINE_BYTES (CALL_WHAT_BYTES + 512)

/* What the log will say of the answer; "": nothing. */
static void compose(const struct call *c, int status, const char *why, char line[LINE_BYTES])
{
	char what[CALL_WHAT_BYTES];
	long uid, pid;
	int n;

	line[0] = '\0';
	if (!log_enabled(c->accepted ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG))
		return;
	http_peer(c->req, &uid, &pid);
	n = snprintf(line, LINE_BYTES, "uid %ld pid %ld: %s -> %d", uid, pid, call_what(c, what),
		     status);
	if (c->accepted)
		snprintf(line + n, (size_t)(LINE_BYTES - n), " generation %" PRIu64, c->accepted);
	else if (why)
		snprintf(line + n, (size_t)(LINE_BYTES - n), ": %s", why);
}

static void tell(const char *line, bool is_accepted)
{
	if (!*line)
		return;
	if (is_accepted)
		log_info("api", "%s", line);
	else
		log_debug("api", "%s", line);
}

static void answer(struct call *c, int status, const char *why, const char *type, char *text,
		   size_t len)
{
	char line[LINE_BYTES];

	compose(c, status, why, line);
	http_reply_take(c->req, status, type, text, len);
	tell(line, c->accepted);
	free(c);
}

void call_refresh(struct call *c, const char *service, observer_fn *fn)
{
	if (c->tally)
		tally_refresh(c->tally, service, fn, c);
	else
		observer_refresh(c->observer, fn, c);
}

void call_accepted(struct call *c, uint64_t generation)
{
	c->accepted = generation;
}

void call_answer_text(struct call *c, int status, const char *type, char *text, size_t len)
{
	answer(c, status, NULL, type, text, len);
}

void call_answer_json(struct call *c, int status, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	call_answer_text(c, status, JSON_TYPE, text, strlen(text));
}

void call_answer_empty(struct call *c, int status)
{
	call_answer_text(c, status, NULL, NULL, 0);
}

static void answer_problem_body(struct call *c, int status, const char *why, char *text, size_t len)
{
	if (status == 503)
		http_set_header(c->req, "Retry-After", "1");
	answer(c, status, why, PROBLEM_TYPE, text, len);
}

void call_answer_err(struct call *c, const struct err *err)
{
	size_t len;
	char *text = problem_body_of_err(err, &len);

	answer_problem_body(c, err_status(err->kind), err_text(err), text, len);
}

void call_answer_problem(struct call *c, int status, const char *fmt, ...)
{
	char detail[512];
	size_t len;
	char *text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	text = problem_body(status, detail, &len);
	answer_problem_body(c, status, detail, text, len);
}

void call_answer_stream(struct call *c, const char *type, const struct http_stream *stream,
			void *arg)
{
	char line[LINE_BYTES];

	compose(c, 200, NULL, line);
	http_reply_start(c->req, 200, type, stream, arg);
	tell(line, false);
	free(c);
}

void call_set_generation(struct call *c, uint64_t generation)
{
	char tag[24];

	snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", generation);
	http_set_header(c->req, "ETag", tag);
}

bool call_answered_unchanged(struct call *c)
{
	uint64_t generation = engine_generation(c->engine);

	call_set_generation(c, generation);
	if (!if_match_holds(&c->if_match, generation, true)) {
		call_answer_problem(c, 412,
				    "the generation is %" PRIu64 ", not the one of If-Match",
				    generation);
		return true;
	}
	if (!if_none_match_holds(&c->if_none_match, generation, true)) {
		call_answer_empty(c, 304);
		return true;
	}
	return false;
}
