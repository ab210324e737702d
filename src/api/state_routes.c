/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/services/{service}/backends/{backend}/state: what the operator wants of a backend now, and
 * how far its drain is. To set it is a change of the service as any other, but that it is possible
 * in file mode: there it lies over what the file says.
 */
#include <errno.h>

#include "api/call.h"
#include "api/edit.h"
#include "api/handlers.h"
#include "api/query.h"

#define WAIT_MAX_S 600

static void put_drain(json_t *object, const struct drain_status *s)
{
	json_t *drain = json_pack("{s:I, s:s, s:b}", "since_ms", (json_int_t)s->since_ms,
				  "on_drain_timeout", on_drain_timeout_name(s->on_timeout), "done",
				  s->is_done);

	if (s->deadline_ms)
		json_object_set_new(drain, "deadline_ms", json_integer(s->deadline_ms));
	if (s->is_counted)
		json_object_set_new(drain, "connections", json_integer(s->connections));
	if (s->is_done) {
		json_object_set_new(drain, "done_ms", json_integer(s->done_ms));
		json_object_set_new(drain, "reason",
				    json_string(s->is_over_time ? "deadline" : "all_gone"));
		json_object_set_new(drain, "cut", json_boolean(s->is_cut));
	}
	json_object_set_new(object, "drain", drain);
}

static void answer_state(void *arg)
{
	struct call *c = arg;
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);
	const struct backend *b = s ? service_backend(s, c->names[1]) : NULL;
	struct drain_status status;
	struct overlay_state over;
	json_t *object;

	if (!b) {
		call_answer_problem(c, 404, "service \"%s\"%s%s%s", c->names[0],
				    s ? ": backend \"" : "", s ? c->names[1] : "",
				    s ? "\": no such backend" : ": no such service");
		return;
	}
	object = json_pack("{s:s}", "state", backend_state_name(b->state));
	if (c->overlay) {
		over = overlay_get(c->overlay, s->name, b->name, b->state);
		json_object_set_new(object, "state_of_file",
				    json_string(backend_state_name(over.of_file)));
	}
	if (drainer_status(c->drainer, s->name, b->name, &status))
		put_drain(object, &status);
	call_set_generation(c, engine_generation(c->engine));
	call_answer_json(c, 200, object);
}

void state_get(struct call *c)
{
	uint64_t wait_s;

	if (query_number(c, "wait_s", 0, 0, WAIT_MAX_S, &wait_s))
		drainer_wait(c->drainer, c->names[0], c->names[1], (unsigned int)wait_s * 1000,
			     answer_state, c);
}

static int state_read(struct edit *e, struct err *err)
{
	return state_wish_from_json(e->body, &e->wish, err);
}

/* The overlay has it before the model does: the file may be read anew right after this. */
static void put_over(struct edit *e, const struct model *m)
{
	const struct service *s = model_service(m, e->names[0]);
	const struct backend *b = s ? service_backend(s, e->names[1]) : NULL;
	struct overlay_state to;

	if (!e->overlay || !b)
		return;
	/* What it had is what the model has, also when this is tried for the second time. */
	e->before = overlay_get(e->overlay, s->name, b->name, b->state);
	e->before.state = b->state;
	to = (struct overlay_state){ e->wish.state, e->before.of_file };
	overlay_set(e->overlay, s->name, b->name, &to);
}

static int state_prepare(struct edit *e, const struct model *m, struct changes *out,
			 struct err *err)
{
	json_t *patch = json_pack("{s:s}", "state", backend_state_name(e->wish.state));
	int rc = edit_patch_backend(e, m, patch, out, err);

	json_decref(patch);
	if (rc == 0)
		put_over(e, m);
	return rc;
}

static void state_ended(struct edit *e, const struct call *c, bool is_accepted)
{
	if (is_accepted)
		drainer_set_terms(c->drainer, e->names[0], e->names[1], &e->wish);
	else if (e->overlay && e->service)
		overlay_set(e->overlay, e->names[0], e->names[1], &e->before);
}

static json_t *state_result(const struct edit *e, uint64_t generation)
{
	(void)generation;
	return json_pack("{s:s}", "state", backend_state_name(e->wish.state));
}

const struct edit_kind state_put = {
	.body = EDIT_JSON,
	.is_state = true,
	.read = state_read,
	.prepare = state_prepare,
	.ended = state_ended,
	.result = state_result,
};
