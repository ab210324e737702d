/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going back: the store says what differs between now and then, and a request
 * makes it so. Between the two the configuration may have changed; the request
 * notices (its generation is not the one that was compared) and begins anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/engine_internal.h"

#define ATTEMPTS_MAX 10

struct rollback {
	struct engine *engine;
	struct requester who; /* what: owned */
	bool is_dry_run, is_outdated;
	unsigned int attempts;
	uint64_t from, to;
	json_t *differences;
	engine_done_fn *done;
	void *arg;
};

static void rollback_free(void *arg)
{
	struct rollback *r = arg;

	json_decref(r->differences);
	free((char *)r->who.what);
	free(r);
}

/* One row of store_diff(), as a change. */
static int want(const struct model *m, const json_t *row, struct changes *out, struct err *err)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	const json_t *after = json_object_get(row, "after");
	bool is_gone = json_is_null(after);

	if (strcmp(json_string_value(json_object_get(row, "object")), "service") == 0) {
		const struct service *s = is_gone ? NULL : service_from_json(after, name, "", err);

		if (!is_gone && !s)
			return -EINVAL;
		model_want_service(m, name, s, out);
		service_unref(s);
	} else {
		const struct pool *p = is_gone ? NULL : pool_from_json(after, name, "", err);

		if (!is_gone && !p)
			return -EINVAL;
		model_want_pool(m, name, p, out);
		pool_unref(p);
	}
	return 0;
}

static int prepare(const struct model *m, uint64_t generation, void *arg, struct changes *out,
		   struct err *err)
{
	struct rollback *r = arg;
	const json_t *row;
	size_t i;

	r->is_outdated = generation != r->from;
	if (r->is_outdated)
		return err_add(err, ERR_BUSY, -EAGAIN, NULL,
			       "the configuration keeps changing; try again");
	json_array_foreach (r->differences, i, row) {
		int code = want(m, row, out, err);

		if (code < 0)
			return code;
	}
	return 0;
}

static void compare(struct rollback *r);

static void done(const struct engine_result *result, const struct err *err, void *arg)
{
	struct rollback *r = arg;

	if (err && r->is_outdated && ++r->attempts < ATTEMPTS_MAX) {
		compare(r);
		return;
	}
	r->done(result, err, r->arg);
	engine_dispose(r->engine, rollback_free, r);
}

static void compared(json_t *value, const struct err *err, void *arg)
{
	struct rollback *r = arg;

	if (err) {
		struct engine_result result = { .generation = r->engine->generation };

		r->done(&result, err, r->arg);
		rollback_free(r);
		return;
	}
	json_decref(r->differences);
	r->differences = json_incref(value);
	engine_request(r->engine, &r->who, ENGINE_LARGE | (r->is_dry_run ? ENGINE_DRY_RUN : 0),
		       prepare, done, r);
}

static void compare(struct rollback *r)
{
	r->from = r->engine->generation;
	engine_differences(r->engine, r->from, r->to, compared, r);
}

void engine_rollback(struct engine *e, const struct requester *who, bool dry_run,
		     uint64_t generation, engine_done_fn *done_fn, void *arg)
{
	struct rollback *r = mem_zalloc(sizeof(*r));

	r->engine = e;
	r->who = *who;
	r->who.what = who->what ? mem_strdup(who->what) : NULL;
	r->is_dry_run = dry_run;
	r->to = generation;
	r->done = done_fn;
	r->arg = arg;
	compare(r);
}
