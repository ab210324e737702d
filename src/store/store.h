/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where generations are kept: one SQLite database (WAL, synchronous=FULL), one
 * row an object, and for each generation what it changed. A store is used by
 * one thread at a time and blocks (fsync).
 *
 * A generation is written before the kernel gets it, as pending. It becomes
 * confirmed with the next write (no fsync of its own); when the kernel refuses
 * it, store_revert() takes it back. After a crash the last generations may
 * therefore be pending: the engine tries them and reverts them if the kernel
 * refuses.
 */
#ifndef FNAT_STORE_STORE_H
#define FNAT_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/json.h"
#include "model/model.h"

#define STORE_FILE "fnat.db"
/* Generations kept for history, diff and rollback, and a bound on their object rows. */
#define STORE_GENERATIONS_DEFAULT 1000
#define STORE_ROWS_DEFAULT        1000000

struct store;

struct store_options {
	const char *dir;          /* state directory; made (0700) when missing */
	unsigned int generations; /* how many to keep; 0: the default */
	int64_t rows;             /* how many object rows of history; 0: the default */
	bool is_renewed;          /* begin anew although a damaged store is kept aside */
};

/*
 * Open or create. A damaged database is renamed to fnat.db.damaged-N and
 * refused (-EBADMSG); from then on every open is refused until the operator
 * moves it away or is_renewed is given, so that no restart replaces a running
 * ruleset by an empty one. ERR_CONFLICT (-EBUSY): another process has it open.
 */
int store_open(const struct store_options *opt, struct store **out, struct err *err);
void store_close(struct store *s);

struct store_state {
	uint64_t generation;    /* 0: nothing was ever stored */
	uint64_t confirmed;     /* the newest generation known to be in the kernel */
	int64_t rollback_at_ms; /* not 0: a change waits to be confirmed; go back ... */
	uint64_t rollback_to;   /* ... to this generation at that time (CLOCK_REALTIME) */
};

/* State and all objects as they are now; the caller frees *out with config_fini(). */
int store_load(struct store *s, struct store_state *state, struct config *out, struct err *err);

struct store_generation {
	uint64_t generation;
	int64_t time_ms;        /* CLOCK_REALTIME */
	long uid, pid;          /* who asked; -1: the daemon */
	const char *what;       /* one line: "PUT /v1/services/web" */
	int64_t rollback_at_ms; /* not 0: remember to go back to the generation before this one */
	const struct changes *changes;
};

/*
 * Write generations, oldest first, in one transaction with one fsync. 0, or an
 * error (disk full, read-only, I/O) after which nothing of it is stored. While a change waits to
 * be confirmed, nothing that leads back is pruned; ERR_CONFLICT when that is all there is room for.
 */
int store_write(struct store *s, const struct store_generation *g, size_t n, struct err *err);

/* The kernel has everything up to this generation; written with the next transaction. */
void store_confirm(struct store *s, uint64_t generation);

/*
 * Take back every generation above `generation`, newest first, in one transaction; with a
 * generation that was to be confirmed goes the way back from it.
 */
int store_revert(struct store *s, uint64_t generation, struct err *err);

/* Confirmed, or gone back: forget the way back. Durable at once. */
int store_forget_rollback(struct store *s, struct err *err);

/*
 * Moving the log into the database, which costs two fsyncs and is never done by a write: when the
 * caller has nothing else to do. Is there enough in the log to do it, or so much that it must be?
 */
enum store_checkpoint { CHECKPOINT_NONE, CHECKPOINT_DUE, CHECKPOINT_OVERDUE };
enum store_checkpoint store_wants_checkpoint(const struct store *s);
/* What fails is logged, and tried again later: the log has everything. */
void store_do_checkpoint(struct store *s);

/*
 * History, newest first, at most max rows, generations below `before` (0: all):
 * [{"generation":17,"time_ms":...,"uid":0,"pid":1,"what":"...","objects":1}].
 * The caller owns the value; NULL on error.
 */
json_t *store_history(struct store *s, uint64_t before, unsigned int max, struct err *err);

/*
 * What differs between generations a and b, as a list sorted by kind and name of
 * {"object":"service","name":"web","before":{...}|null,"after":{...}|null}.
 * ERR_NOT_FOUND when one of them is not kept (any more, or yet).
 */
json_t *store_diff(struct store *s, uint64_t a, uint64_t b, struct err *err);

#endif
