/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/pools/{pool}
 */
#include <errno.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/edit.h"
#include "api/handlers.h"

void pool_get(struct call *c)
{
	const struct pool *p = model_pool(engine_model(c->engine), c->names[0]);

	if (!p) {
		call_answer_problem(c, 404, "pool \"%s\": no such pool", c->names[0]);
		return;
	}
	if (!call_answered_unchanged(c))
		call_answer_json(c, 200, pool_to_json(p));
}

static json_t *pool_result(const struct edit *e, uint64_t generation)
{
	(void)generation;
	return pool_to_json(e->pool);
}

static int pool_put_read(struct edit *e, struct err *err)
{
	char *pointer = edit_pointer("pools", e->names[0]);

	e->pool = pool_from_json(e->body, e->names[0], pointer, err);
	free(pointer);
	return e->pool ? 0 : -EINVAL;
}

static int pool_put_prepare(struct edit *e, const struct model *m, struct changes *out,
			    struct err *err)
{
	(void)err;
	e->is_new = !edit_pool(m, out, e->names[0]);
	model_want_pool(m, e->names[0], e->pool, out);
	return 0;
}

static int pool_patch_prepare(struct edit *e, const struct model *m, struct changes *out,
			      struct err *err)
{
	const struct pool *now = edit_pool(m, out, e->names[0]);
	json_t *before, *after;
	int rc;

	if (!now)
		return edit_no_pool(e->names[0], err);
	before = pool_to_json(now);
	after = json_merge_patch(before, e->body);
	rc = edit_want_pool(e, m, after, out, err);
	json_decref(after);
	json_decref(before);
	return rc;
}

static int pool_delete_prepare(struct edit *e, const struct model *m, struct changes *out,
			       struct err *err)
{
	if (!edit_pool(m, out, e->names[0]))
		return edit_no_pool(e->names[0], err);
	model_want_pool(m, e->names[0], NULL, out);
	return 0;
}

const struct edit_kind pool_put = {
	.body = EDIT_JSON,
	.read = pool_put_read,
	.prepare = pool_put_prepare,
	.result = pool_result,
};

const struct edit_kind pool_patch = {
	.body = EDIT_MERGE_PATCH,
	.prepare = pool_patch_prepare,
	.result = pool_result,
};

const struct edit_kind pool_delete = {
	.prepare = pool_delete_prepare,
};
