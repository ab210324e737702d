/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/services/{service}/backends and below. A backend is a part of its service: a
 * change of one is a change of the service's value, checked as a whole.
 */
#include <errno.h>

#include "api/call.h"
#include "api/edit.h"
#include "api/handlers.h"

void backends_get(struct call *c)
{
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);
	json_t *backends;

	if (!s) {
		call_answer_problem(c, 404, "service \"%s\": no such service", c->names[0]);
		return;
	}
	if (call_answered_unchanged(c))
		return;
	backends = json_object();
	for (size_t i = 0; i < s->n_backends; i++)
		json_object_set_new_nocheck(backends, s->backends[i].name,
					    backend_to_json(&s->backends[i]));
	call_answer_json(c, 200, backends);
}

void backend_get(struct call *c)
{
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);
	const struct backend *b = s ? service_backend(s, c->names[1]) : NULL;

	if (!b) {
		call_answer_problem(c, 404, "service \"%s\"%s%s%s", c->names[0],
				    s ? ": backend \"" : "", s ? c->names[1] : "",
				    s ? "\": no such backend" : ": no such service");
		return;
	}
	if (!call_answered_unchanged(c))
		call_answer_json(c, 200, backend_to_json(b));
}

static json_t *backend_result(const struct edit *e, uint64_t generation)
{
	(void)generation;
	return backend_to_json(service_backend(e->service, e->names[1]));
}

/* The name is a key in a JSON object from here on, and those are UTF-8. */
static int backend_read(struct edit *e, struct err *err)
{
	return name_check(e->names[1], "backend", "", err);
}

/* The service's JSON with `backends` borrowed from it; NULL when there is no such service. */
static json_t *service_now(const struct edit *e, const struct model *m, const struct changes *out,
			   json_t **backends, struct err *err)
{
	const struct service *s = edit_service(m, out, e->names[0]);
	json_t *value;

	if (!s) {
		edit_no_service(e->names[0], err);
		return NULL;
	}
	value = service_to_json(s);
	*backends = json_object_get(value, "backends");
	return value;
}

static int backend_put_prepare(struct edit *e, const struct model *m, struct changes *out,
			       struct err *err)
{
	json_t *backends, *service = service_now(e, m, out, &backends, err);
	int rc;

	if (!service)
		return -ENOENT;
	e->is_new = !json_object_get(backends, e->names[1]);
	json_object_set(backends, e->names[1], e->body);
	rc = edit_want_service(e, m, service, out, err);
	json_decref(service);
	return rc;
}

int edit_patch_backend(struct edit *e, const struct model *m, const json_t *patch,
		       struct changes *out, struct err *err)
{
	json_t *backends, *service = service_now(e, m, out, &backends, err);
	json_t *before;
	int rc;

	if (!service)
		return -ENOENT;
	before = json_object_get(backends, e->names[1]);
	if (before) {
		json_object_set_new(backends, e->names[1], json_merge_patch(before, patch));
		rc = edit_want_service(e, m, service, out, err);
	} else {
		rc = edit_no_backend(e->names[0], e->names[1], err);
	}
	json_decref(service);
	return rc;
}

static int backend_patch_prepare(struct edit *e, const struct model *m, struct changes *out,
				 struct err *err)
{
	return edit_patch_backend(e, m, e->body, out, err);
}

static int backend_delete_prepare(struct edit *e, const struct model *m, struct changes *out,
				  struct err *err)
{
	json_t *backends, *service = service_now(e, m, out, &backends, err);
	int rc;

	if (!service)
		return -ENOENT;
	if (json_object_del(backends, e->names[1]) == 0)
		rc = edit_want_service(e, m, service, out, err);
	else
		rc = edit_no_backend(e->names[0], e->names[1], err);
	json_decref(service);
	return rc;
}

const struct edit_kind backend_put = {
	.body = EDIT_JSON,
	.read = backend_read,
	.prepare = backend_put_prepare,
	.result = backend_result,
};

const struct edit_kind backend_patch = {
	.body = EDIT_MERGE_PATCH,
	.prepare = backend_patch_prepare,
	.result = backend_result,
};

const struct edit_kind backend_delete = {
	.prepare = backend_delete_prepare,
};
