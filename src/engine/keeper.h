/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store writer: the thread that owns the store, because fsync blocks. A
 * keep travels there and back; whoever has it owns it.
 */
#ifndef FNAT_ENGINE_KEEPER_H
#define FNAT_ENGINE_KEEPER_H

#include "engine/engine.h"
#include "engine/group.h"
#include "store/store.h"

enum keep_kind {
	KEEP_WRITE,     /* the generations of `group` */
	KEEP_REVERT,    /* everything above generation `a` */
	KEEP_FORGET,    /* the way back: it was confirmed, or gone */
	KEEP_HISTORY,   /* at most `max` generations below `a`: value */
	KEEP_DIFF,      /* from generation `a` to `b`: value */
	KEEP_DIFF_TEXT, /* the same: text */
	KEEP_STOP,
};

struct keep {
	enum keep_kind kind;
	/* In */
	const struct group *group; /* borrowed until the keep is back */
	uint64_t confirmed;        /* the kernel has this generation */
	uint64_t a, b;
	unsigned int max;
	/* Out */
	int code; /* 0 or a negative errno, with err */
	struct err err;
	json_t *value;
	char *text;
	/* The sender's */
	engine_json_fn *tell;
	engine_take_fn *tell_text;   /* KEEP_DIFF_TEXT */
	engine_plain_fn *tell_plain; /* KEEP_FORGET */
	void *arg;
};

struct keep *keep_new(enum keep_kind kind);
void keep_free(struct keep *k);

struct keeper;

/* Takes the store, whatever it returns. */
int keeper_new(struct store *store, struct keeper **out, struct err *err);
/* After the last keep has come back. The kernel has `confirmed`. Closes the store. */
void keeper_free(struct keeper *k, uint64_t confirmed);

/* Gives the keep away. Keeps are done in this order, and each comes back. */
void keeper_send(struct keeper *k, struct keep *keep);
/* The next keep that is done, or NULL. The caller owns it. */
struct keep *keeper_receive(struct keeper *k);
/* The same, but waits for one. */
struct keep *keeper_wait(struct keeper *k);
/* Readable when keeper_receive() has something. Borrowed. */
int keeper_fd(const struct keeper *k);

#endif
