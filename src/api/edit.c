/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of an edit: body (on a thread when it is long) -> values -> the engine's
 * turn: preconditions and what changes, both against the model of that moment ->
 * kernel -> answer. A patch is applied in the engine's turn and not before, so that it
 * meets the object as it then is.
 */
#include "api/edit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/call.h"
#include "api/operations.h"
#include "api/query.h"
#include "base/mem.h"

/* A body of this size takes some milliseconds to read. */
#define LONG_BODY_BYTES (256u << 10)

/* A list of changes of this size takes some milliseconds to prepare. */
#define LARGE_BODY_BYTES (64u << 10)

/* Longest time to confirm in: a day. */
#define CONFIRM_MAX_S 86400

/* An edit on its way. */
struct edit_call {
	struct call *call;
	struct edit edit;
	char *text;
	size_t len;
	struct err err;
	unsigned int confirm_s; /* go back after that many seconds unless confirmed */
};

void edit_fini(struct edit *e)
{
	json_decref(e->body);
	service_unref(e->service);
	pool_unref(e->pool);
	config_fini(&e->config);
	if (e->list)
		e->kind->fini(e);
}

static void edit_call_free(void *arg)
{
	struct edit_call *ec = arg;

	edit_fini(&ec->edit);
	err_fini(&ec->err);
	free(ec->text);
	free(ec);
}

/* Even a short document may be a large change: it removes what it does not name. */
static bool is_large(const struct edit_call *ec)
{
	return ec->edit.kind->is_large || ec->len > LARGE_BODY_BYTES;
}

/* Of the preconditions, those of "*" (is_any), which ask for the object, or those of tags. */
static int check_preconditions(const struct call *c, bool is_any, uint64_t generation,
			       bool is_there, struct err *err)
{
	if (c->if_match.is_any == is_any && !if_match_holds(&c->if_match, generation, is_there))
		return err_add(err, ERR_STALE, -ESTALE, NULL,
			       "If-Match %s: the generation is %" PRIu64 "%s",
			       http_header(c->req, "If-Match"), generation,
			       is_there ? "" : ", and there is no such object");
	if (c->if_none_match.is_any == is_any &&
	    !if_none_match_holds(&c->if_none_match, generation, is_there))
		return err_add(err, ERR_STALE, -ESTALE, NULL,
			       "If-None-Match %s: the object is there, in generation %" PRIu64,
			       http_header(c->req, "If-None-Match"), generation);
	return 0;
}

/* A stale request is stale, whatever else may be wrong with it. */
static int prepare_cb(const struct model *m, uint64_t generation, void *arg, struct changes *out,
		      struct err *err)
{
	struct edit_call *ec = arg;
	struct edit *e = &ec->edit;
	int rc = check_preconditions(ec->call, false, generation, true, err);

	if (rc)
		return rc;
	e->is_new = false;
	rc = e->kind->prepare(e, m, out, err);
	if (rc)
		return rc;
	return check_preconditions(ec->call, true, generation, !e->is_new, err);
}

static void answer_done(struct edit_call *ec, const struct engine_result *result)
{
	struct edit *e = &ec->edit;
	json_t *value = e->kind->result ? e->kind->result(e, result->generation) : NULL;
	int status = !value ? 204 : e->is_new ? 201 : 200;

	if (result->is_changed)
		call_accepted(ec->call, result->generation);
	if (value)
		call_answer_json(ec->call, status, value);
	else
		call_answer_empty(ec->call, status);
}

static void done_cb(const struct engine_result *result, const struct err *err, void *arg)
{
	struct edit_call *ec = arg;
	struct engine *engine = ec->call->engine;

	call_set_generation(ec->call, result->generation);
	if (!ec->call->is_dry_run && ec->edit.kind->ended)
		ec->edit.kind->ended(&ec->edit, ec->call, !err);
	if (err)
		call_answer_err(ec->call, err);
	else if (ec->call->is_dry_run)
		operations_answer(ec->call, result->ops, result->generation);
	else
		answer_done(ec, result);
	if (is_large(ec))
		engine_dispose(engine, edit_call_free, ec);
	else
		edit_call_free(ec);
}

static void request(struct edit_call *ec)
{
	char what[CALL_WHAT_BYTES];
	struct requester who = { .what = call_what(ec->call, what) };
	unsigned int flags = is_large(ec) ? ENGINE_LARGE : 0;

	if (ec->edit.kind->is_state)
		flags |= ENGINE_STATE;
	if (ec->call->is_dry_run)
		flags |= ENGINE_DRY_RUN;
	http_peer(ec->call->req, &who.uid, &who.pid);
	engine_request_confirmed(ec->call->engine, &who, flags, ec->confirm_s, prepare_cb, done_cb,
				 ec);
}

static int read_text(struct edit *e, const char *text, size_t len, struct err *err)
{
	if (e->kind->read_text)
		return e->kind->read_text(e, text, len, err);
	if (e->kind->body != EDIT_NO_BODY) {
		e->body = json_parse(text, len, err);
		if (!e->body)
			return -EINVAL;
	}
	return e->kind->read ? e->kind->read(e, err) : 0;
}

/* Text to values. Touches nothing but ec: may be on the worker. */
static void read_body(void *arg)
{
	struct edit_call *ec = arg;

	read_text(&ec->edit, ec->text, ec->len, &ec->err);
	free(ec->text);
	ec->text = NULL;
}

static void body_was_read(void *arg)
{
	struct edit_call *ec = arg;

	if (!err_any(&ec->err)) {
		request(ec);
		return;
	}
	call_answer_err(ec->call, &ec->err);
	edit_call_free(ec);
}

/* Is `header` this media type, with or without parameters? */
static bool is_type(const char *header, const char *type)
{
	size_t n = strlen(type);

	return strncasecmp(header, type, n) == 0 && strchr("; \t", header[n]);
}

static bool is_acceptable(const struct call *c, enum edit_body body)
{
	const char *type = http_header(c->req, "Content-Type");

	if (!type || body == EDIT_NO_BODY)
		return true;
	return is_type(type, JSON_TYPE) ||
	       (body == EDIT_MERGE_PATCH && is_type(type, "application/merge-patch+json"));
}

static void refuse_type(struct call *c, enum edit_body body)
{
	const char *wanted =
		body == EDIT_MERGE_PATCH ? "application/merge-patch+json or " JSON_TYPE : JSON_TYPE;

	if (body == EDIT_MERGE_PATCH)
		http_set_header(c->req, "Accept-Patch", "application/merge-patch+json, " JSON_TYPE);
	else
		http_set_header(c->req, "Accept", JSON_TYPE);
	call_answer_problem(c, 415, "Content-Type: expected %s", wanted);
}

void edit_start(struct call *c)
{
	const struct edit_kind *kind = c->route->edit;
	struct edit_call *ec;
	uint64_t confirm_s;

	if (!is_acceptable(c, kind->body)) {
		refuse_type(c, kind->body);
		return;
	}
	if (!query_number(c, "confirm_s", 0, 1, CONFIRM_MAX_S, &confirm_s))
		return;
	ec = mem_zalloc(sizeof(*ec));
	ec->call = c;
	ec->edit.kind = kind;
	ec->edit.overlay = c->is_dry_run ? NULL : c->overlay;
	ec->confirm_s = (unsigned int)confirm_s;
	memcpy(ec->edit.names, c->names, sizeof(ec->edit.names));
	ec->text = http_body_take(c->req, &ec->len);
	if (ec->len > LONG_BODY_BYTES) {
		worker_run(c->api->worker, read_body, body_was_read, ec);
		return;
	}
	read_body(ec);
	body_was_read(ec);
}

const struct service *edit_service(const struct model *m, const struct changes *so_far,
				   const char *name)
{
	const struct change *change = changes_find(so_far, OBJECT_SERVICE, name);

	return change ? change->service.after : model_service(m, name);
}

const struct pool *edit_pool(const struct model *m, const struct changes *so_far, const char *name)
{
	const struct change *change = changes_find(so_far, OBJECT_POOL, name);

	return change ? change->pool.after : model_pool(m, name);
}

char *edit_pointer(const char *collection, const char *name)
{
	char *pointer = mem_calloc(strlen(collection) + 2 * strlen(name) + 3, 1);
	char *to = stpcpy(stpcpy(stpcpy(pointer, "/"), collection), "/");

	for (; *name; name++) {
		if (*name == '~')
			to = stpcpy(to, "~0");
		else if (*name == '/')
			to = stpcpy(to, "~1");
		else
			*to++ = *name;
	}
	return pointer;
}

int edit_no_service(const char *service, struct err *err)
{
	return err_add(err, ERR_NOT_FOUND, -ENOENT, NULL, "service \"%s\": no such service",
		       service);
}

int edit_no_backend(const char *service, const char *backend, struct err *err)
{
	return err_add(err, ERR_NOT_FOUND, -ENOENT, NULL,
		       "service \"%s\": backend \"%s\": no such backend", service, backend);
}

int edit_no_pool(const char *pool, struct err *err)
{
	return err_add(err, ERR_NOT_FOUND, -ENOENT, NULL, "pool \"%s\": no such pool", pool);
}

int edit_want_service(struct edit *e, const struct model *m, const json_t *value,
		      struct changes *out, struct err *err)
{
	char *pointer = edit_pointer("services", e->names[0]);

	service_unref(e->service);
	e->service = service_from_json(value, e->names[0], pointer, err);
	free(pointer);
	if (!e->service)
		return -EINVAL;
	model_want_service(m, e->names[0], e->service, out);
	return 0;
}

int edit_want_pool(struct edit *e, const struct model *m, const json_t *value, struct changes *out,
		   struct err *err)
{
	char *pointer = edit_pointer("pools", e->names[0]);

	pool_unref(e->pool);
	e->pool = pool_from_json(value, e->names[0], pointer, err);
	free(pointer);
	if (!e->pool)
		return -EINVAL;
	model_want_pool(m, e->names[0], e->pool, out);
	return 0;
}
