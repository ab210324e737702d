/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/services/{service}/limits: how full the backends are that may have only so many connections.
 */
#include "api/call.h"
#include "api/handlers.h"
#include "engine/limiter.h"
#include "plan/threshold.h"

static json_t *limit_to_json(const struct backend *b, const struct limiter_status *status)
{
	json_t *object = json_pack(
		"{s:I,s:I,s:I,s:b,s:I,s:I,s:I}", "max_connections", (json_int_t)b->max_connections,
		"min_connections", (json_int_t)threshold_lower(b), "connections",
		(json_int_t)status->open, "full", status->is_full, "times_full",
		(json_int_t)status->n_full, "overshoot", (json_int_t)status->overshoot,
		"overflowed", (json_int_t)status->n_refused);

	if (status->has_gate)
		json_object_set_new(object, "room",
				    status->is_shut ? json_null() : json_integer(status->room));
	return object;
}

/* The numbers are fresh enough: while there are limits, events keep them so. */
static void answer(void *arg)
{
	struct call *c = arg;
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);
	json_t *backends = json_object();

	for (size_t i = 0; s && i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];
		struct limiter_status status;

		if (limiter_status(c->limiter, s, b, &status))
			json_object_set_new(backends, b->name, limit_to_json(b, &status));
	}
	call_answer_json(c, 200,
			 json_pack("{s:s*,s:o}", "limit", s ? limit_name(service_limit(s)) : NULL,
				   "backends", backends));
}

void limits_get(struct call *c)
{
	if (!model_service(engine_model(c->engine), c->names[0]))
		call_answer_problem(c, 404, "service \"%s\": no such service", c->names[0]);
	else if (observer_is_recent(c->observer))
		answer(c);
	else
		observer_refresh(c->observer, answer, c);
}
