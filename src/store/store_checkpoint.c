/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By itself SQLite moves the log into the database at the end of the commit that made it long: one
 * change in some sixty would wait for two fsyncs more than its own. So that is off (a hook of our
 * own replaces SQLite's), and whoever owns the store says when it is time. Only a log that has
 * grown ten times as long while changes kept coming is moved between two of them.
 */
#include "base/log.h"
#include "store/store_internal.h"

#define OVERDUE_FACTOR 10

int store_logged(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void)db;
	(void)name;
	s->log_pages = pages;
	return SQLITE_OK;
}

enum store_checkpoint store_wants_checkpoint(const struct store *s)
{
	if (s->log_pages < s->checkpoint_at)
		return CHECKPOINT_NONE;
	return s->log_pages < OVERDUE_FACTOR * s->checkpoint_at ? CHECKPOINT_DUE
								: CHECKPOINT_OVERDUE;
}

void store_do_checkpoint(struct store *s)
{
	int moved = 0;
	int code = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &moved);

	if (!code) {
		s->log_pages = 0; /* the next write begins the log anew */
		s->checkpoint_at = CHECKPOINT_PAGES;
		return;
	}
	s->checkpoint_at = s->log_pages + CHECKPOINT_PAGES;
	log_warn("store", "%s: the log cannot be moved into the database, and grows: %s", s->path,
		 sqlite3_errstr(code));
}
