/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, checking and locking the database, and the few things that all of
 * the store's files need.
 *
 * A daemon that carries all traffic must not start from a store it cannot
 * trust: what looks like "no services" would take every service out of the
 * kernel. So a database that fails SQLite's check is put aside and refused, and stays refused
 * (the file that was put aside is the mark) until a person decides.
 */
#include "store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* "fnat" in ASCII, see PRAGMA application_id. */
#define STORE_APPLICATION_ID 0x666e6174
#define STORE_VERSION        1
#define STR_(x)              #x
#define STR(x)               STR_(x)

static const char schema[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE object (kind INTEGER, name TEXT, json TEXT NOT NULL,"
	" PRIMARY KEY (kind, name)) WITHOUT ROWID;"
	"CREATE TABLE generation (number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, pid INTEGER NOT NULL, what TEXT NOT NULL,"
	" objects INTEGER NOT NULL);"
	/* before: the object's value before this generation; NULL when it did not exist. */
	"CREATE TABLE history (generation INTEGER, kind INTEGER, name TEXT, before TEXT,"
	" PRIMARY KEY (generation, kind, name)) WITHOUT ROWID;"
	"PRAGMA application_id = " STR(STORE_APPLICATION_ID) ";"
							     "PRAGMA user_version = " STR(
								     STORE_VERSION) ";";

/* The oldest `before` of each object that changed after generation ?1: its value at ?1. */
#define UNDO                                                                                       \
	"FROM (SELECT kind, name, before, min(generation) FROM history"                            \
	" WHERE generation > ?1 GROUP BY kind, name)"

static const char *const statements[N_STATEMENTS] = {
	[STMT_BEGIN] = "BEGIN IMMEDIATE",
	[STMT_COMMIT] = "COMMIT",
	[STMT_ROLLBACK] = "ROLLBACK",
	[STMT_META_GET] = "SELECT value FROM meta WHERE key = ?1",
	[STMT_META_SET] = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
	[STMT_OBJECTS] = "SELECT kind, name, json FROM object ORDER BY kind, name",
	[STMT_OBJECT_PUT] = "INSERT OR REPLACE INTO object VALUES (?1, ?2, ?3)",
	[STMT_OBJECT_DELETE] = "DELETE FROM object WHERE kind = ?1 AND name = ?2",
	[STMT_GENERATION_PUT] = "INSERT INTO generation VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[STMT_HISTORY_PUT] = "INSERT OR IGNORE INTO history VALUES (?1, ?2, ?3,"
			     " (SELECT json FROM object WHERE kind = ?2 AND name = ?3))",
	[STMT_HISTORY_COUNT] = "SELECT count(*) FROM history",
	[STMT_OLDEST] = "SELECT coalesce(min(number), 0) FROM generation",
	[STMT_PRUNE_GENERATION] = "DELETE FROM generation WHERE number <= ?1",
	[STMT_PRUNE_HISTORY] = "DELETE FROM history WHERE generation <= ?1",
	[STMT_UNDO_PUT] = "INSERT OR REPLACE INTO object SELECT kind, name, before " UNDO
			  " WHERE before IS NOT NULL",
	[STMT_UNDO_DELETE] = "DELETE FROM object WHERE (kind, name) IN (SELECT kind, name " UNDO
			     " WHERE before IS NULL)",
	[STMT_DROP_GENERATIONS] = "DELETE FROM generation WHERE number > ?1",
	[STMT_DROP_HISTORY] = "DELETE FROM history WHERE generation > ?1",
	[STMT_LIST] = "SELECT number, time_ms, uid, pid, what, objects FROM generation"
		      " WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
	/* Value at ?1 and at ?2 of all that changed in between. */
	[STMT_DIFF] = "SELECT d.kind, d.name, d.before,"
		      " (SELECT h.before FROM history h WHERE h.generation > ?2 AND h.kind = d.kind"
		      "  AND h.name = d.name ORDER BY h.generation LIMIT 1),"
		      " EXISTS (SELECT 1 FROM history h WHERE h.generation > ?2"
		      "  AND h.kind = d.kind AND h.name = d.name),"
		      " (SELECT o.json FROM object o WHERE o.kind = d.kind AND o.name = d.name)"
		      " FROM (SELECT kind, name, before, min(generation) FROM history"
		      "  WHERE generation > ?1 AND generation <= ?2 GROUP BY kind, name) d"
		      " ORDER BY d.kind, d.name",
};

const char *store_kind_name(int kind)
{
	return kind == OBJECT_SERVICE ? "service" : "pool";
}

sqlite3_stmt *store_stmt(struct store *s, enum statement id)
{
	sqlite3_reset(s->stmt[id]);
	sqlite3_clear_bindings(s->stmt[id]);
	return s->stmt[id];
}

int store_run(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return code == SQLITE_DONE || code == SQLITE_ROW ? 0 : code;
}

int store_fail(struct store *s, const char *doing, int code, struct err *err)
{
	static const struct {
		int code, error;
		const char *remedy;
	} remedies[] = {
		{ SQLITE_FULL, -ENOSPC, "; make room on that file system" },
		{ SQLITE_READONLY, -EROFS, "; the file system or the file is read-only" },
		{ SQLITE_CORRUPT, -EBADMSG, "; restart fnatd: it will put the store aside" },
		{ SQLITE_NOTADB, -EBADMSG, "; restart fnatd: it will put the store aside" },
		{ SQLITE_BUSY, -EBUSY, "; another process has it open" },
	};
	const char *remedy = "";
	int error = -EIO;

	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		if (remedies[i].code == (code & 0xff)) {
			error = remedies[i].error;
			remedy = remedies[i].remedy;
		}
	}
	return err_add(err, error == -EBUSY ? ERR_CONFLICT : ERR_SYSTEM, error, NULL,
		       "store %s: %s: %s%s", s->path, doing, sqlite3_errstr(code), remedy);
}

int store_meta_set(struct store *s, const char *key, uint64_t value)
{
	sqlite3_stmt *stmt = store_stmt(s, STMT_META_SET);

	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)value);
	return store_run(stmt);
}

int store_meta_get(struct store *s, const char *key, uint64_t *value)
{
	sqlite3_stmt *stmt = store_stmt(s, STMT_META_GET);
	int code;

	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	code = sqlite3_step(stmt);
	*value = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : code;
}

int store_transaction(struct store *s, int (*work)(struct store *s, void *arg), void *arg)
{
	int code = store_run(store_stmt(s, STMT_BEGIN));

	if (code)
		return code;
	code = work(s, arg);
	if (!code)
		code = store_run(store_stmt(s, STMT_COMMIT));
	/* SQLite has rolled back by itself after some errors. */
	if (code && !sqlite3_get_autocommit(s->db))
		store_run(store_stmt(s, STMT_ROLLBACK));
	return code;
}

/* One process at a time: a lock on the directory, so that it holds before any file exists. */
static int store_lock(struct store *s, const char *dir, struct err *err)
{
	if ((mkdir(dir, 0700) && errno != EEXIST) || access(dir, W_OK))
		return err_add(err, ERR_SYSTEM, -errno, NULL, "state directory %s: %s", dir,
			       strerror(errno));
	s->lock_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock_fd < 0)
		return err_add(err, ERR_SYSTEM, -errno, NULL, "state directory %s: %s", dir,
			       strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return err_add(err, ERR_CONFLICT, -EBUSY, NULL,
			       "state directory %s: in use by another fnatd", dir);
	return 0;
}

/* The name a damaged store has or would get; true when such a file exists already. */
static bool store_find_aside(const struct store *s, char **name)
{
	for (int i = 1;; i++) {
		char *next = mem_printf("%s.damaged-%d", s->path, i);

		if (access(next, F_OK)) {
			free(next);
			return i > 1;
		}
		free(*name);
		*name = next;
	}
}

static int store_put_aside(struct store *s, const char *why, struct err *err)
{
	static const char *const suffixes[] = { "", "-wal" };
	char *aside = NULL;
	int n = 1;

	while (aside = mem_printf("%s.damaged-%d", s->path, n), !access(aside, F_OK)) {
		free(aside);
		n++;
	}
	sqlite3_close(s->db);
	s->db = NULL;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char *from = mem_printf("%s%s", s->path, suffixes[i]);
		char *to = mem_printf("%s%s", aside, suffixes[i]);

		if (rename(from, to) && errno != ENOENT)
			log_error("store", "%s: cannot be put aside: %s", from, strerror(errno));
		free(from);
		free(to);
	}
	err_add(err, ERR_SYSTEM, -EBADMSG, NULL,
		"store %s: damaged (%s); kept as %s; the kernel's ruleset is left as it is. "
		"Restore a copy of the store, or begin anew from --config with --new-store",
		s->path, why, aside);
	free(aside);
	return -EBADMSG;
}

static int store_refuse_after_damage(struct store *s, struct err *err)
{
	char *aside = NULL;
	int rc = 0;

	if (access(s->path, F_OK) && store_find_aside(s, &aside))
		rc = err_add(err, ERR_SYSTEM, -EBADMSG, NULL,
			     "store %s: was found damaged and put aside as %s; restore a copy of "
			     "the store, or begin anew from --config with --new-store",
			     s->path, aside);
	free(aside);
	return rc;
}

/* First row's first column of a pragma, as text (owned); NULL with *code set. */
static char *store_pragma(struct store *s, const char *sql, int *code)
{
	sqlite3_stmt *stmt = NULL;
	char *text = NULL;

	*code = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
	if (*code)
		return NULL;
	*code = sqlite3_step(stmt);
	if (*code == SQLITE_ROW) {
		const char *column = (const char *)sqlite3_column_text(stmt, 0);

		text = mem_strdup(column ? column : "");
		*code = 0;
	} else if (*code == SQLITE_DONE) {
		text = mem_strdup("");
		*code = 0;
	}
	sqlite3_finalize(stmt);
	return text;
}

static bool store_code_is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* A new database gets its tables; an old one must be whole, ours and of this version. */
static int store_check(struct store *s, struct err *err)
{
	int code, rc = 0;
	char *check = store_pragma(s, "PRAGMA quick_check(1)", &code);
	char *id = check ? store_pragma(s, "PRAGMA application_id", &code) : NULL;
	char *version = id ? store_pragma(s, "PRAGMA user_version", &code) : NULL;
	char *tables =
		version ? store_pragma(s, "SELECT count(*) FROM sqlite_master", &code) : NULL;

	if (!tables) {
		rc = store_code_is_damage(code) ? store_put_aside(s, sqlite3_errstr(code), err)
						: store_fail(s, "check", code, err);
	} else if (strcmp(check, "ok") != 0) {
		rc = store_put_aside(s, check, err);
	} else if (atoi(tables) == 0) {
		code = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
		if (code)
			rc = store_fail(s, "create", code, err);
	} else if (atoi(id) != STORE_APPLICATION_ID) {
		rc = err_add(err, ERR_SYSTEM, -EBADMSG, NULL, "store %s: is not fnat's database",
			     s->path);
	} else if (atoi(version) != STORE_VERSION) {
		rc = err_add(err, ERR_SYSTEM, -EPROTO, NULL,
			     "store %s: has version %s, this fnatd knows version %d", s->path,
			     version, STORE_VERSION);
	}
	free(check);
	free(id);
	free(version);
	free(tables);
	return rc;
}

static int store_prepare(struct store *s, struct err *err)
{
	for (int i = 0; i < N_STATEMENTS; i++) {
		int code = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
					      &s->stmt[i], NULL);

		if (code)
			return store_fail(s, "prepare", code, err);
	}
	return 0;
}

static int64_t store_number(struct store *s, enum statement id)
{
	sqlite3_stmt *stmt = store_stmt(s, id);
	int64_t n = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;

	sqlite3_reset(stmt);
	return n;
}

/*
 * The settings come before the first read. EXCLUSIVE: nobody else opens it, so
 * WAL needs no shared memory file.
 */
static int store_connect(struct store *s, struct err *err)
{
	int code = sqlite3_open_v2(s->path, &s->db,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				   NULL);

	if (!code)
		code = sqlite3_exec(s->db,
				    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
				    "PRAGMA synchronous = FULL;"
				    "PRAGMA cell_size_check = ON;",
				    NULL, NULL, NULL);
	if (store_code_is_damage(code))
		return store_put_aside(s, sqlite3_errstr(code), err);
	sqlite3_wal_hook(s->db, store_logged, s);
	return code ? store_fail(s, "open", code, err) : 0;
}

static int store_begin(struct store *s, struct err *err)
{
	int rc = store_connect(s, err);
	uint64_t rollback_at_ms = 0;
	int code;

	if (!rc)
		rc = store_check(s, err);
	if (!rc)
		rc = store_prepare(s, err);
	if (rc)
		return rc;
	code = store_meta_get(s, "generation", &s->generation);
	if (!code)
		code = store_meta_get(s, "confirmed", &s->confirmed);
	if (!code)
		code = store_meta_get(s, "rollback_to", &s->way_back.to);
	if (!code)
		code = store_meta_get(s, "rollback_at_ms", &rollback_at_ms);
	if (code)
		return store_fail(s, "read", code, err);
	s->confirmed_stored = s->confirmed;
	s->way_back.at_ms = (int64_t)rollback_at_ms;
	s->oldest = (uint64_t)store_number(s, STMT_OLDEST);
	s->history_rows = store_number(s, STMT_HISTORY_COUNT);
	return 0;
}

int store_open(const struct store_options *opt, struct store **out, struct err *err)
{
	struct store *s = mem_zalloc(sizeof(*s));
	int rc;

	s->lock_fd = -1;
	s->checkpoint_at = CHECKPOINT_PAGES;
	s->keep = opt->generations ? opt->generations : STORE_GENERATIONS_DEFAULT;
	s->rows_max = opt->rows ? opt->rows : STORE_ROWS_DEFAULT;
	s->path = mem_printf("%s/" STORE_FILE, opt->dir);
	rc = store_lock(s, opt->dir, err);
	if (!rc && !opt->is_renewed)
		rc = store_refuse_after_damage(s, err);
	if (!rc)
		rc = store_begin(s, err);
	if (rc) {
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

static int store_write_confirmed(struct store *s, void *arg)
{
	(void)arg;
	return store_meta_set(s, "confirmed", s->confirmed);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->stmt[N_STATEMENTS - 1] && s->confirmed != s->confirmed_stored)
		store_transaction(s, store_write_confirmed, NULL);
	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(s->stmt[i]);
	if (s->db)
		sqlite3_close(s->db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->path);
	free(s);
}
