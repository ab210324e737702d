/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POST /v1/changes: a list of edits, all or nothing, in one batch. An item is what
 * would be a request of its own, {"method", "path", "body"}, and is found in the same
 * table; each sees what those before it made of the model.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/edit.h"
#include "api/handlers.h"
#include "api/http_target.h"
#include "base/mem.h"

#define ITEMS_MAX 10000

struct item {
	struct edit edit;
	struct http_target target; /* what edit.names point into */
};

struct edit_list {
	struct item *items;
	size_t n;
};

/* The pointer of a member of item i, or of the item ("" member). */
struct item_pointer {
	char text[48];
};

static struct item_pointer pointer_of(size_t i, const char *member)
{
	struct item_pointer p;

	snprintf(p.text, sizeof(p.text), "/changes/%zu%s", i, member);
	return p;
}

static int check_members(const json_t *value, size_t i, struct err *err)
{
	static const char *const known[] = { "method", "path", "body" };
	const char *key;
	json_t *member;

	if (!json_is_object(value))
		return err_add(err, ERR_INVALID, -EINVAL, pointer_of(i, "").text,
			       "change %zu: expected an object", i);
	json_object_foreach ((json_t *)value, key, member) {
		size_t k = 0;

		while (k < 3 && strcmp(known[k], key) != 0)
			k++;
		if (k == 3)
			return err_add(err, ERR_INVALID, -EINVAL, pointer_of(i, "").text,
				       "change %zu: unknown field \"%s\": expected \"method\", "
				       "\"path\" and \"body\"",
				       i, key);
	}
	return 0;
}

static int find_kind(struct item *item, const char *method, const char *path, size_t i,
		     struct err *err)
{
	const struct route *route = NULL;
	const char *why;

	if (http_target_parse(path, &item->target, &why))
		return err_add(err, ERR_INVALID, -EINVAL, pointer_of(i, "/path").text,
			       "change %zu: path \"%s\": %s", i, path, why);
	if (item->target.n_queries ||
	    route_find(method, item->target.segments, item->target.n_segments, &route,
		       item->edit.names) != ROUTE_FOUND ||
	    !route->edit || route->edit == &changes_post || route->edit == &config_put)
		return err_add(err, ERR_INVALID, -EINVAL, pointer_of(i, "/path").text,
			       "change %zu: %s %s: expected PUT, PATCH or DELETE of a service, a "
			       "backend or a pool",
			       i, method, path);
	item->edit.kind = route->edit;
	return 0;
}

static int read_item(struct item *item, const json_t *value, size_t i, struct err *err)
{
	const char *method = json_string_value(json_object_get(value, "method"));
	const char *path = json_string_value(json_object_get(value, "path"));
	struct edit *e = &item->edit;

	if (check_members(value, i, err))
		return -EINVAL;
	if (!method || !path)
		return err_add(err, ERR_INVALID, -EINVAL,
			       pointer_of(i, method ? "/path" : "/method").text,
			       "change %zu: expected \"method\" and \"path\", both strings", i);
	if (find_kind(item, method, path, i, err))
		return -EINVAL;
	e->body = json_incref(json_object_get(value, "body"));
	if (e->kind->body == EDIT_NO_BODY ? e->body != NULL : e->body == NULL)
		return err_add(err, ERR_INVALID, -EINVAL, pointer_of(i, "/body").text,
			       "change %zu: %s %s: expected %s body", i, method, path,
			       e->body ? "no" : "a");
	return e->kind->read ? e->kind->read(e, err) : 0;
}

static int changes_read(struct edit *e, struct err *err)
{
	json_t *list = json_object_get(e->body, "changes"), *value;
	size_t i;

	if (!json_is_array(list) || json_object_size(e->body) != 1)
		return err_add(err, ERR_INVALID, -EINVAL, "",
			       "expected an object with one field \"changes\", an array");
	if (json_array_size(list) > ITEMS_MAX)
		return err_add(err, ERR_INVALID, -EINVAL, "/changes",
			       "%zu changes: expected at most %d", json_array_size(list),
			       ITEMS_MAX);
	e->list = mem_zalloc(sizeof(*e->list));
	e->list->n = json_array_size(list);
	e->list->items = mem_calloc(e->list->n, sizeof(*e->list->items));
	json_array_foreach (list, i, value) {
		read_item(&e->list->items[i], value, i, err);
	}
	return err_any(err) ? -EINVAL : 0;
}

static int changes_prepare(struct edit *e, const struct model *m, struct changes *out,
			   struct err *err)
{
	for (size_t i = 0; i < e->list->n; i++) {
		struct edit *one = &e->list->items[i].edit;
		int rc;

		one->is_new = false;
		rc = one->kind->prepare(one, m, out, err);
		if (rc)
			return rc; /* what follows may build on it */
	}
	return 0;
}

static json_t *changes_result(const struct edit *e, uint64_t generation)
{
	json_t *results = json_array();

	for (size_t i = 0; i < e->list->n; i++) {
		const struct edit *one = &e->list->items[i].edit;
		int status = !one->kind->result ? 204 : one->is_new ? 201 : 200;

		json_array_append_new(results, json_pack("{s:i}", "status", status));
	}
	return json_pack("{s:I, s:o}", "generation", (json_int_t)generation, "results", results);
}

static void changes_ended(struct edit *e, const struct call *c, bool is_accepted)
{
	for (size_t i = 0; i < e->list->n; i++) {
		struct edit *one = &e->list->items[i].edit;

		if (one->kind->ended)
			one->kind->ended(one, c, is_accepted);
	}
}

static void changes_fini_list(struct edit *e)
{
	for (size_t i = 0; i < e->list->n; i++) {
		edit_fini(&e->list->items[i].edit);
		http_target_fini(&e->list->items[i].target);
	}
	free(e->list->items);
	free(e->list);
}

const struct edit_kind changes_post = {
	.body = EDIT_JSON,
	.read = changes_read,
	.prepare = changes_prepare,
	.result = changes_result,
	.ended = changes_ended,
	.fini = changes_fini_list,
};
