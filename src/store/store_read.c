/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading: the current objects at start, the history and differences on
 * request. What is read is validated like what comes from outside: a row that
 * this version does not understand is an error with its name, not a crash.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

/* A column of JSON text as a value: null where the column is NULL, NULL on error. */
static json_t *column_json(sqlite3_stmt *stmt, int column, struct err *err)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	if (!text)
		return json_null();
	return json_parse(text, (size_t)sqlite3_column_bytes(stmt, column), err);
}

/* The document that the rows make up; the configuration's own reader then checks it. */
static json_t *load_document(struct store *s, struct err *err)
{
	json_t *services = json_object(), *pools = json_object();
	sqlite3_stmt *stmt = store_stmt(s, STMT_OBJECTS);
	int code;

	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		json_t *value = column_json(stmt, 2, err);

		if (!value)
			break;
		json_object_set_new(sqlite3_column_int(stmt, 0) == OBJECT_SERVICE ? services
										  : pools,
				    (const char *)sqlite3_column_text(stmt, 1), value);
	}
	sqlite3_reset(stmt);
	if (code == SQLITE_DONE)
		return json_pack("{s:o,s:o}", "services", services, "pools", pools);
	if (code != SQLITE_ROW)
		store_fail(s, "read", code, err);
	json_decref(services);
	json_decref(pools);
	return NULL;
}

int store_load(struct store *s, struct store_state *state, struct config *out, struct err *err)
{
	json_t *document = load_document(s, err);
	int rc;

	*state = (struct store_state){
		.generation = s->generation,
		.confirmed = s->confirmed,
		.rollback_at_ms = s->way_back.at_ms,
		.rollback_to = s->way_back.to,
	};
	if (!document)
		return -EIO;
	rc = config_from_json(document, out, err);
	json_decref(document);
	return rc;
}

json_t *store_history(struct store *s, uint64_t before, unsigned int max, struct err *err)
{
	sqlite3_stmt *stmt = store_stmt(s, STMT_LIST);
	json_t *list = json_array();
	int code;

	sqlite3_bind_int64(stmt, 1, before ? (sqlite3_int64)before : INT64_MAX);
	sqlite3_bind_int64(stmt, 2, max);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		json_array_append_new(
			list, json_pack("{s:I,s:I,s:I,s:I,s:s,s:I}", "generation",
					(json_int_t)sqlite3_column_int64(stmt, 0), "time_ms",
					(json_int_t)sqlite3_column_int64(stmt, 1), "uid",
					(json_int_t)sqlite3_column_int64(stmt, 2), "pid",
					(json_int_t)sqlite3_column_int64(stmt, 3), "what",
					(const char *)sqlite3_column_text(stmt, 4), "objects",
					(json_int_t)sqlite3_column_int64(stmt, 5)));
	}
	sqlite3_reset(stmt);
	if (code == SQLITE_DONE)
		return list;
	store_fail(s, "read", code, err);
	json_decref(list);
	return NULL;
}

/* One row of STMT_DIFF; `swap` when the caller asked from new to old. NULL on error. */
static json_t *diff_row(sqlite3_stmt *stmt, bool swap, struct err *err)
{
	bool changed_later = sqlite3_column_int(stmt, 4) != 0;
	json_t *older = column_json(stmt, 2, err);
	json_t *newer = column_json(stmt, changed_later ? 3 : 5, err);

	if (!older || !newer) {
		json_decref(older);
		json_decref(newer);
		return NULL;
	}
	return json_pack("{s:s,s:s,s:o,s:o}", "object",
			 store_kind_name(sqlite3_column_int(stmt, 0)), "name",
			 (const char *)sqlite3_column_text(stmt, 1), "before", swap ? newer : older,
			 "after", swap ? older : newer);
}

static int diff_check(const struct store *s, uint64_t generation, struct err *err)
{
	uint64_t first = s->oldest ? s->oldest - 1 : s->generation;

	if (generation >= first && generation <= s->generation)
		return 0;
	return err_add(err, ERR_NOT_FOUND, -ENOENT, NULL,
		       "generation %llu is not kept: there are %llu to %llu",
		       (unsigned long long)generation, (unsigned long long)first,
		       (unsigned long long)s->generation);
}

json_t *store_diff(struct store *s, uint64_t a, uint64_t b, struct err *err)
{
	sqlite3_stmt *stmt;
	json_t *list;
	int code;

	if (diff_check(s, a, err) || diff_check(s, b, err))
		return NULL;
	stmt = store_stmt(s, STMT_DIFF);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)(a < b ? a : b));
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)(a < b ? b : a));
	list = json_array();
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		json_t *row = diff_row(stmt, a > b, err);

		if (!row)
			break;
		if (json_equal(json_object_get(row, "before"), json_object_get(row, "after")))
			json_decref(row);
		else
			json_array_append_new(list, row);
	}
	sqlite3_reset(stmt);
	if (code == SQLITE_DONE)
		return list;
	if (code != SQLITE_ROW)
		store_fail(s, "read", code, err);
	json_decref(list);
	return NULL;
}
