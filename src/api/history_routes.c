/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations: what they were, how they differ, and going back to one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "api/query.h"
#include "model/json.h"

#define HISTORY_DEFAULT 100
#define HISTORY_MAX     1000

static void history_done(json_t *value, const struct err *err, void *arg)
{
	if (err)
		call_answer_err(arg, err);
	else
		call_answer_json(arg, 200, json_pack("{s:O}", "history", value));
}

void history_get(struct call *c)
{
	uint64_t before, max;

	if (!query_number(c, "before", 0, 0, INT64_MAX, &before) ||
	    !query_number(c, "max", HISTORY_DEFAULT, 1, HISTORY_MAX, &max))
		return;
	engine_history(c->engine, before, (unsigned int)max, history_done, c);
}

static void diff_done(char *text, const struct err *err, void *arg)
{
	if (err)
		call_answer_err(arg, err);
	else
		call_answer_text(arg, 200, JSON_TYPE, text, strlen(text));
}

void diff_get(struct call *c)
{
	uint64_t from, to;

	if (!http_query(c->req, "from")) {
		call_answer_problem(c, 400,
				    "query parameter \"from\": missing; expected the number "
				    "of a generation");
		return;
	}
	if (!query_number(c, "from", 0, 0, INT64_MAX, &from) ||
	    !query_number(c, "to", engine_generation(c->engine), 0, INT64_MAX, &to))
		return;
	engine_diff(c->engine, from, to, diff_done, c);
}

/* {"generation":17} */
static int read_generation(const struct call *c, uint64_t *out, struct err *err)
{
	size_t len;
	const char *text = http_body(c->req, &len);
	json_t *body = json_parse(text ? text : "", len, err);
	const json_t *number;
	int code = 0;

	if (!body)
		return -EINVAL;
	number = json_object_get(body, "generation");
	if (!json_is_object(body) || json_object_size(body) != 1 || !json_is_integer(number) ||
	    json_integer_value(number) < 0)
		code = err_add(err, ERR_INVALID, -EINVAL, "/generation",
			       "expected {\"generation\": NUMBER} and nothing else");
	else
		*out = (uint64_t)json_integer_value(number);
	json_decref(body);
	return code;
}

static void rollback_done(const struct engine_result *result, const struct err *err, void *arg)
{
	struct call *c = arg;

	call_set_generation(c, result->generation);
	if (err) {
		call_answer_err(c, err);
	} else if (c->is_dry_run) {
		operations_answer(c, result->ops, result->generation);
	} else {
		if (result->is_changed)
			call_accepted(c, result->generation);
		call_answer_json(c, 200,
				 json_pack("{s:I,s:b}", "generation",
					   (json_int_t)result->generation, "changed",
					   result->is_changed));
	}
}

void rollback_post(struct call *c)
{
	char what[CALL_WHAT_BYTES];
	struct requester who = { .what = call_what(c, what) };
	struct err err = ERR_INIT;
	uint64_t generation = 0;

	if (!if_match_holds(&c->if_match, engine_generation(c->engine), true)) {
		call_answer_problem(c, 412, "If-Match %s: the generation is %" PRIu64,
				    http_header(c->req, "If-Match"), engine_generation(c->engine));
		return;
	}
	if (read_generation(c, &generation, &err)) {
		call_answer_err(c, &err);
		err_fini(&err);
		return;
	}
	http_peer(c->req, &who.uid, &who.pid);
	engine_rollback(c->engine, &who, c->is_dry_run, generation, rollback_done, c);
}

static void confirm_done(const struct err *err, void *arg)
{
	struct call *c = arg;

	call_set_generation(c, engine_generation(c->engine));
	if (err)
		call_answer_err(c, err);
	else
		call_answer_json(
			c, 200,
			json_pack("{s:I}", "generation", (json_int_t)engine_generation(c->engine)));
}

void confirm_post(struct call *c)
{
	engine_confirm(c->engine, confirm_done, c);
}
