/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the store's files only. */
#ifndef FNAT_STORE_STORE_INTERNAL_H
#define FNAT_STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/store.h"

enum statement {
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_META_GET,
	STMT_META_SET,
	STMT_OBJECTS,
	STMT_OBJECT_PUT,
	STMT_OBJECT_DELETE,
	STMT_GENERATION_PUT,
	STMT_HISTORY_PUT,
	STMT_HISTORY_COUNT,
	STMT_OLDEST,
	STMT_PRUNE_GENERATION,
	STMT_PRUNE_HISTORY,
	STMT_UNDO_PUT,
	STMT_UNDO_DELETE,
	STMT_DROP_GENERATIONS,
	STMT_DROP_HISTORY,
	STMT_LIST,
	STMT_DIFF,
	N_STATEMENTS,
};

/* From a change that waits to be confirmed. */
struct way_back {
	int64_t at_ms; /* 0: there is none */
	uint64_t to;
};

struct store {
	sqlite3 *db;
	char *path;
	int lock_fd; /* the state directory, flock()ed */
	sqlite3_stmt *stmt[N_STATEMENTS];
	unsigned int keep;
	int64_t rows_max;
	int log_pages, checkpoint_at; /* in the log, and how many are enough: store_checkpoint.c */
	uint64_t generation;
	uint64_t confirmed, confirmed_stored;
	uint64_t oldest; /* oldest generation with history; 0: none */
	int64_t history_rows;
	struct way_back way_back;
};

/* A statement, reset and without bindings. Borrowed. */
sqlite3_stmt *store_stmt(struct store *s, enum statement id);

/* Run a statement that returns no rows. 0 or an SQLite code. */
int store_run(sqlite3_stmt *stmt);

/* SQLite's code as a problem: what was tried, SQLite's words, the remedy. Returns a negative errno.
 */
int store_fail(struct store *s, const char *doing, int code, struct err *err);

int store_meta_set(struct store *s, const char *key, uint64_t value);
int store_meta_get(struct store *s, const char *key, uint64_t *value);

/* When the log is worth a checkpoint. */
#define CHECKPOINT_PAGES 1000
/* SQLite's wal_hook: the log has so many pages now. arg: the store. */
int store_logged(void *arg, sqlite3 *db, const char *name, int pages);

/* BEGIN; what `work` does; COMMIT. All or nothing: any SQLite code but 0 rolls back. */
int store_transaction(struct store *s, int (*work)(struct store *s, void *arg), void *arg);

const char *store_kind_name(int kind);

#endif
