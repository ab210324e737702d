/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing generations and taking them back.
 *
 * History keeps for each change the value *before* it, once. The value after
 * it is the next change's value before, or the current one, so a generation can
 * be undone, compared and gone back to, and nothing is stored twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

struct write_work {
	const struct store_generation *generations;
	size_t n;
	int64_t rows;
	struct way_back way_back; /* as it becomes */
	bool is_too_far;          /* there is no room for more to go back over */
};

/* An object as it becomes, as compact JSON (owned), or NULL when it goes. */
static char *change_json(const struct change *c)
{
	const struct service *s = c->service.after;
	const struct pool *p = c->pool.after;
	json_t *value;
	char *text;

	if (c->object == OBJECT_SERVICE ? !s : !p)
		return NULL;
	value = c->object == OBJECT_SERVICE ? service_to_json(s) : pool_to_json(p);
	text = json_dumps(value, JSON_COMPACT);
	json_decref(value);
	return text;
}

/* Binds kind and name, and runs; text (taken) is the last parameter unless NULL. */
static int write_row(sqlite3_stmt *stmt, int first, const struct change *c, char *text)
{
	sqlite3_bind_int(stmt, first, (int)c->object);
	sqlite3_bind_text(stmt, first + 1, change_name(c), -1, SQLITE_STATIC);
	if (text)
		sqlite3_bind_text(stmt, first + 2, text, -1, free);
	return store_run(stmt);
}

static int write_change(struct store *s, uint64_t generation, const struct change *c)
{
	sqlite3_stmt *history = store_stmt(s, STMT_HISTORY_PUT);
	char *after;
	int code;

	sqlite3_bind_int64(history, 1, (sqlite3_int64)generation);
	code = write_row(history, 2, c, NULL);
	if (code)
		return code;
	after = change_json(c);
	if (!after)
		return write_row(store_stmt(s, STMT_OBJECT_DELETE), 1, c, NULL);
	return write_row(store_stmt(s, STMT_OBJECT_PUT), 1, c, after);
}

static int write_generation(struct store *s, const struct store_generation *g)
{
	sqlite3_stmt *stmt = store_stmt(s, STMT_GENERATION_PUT);

	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)g->generation);
	sqlite3_bind_int64(stmt, 2, g->time_ms);
	sqlite3_bind_int64(stmt, 3, g->uid);
	sqlite3_bind_int64(stmt, 4, g->pid);
	sqlite3_bind_text(stmt, 5, g->what, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 6, (sqlite3_int64)g->changes->n);
	return store_run(stmt);
}

static int store_run_with(struct store *s, enum statement id, uint64_t generation)
{
	sqlite3_stmt *stmt = store_stmt(s, id);

	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)generation);
	return store_run(stmt);
}

static int write_way_back(struct store *s, const struct way_back *w)
{
	int code = store_meta_set(s, "rollback_to", w->to);

	return code ? code : store_meta_set(s, "rollback_at_ms", (uint64_t)w->at_ms);
}

/* To undo a generation takes what it kept, so the ones above a way back's end stay. */
static bool is_needed(const struct way_back *w, uint64_t generation)
{
	return w->at_ms && generation > w->to;
}

/* The oldest generations go when there are too many of them, or too many rows. */
static int write_prune(struct store *s, uint64_t newest, struct write_work *w)
{
	while (s->oldest && s->oldest < newest && !is_needed(&w->way_back, s->oldest) &&
	       (newest - s->oldest >= s->keep || s->history_rows + w->rows > s->rows_max)) {
		int code = store_run_with(s, STMT_PRUNE_HISTORY, s->oldest);

		w->rows -= sqlite3_changes(s->db);
		if (!code)
			code = store_run_with(s, STMT_PRUNE_GENERATION, s->oldest);
		if (code)
			return code;
		s->oldest++;
	}
	w->is_too_far = s->history_rows + w->rows > s->rows_max && s->oldest < newest;
	return w->is_too_far ? SQLITE_FULL : 0;
}

struct revert_work {
	uint64_t to;
	struct way_back way_back; /* as it becomes */
};

static int revert_all(struct store *s, void *arg)
{
	static const enum statement steps[] = { STMT_UNDO_DELETE, STMT_UNDO_PUT, STMT_DROP_HISTORY,
						STMT_DROP_GENERATIONS };
	struct revert_work *w = arg;
	int code = 0;

	for (size_t i = 0; !code && i < sizeof(steps) / sizeof(steps[0]); i++) {
		code = store_run_with(s, steps[i], w->to);
		if (steps[i] == STMT_DROP_HISTORY)
			s->history_rows -= sqlite3_changes(s->db);
	}
	if (!code && w->way_back.at_ms && w->way_back.to >= w->to) {
		w->way_back = (struct way_back){ 0 };
		code = write_way_back(s, &w->way_back);
	}
	return code ? code : store_meta_set(s, "generation", w->to);
}

/* The kernel refused what is above `last`, and the disk then refused to take it back. */
static int write_overdue_revert(struct store *s, uint64_t last, struct write_work *w)
{
	struct revert_work r = { .to = last, .way_back = w->way_back };
	int code = revert_all(s, &r);

	w->way_back = r.way_back;
	return code;
}

static int write_all(struct store *s, void *arg)
{
	struct write_work *w = arg;
	uint64_t newest = w->generations[w->n - 1].generation;
	uint64_t last = w->generations[0].generation - 1;
	int code = store_meta_set(s, "confirmed", s->confirmed);

	if (!code && s->generation > last)
		code = write_overdue_revert(s, last, w);
	if (!s->oldest || s->oldest > last)
		s->oldest = w->generations[0].generation;
	for (size_t i = 0; !code && i < w->n; i++) {
		const struct store_generation *g = &w->generations[i];

		code = write_generation(s, g);
		if (g->rollback_at_ms)
			w->way_back = (struct way_back){ g->rollback_at_ms, g->generation - 1 };
		for (size_t j = 0; !code && j < g->changes->n; j++, w->rows++)
			code = write_change(s, g->generation, &g->changes->items[j]);
	}
	if (!code && w->way_back.at_ms != s->way_back.at_ms)
		code = write_way_back(s, &w->way_back);
	if (!code)
		code = write_prune(s, newest, w);
	return code ? code : store_meta_set(s, "generation", newest);
}

static int mark(struct store *s, void *arg)
{
	(void)arg;
	return store_meta_set(s, "confirmed", s->confirmed);
}

/*
 * A transaction whose fsync failed stands complete in the log file, beyond what SQLite counts as
 * its end: after a crash it would be found there and taken as valid, although it was refused.
 * Another one, of which not even the fsync need succeed, takes its place in the file.
 */
static void overwrite_failed(struct store *s)
{
	store_transaction(s, mark, NULL);
}

static int too_far(const struct store *s, struct err *err)
{
	return err_add(err, ERR_CONFLICT, -EDQUOT, NULL,
		       "more than %lld objects have changed since generation %llu, which is gone "
		       "back to unless it is confirmed: confirm first",
		       (long long)s->rows_max, (unsigned long long)s->way_back.to);
}

int store_write(struct store *s, const struct store_generation *g, size_t n, struct err *err)
{
	struct write_work w = { .generations = g, .n = n, .way_back = s->way_back };
	uint64_t oldest = s->oldest;
	int64_t rows = s->history_rows;
	int code;

	if (!n)
		return 0;
	code = store_transaction(s, write_all, &w);
	if (code) {
		s->oldest = oldest;
		s->history_rows = rows;
		if (w.is_too_far)
			return too_far(s, err);
		if ((code & 0xff) == SQLITE_FULL)
			s->checkpoint_at = 1; /* a log that begins anew needs no room */
		overwrite_failed(s);
		return store_fail(s, "write", code, err);
	}
	s->history_rows += w.rows;
	s->generation = g[n - 1].generation;
	s->confirmed_stored = s->confirmed;
	s->way_back = w.way_back;
	return 0;
}

void store_confirm(struct store *s, uint64_t generation)
{
	s->confirmed = generation;
}

int store_revert(struct store *s, uint64_t generation, struct err *err)
{
	struct revert_work w = { .to = generation, .way_back = s->way_back };
	int64_t rows = s->history_rows;
	int code = store_transaction(s, revert_all, &w);

	if (code) {
		s->history_rows = rows;
		return store_fail(s, "take back", code, err);
	}
	s->generation = generation;
	s->way_back = w.way_back;
	if (s->oldest > generation)
		s->oldest = 0;
	return 0;
}

static int rollback_forget(struct store *s, void *arg)
{
	return write_way_back(s, arg);
}

int store_forget_rollback(struct store *s, struct err *err)
{
	struct way_back none = { 0 };
	int code = store_transaction(s, rollback_forget, &none);

	if (!code) {
		s->way_back = none;
		return 0;
	}
	overwrite_failed(s);
	return store_fail(s, "write", code, err);
}
