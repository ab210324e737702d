/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Like the kernel writer a mailbox in, a mailbox out, a loop; they are two
 * threads, so that a slow disk does not keep the kernel writer from repairing
 * the table, nor a batch of a million elements the history from being read.
 */
#include "engine/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"

/* Nobody changes anything for so long: probably nobody does right now. */
#define CHECKPOINT_IDLE_MS 100

struct keeper {
	pthread_t thread;
	struct mailbox *keeps, *done;
	struct store *store; /* the thread's own */
};

struct keep *keep_new(enum keep_kind kind)
{
	struct keep *k = mem_zalloc(sizeof(*k));

	k->kind = kind;
	err_init(&k->err);
	return k;
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	err_fini(&k->err);
	json_decref(k->value);
	free(k->text);
	free(k);
}

/* Each request that changes something is a generation; all of them cost one fsync. */
static void run_write(struct keeper *k, struct keep *keep)
{
	const struct group *g = keep->group;
	struct store_generation generations[GROUP_REQUESTS_MAX];
	int64_t now_ms = clock_real_ms();
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct pending *r = g->requests[i];

		if (r->changes.n == 0)
			continue;
		generations[n++] = (struct store_generation){
			.generation = r->generation,
			.time_ms = now_ms,
			.uid = r->who.uid,
			.pid = r->who.pid,
			.what = r->who.what ? r->who.what : "",
			.rollback_at_ms = r->rollback_at_ms,
			.changes = &r->changes,
		};
	}
	keep->code = store_write(k->store, generations, n, &keep->err);
}

static void run_revert(struct keeper *k, struct keep *keep)
{
	keep->code = store_revert(k->store, keep->a, &keep->err);
}

static void run_forget(struct keeper *k, struct keep *keep)
{
	keep->code = store_forget_rollback(k->store, &keep->err);
}

static void run_history(struct keeper *k, struct keep *keep)
{
	keep->value = store_history(k->store, keep->a, keep->max, &keep->err);
	keep->code = keep->value ? 0 : -EIO;
}

static void run_diff(struct keeper *k, struct keep *keep)
{
	keep->value = store_diff(k->store, keep->a, keep->b, &keep->err);
	keep->code = keep->value ? 0 : -EIO;
}

/* Many megabytes, perhaps: the loop gets them ready to be sent. */
static void run_diff_text(struct keeper *k, struct keep *keep)
{
	json_t *value;

	run_diff(k, keep);
	if (!keep->value)
		return;
	value = json_pack("{s:o}", "changes", keep->value);
	keep->value = NULL;
	keep->text = json_dumps(value, JSON_COMPACT);
	json_decref(value);
}

static void (*const run[])(struct keeper *, struct keep *) = {
	[KEEP_WRITE] = run_write,     [KEEP_REVERT] = run_revert, [KEEP_FORGET] = run_forget,
	[KEEP_HISTORY] = run_history, [KEEP_DIFF] = run_diff,     [KEEP_DIFF_TEXT] = run_diff_text,
};

/* The next keep. While none comes the log is moved, which one that came would have to wait for. */
static struct keep *next_keep(struct keeper *k)
{
	enum store_checkpoint wanted = store_wants_checkpoint(k->store);
	struct keep *keep;

	if (wanted == CHECKPOINT_DUE) {
		keep = mailbox_take(k->keeps, CHECKPOINT_IDLE_MS);
		if (keep)
			return keep;
	}
	if (wanted != CHECKPOINT_NONE)
		store_do_checkpoint(k->store);
	return mailbox_take(k->keeps, -1);
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	struct keep *keep;

	while ((keep = next_keep(k))->kind != KEEP_STOP) {
		if (keep->confirmed)
			store_confirm(k->store, keep->confirmed);
		run[keep->kind](k, keep);
		mailbox_put(k->done, keep);
	}
	if (keep->confirmed)
		store_confirm(k->store, keep->confirmed);
	keep_free(keep);
	return NULL;
}

static void keeper_close(struct keeper *k)
{
	store_close(k->store);
	mailbox_free(k->keeps);
	mailbox_free(k->done);
	free(k);
}

int keeper_new(struct store *store, struct keeper **out, struct err *err)
{
	struct keeper *k = mem_zalloc(sizeof(*k));
	int code;

	k->store = store;
	k->keeps = mailbox_new();
	k->done = mailbox_new();
	code = pthread_create(&k->thread, NULL, keeper_main, k);
	if (code != 0) {
		keeper_close(k);
		return err_add(err, ERR_SYSTEM, -code, NULL, "no thread can be started: %s",
			       strerror(code));
	}
	pthread_setname_np(k->thread, "store-writer");
	*out = k;
	return 0;
}

void keeper_free(struct keeper *k, uint64_t confirmed)
{
	struct keep *keep;

	if (!k)
		return;
	keep = keep_new(KEEP_STOP);
	keep->confirmed = confirmed;
	keeper_send(k, keep);
	pthread_join(k->thread, NULL);
	while ((keep = mailbox_try_take(k->done)))
		keep_free(keep);
	keeper_close(k);
}

void keeper_send(struct keeper *k, struct keep *keep)
{
	mailbox_put(k->keeps, keep);
}

struct keep *keeper_receive(struct keeper *k)
{
	return mailbox_try_take(k->done);
}

struct keep *keeper_wait(struct keeper *k)
{
	return mailbox_take(k->done, -1);
}

int keeper_fd(const struct keeper *k)
{
	return mailbox_fd(k->done);
}
