/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/status
 */
#include <stdlib.h>
#include <unistd.h>

#include "api/call.h"
#include "api/handlers.h"
#include "base/clock.h"

#define I(n) ((json_int_t)(n))

static json_t *model_part(const struct model *m)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "services", I(model_n_services(m)), "pools",
			 I(model_n_pools(m)), "backends", I(model_n_backends(m)), "listeners",
			 I(model_n_listeners(m)));
}

static json_t *kernel_part(const struct engine_status *s)
{
	return json_pack("{s:{s:I, s:I, s:I}, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
			 /* lanes */
			 "lanes", "total", I(s->plan.lanes), "used", I(s->plan.lanes_used),
			 "without", I(s->plan.n_services_without_lane),
			 /* the table */
			 "elements", I(s->plan.n_elems), "programs", I(s->plan.n_programs),
			 "batches", I(s->batches), "batch_failures", I(s->batch_failures),
			 "last_commit_us", I(s->last_commit_ns / 1000), "drift_repaired",
			 I(s->drift_repaired), "garbage", I(s->garbage), "pending", I(s->pending),
			 "flushed", s->is_flushed);
}

/* What `apply --confirm` waits for: null when it does not. */
static json_t *confirm_part(const struct engine_status *s)
{
	int64_t left_ms;

	if (!s->rollback_at_ms)
		return json_null();
	left_ms = s->rollback_at_ms - clock_real_ms();
	return json_pack("{s:I, s:I}", "rollback_to", I(s->rollback_to), "seconds_left",
			 I(left_ms > 0 ? (left_ms + 999) / 1000 : 0));
}

static json_int_t uptime_s(const struct api *a)
{
	return I((clock_mono_ns() - a->started_ns) / 1000000000u);
}

static void take_members(json_t *to, json_t *from)
{
	json_object_update(to, from);
	json_decref(from);
}

void status_get(struct call *c)
{
	struct engine_status s;
	json_t *value;

	engine_status(c->engine, &s);
	value = json_pack("{s:s, s:I, s:b, s:{s:s, s:b}}", "version", PACKAGE_VERSION, "generation",
			  I(s.generation), "durable", s.is_durable, "table", "name", c->table,
			  "owner", s.is_owner);
	take_members(value, model_part(engine_model(c->engine)));
	take_members(value, kernel_part(&s));
	json_object_set_new(value, "confirm", confirm_part(&s));
	json_object_set_new(value, "connections", json_integer(http_n_connections(c->api->http)));
	json_object_set_new(value, "uptime_s", json_integer(uptime_s(c->api)));
	json_object_set_new(value, "pid", json_integer(getpid()));
	json_object_set_new(value, "preflight", findings_to_json(engine_findings(c->engine)));
	call_set_generation(c, s.generation);
	call_answer_json(c, 200, value);
}
