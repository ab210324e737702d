/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/services/{service}
 */
#include <errno.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/edit.h"
#include "api/handlers.h"

void service_get(struct call *c)
{
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);

	if (!s) {
		call_answer_problem(c, 404, "service \"%s\": no such service", c->names[0]);
		return;
	}
	if (!call_answered_unchanged(c))
		call_answer_json(c, 200, service_to_json(s));
}

static json_t *service_result(const struct edit *e, uint64_t generation)
{
	(void)generation;
	return service_to_json(e->service);
}

static int service_put_read(struct edit *e, struct err *err)
{
	char *pointer = edit_pointer("services", e->names[0]);

	e->service = service_from_json(e->body, e->names[0], pointer, err);
	free(pointer);
	return e->service ? 0 : -EINVAL;
}

static int service_put_prepare(struct edit *e, const struct model *m, struct changes *out,
			       struct err *err)
{
	(void)err;
	e->is_new = !edit_service(m, out, e->names[0]);
	model_want_service(m, e->names[0], e->service, out);
	return 0;
}

static int service_patch_prepare(struct edit *e, const struct model *m, struct changes *out,
				 struct err *err)
{
	const struct service *now = edit_service(m, out, e->names[0]);
	json_t *before, *after;
	int rc;

	if (!now)
		return edit_no_service(e->names[0], err);
	before = service_to_json(now);
	check_patch_type(before, e->body);
	after = json_merge_patch(before, e->body);
	rc = edit_want_service(e, m, after, out, err);
	json_decref(after);
	json_decref(before);
	return rc;
}

static int service_delete_prepare(struct edit *e, const struct model *m, struct changes *out,
				  struct err *err)
{
	if (!edit_service(m, out, e->names[0]))
		return edit_no_service(e->names[0], err);
	model_want_service(m, e->names[0], NULL, out);
	return 0;
}

const struct edit_kind service_put = {
	.body = EDIT_JSON,
	.read = service_put_read,
	.prepare = service_put_prepare,
	.result = service_result,
};

const struct edit_kind service_patch = {
	.body = EDIT_MERGE_PATCH,
	.prepare = service_patch_prepare,
	.result = service_result,
};

const struct edit_kind service_delete = {
	.prepare = service_delete_prepare,
};
