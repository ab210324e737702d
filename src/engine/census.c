/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Beside the reader of events, which must do nothing but drain, and beside the sweeper, whose
 * answers somebody waits for. The kernel goes on with a dump as fast as it is read; when the main
 * loop has all of the batches, reading waits.
 */
#include "engine/census.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "kernel/ct.h"

#define BATCHES_MAX  16
#define STOP_POLL_MS 100

struct census {
	pthread_t thread;
	struct mailbox *jobs, *returned;
	struct mailbox *out; /* borrowed */
	atomic_bool is_stopping;
	struct ct *ct;
	/* The thread's */
	size_t n_batches; /* made */
	struct ct_batch *batch;
	uint64_t number;
};

static struct ct_batch *batch_get(struct census *c)
{
	struct ct_batch *b = mailbox_try_take(c->returned);

	if (!b && c->n_batches < BATCHES_MAX) {
		c->n_batches++;
		b = mem_alloc(sizeof(*b));
	}
	while (!b && !atomic_load(&c->is_stopping))
		b = mailbox_take(c->returned, STOP_POLL_MS);
	if (b)
		b->n = 0;
	return b;
}

static void batch_send(struct census *c, enum ct_batch_kind kind, int code)
{
	struct ct_batch *b = c->batch ? c->batch : batch_get(c);

	c->batch = NULL;
	if (!b)
		return;
	b->kind = kind;
	b->number = c->number;
	b->code = code;
	mailbox_put(c->out, b);
}

static void listed_cb(const struct flow *flow, void *arg)
{
	struct census *c = arg;

	if (atomic_load(&c->is_stopping))
		return;
	if (!c->batch)
		c->batch = batch_get(c);
	if (!c->batch)
		return;
	c->batch->flows[c->batch->n++] = *flow;
	if (c->batch->n == CT_BATCH_FLOWS)
		batch_send(c, CT_BATCH_LISTED, 0);
}

static void *census_main(void *arg)
{
	struct census *c = arg;

	while (!atomic_load(&c->is_stopping)) {
		uint64_t *job = mailbox_take(c->jobs, -1);
		int code;

		c->number = *job;
		free(job);
		if (atomic_load(&c->is_stopping))
			break;
		code = ct_list(c->ct, listed_cb, c);
		if (c->batch)
			batch_send(c, CT_BATCH_LISTED, 0);
		batch_send(c, CT_BATCH_END, code);
	}
	return NULL;
}

static void empty(struct mailbox *mb)
{
	void *message;

	while ((message = mailbox_try_take(mb)))
		free(message);
	mailbox_free(mb);
}

static void census_close(struct census *c)
{
	ct_close(c->ct);
	free(c->batch);
	empty(c->jobs);
	empty(c->returned);
	free(c);
}

int census_new(struct mailbox *out, struct census **to, struct err *err)
{
	struct census *c = mem_zalloc(sizeof(*c));
	int code;

	c->out = out;
	c->jobs = mailbox_new();
	c->returned = mailbox_new();
	code = ct_open(&c->ct, err);
	if (code == 0) {
		code = -pthread_create(&c->thread, NULL, census_main, c);
		if (code < 0)
			err_add(err, ERR_SYSTEM, code, NULL, "no thread can be started: %s",
				strerror(-code));
	}
	if (code < 0) {
		census_close(c);
		return code;
	}
	pthread_setname_np(c->thread, "census");
	*to = c;
	return 0;
}

void census_free(struct census *c)
{
	if (!c)
		return;
	atomic_store(&c->is_stopping, true);
	census_start(c, 0); /* wakes it */
	pthread_join(c->thread, NULL);
	census_close(c);
}

void census_start(struct census *c, uint64_t number)
{
	uint64_t *job = mem_alloc(sizeof(*job));

	*job = number;
	mailbox_put(c->jobs, job);
}

void census_return(struct census *c, struct ct_batch *batch)
{
	mailbox_put(c->returned, batch);
}
