/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A UDP client that sent before the service existed, or while somebody had removed it, has a
 * conntrack entry without translation, and conntrack asks the ruleset about a
 * flow's first packet only. New listeners are found in what is sent and not in the model, so that a
 * repair of the table sweeps as well.
 *
 * The kernel has no index for this: one dump walks the whole table, 12 ms for 262,144 empty
 * buckets (6.18), and much more when they are full. So it is done beside the kernel writer, and
 * jobs that wait share one dump. Whoever asked for the listener is answered after it.
 */
#include "engine/sweep.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "kernel/ct.h"

/* Jobs that share a dump. */
#define SWEEP_JOBS_MAX 256

static int listener_cmp_void(const void *a, const void *b)
{
	return listener_cmp(a, b);
}

static struct listener listener_of(const struct elem *e)
{
	return (struct listener){ .address = e->address, .port = e->port, .protocol = e->protocol };
}

/* Keys of the services elements that this stage adds or deletes, sorted. */
static struct listener *listeners_of(const struct op_list *stage, enum op_kind kind, size_t *n)
{
	struct listener *items = NULL;
	size_t cap = 0;

	*n = 0;
	for (size_t i = 0; i < stage->n; i++) {
		const struct op *op = &stage->items[i];

		if (op->kind == kind && op->elem.map.kind == MAP_SERVICES)
			VEC_PUSH(items, *n, cap) = listener_of(&op->elem);
	}
	if (*n > 0)
		qsort(items, *n, sizeof(*items), listener_cmp_void);
	return items;
}

struct listener *listeners_appeared(const struct op_list *stage, size_t *n)
{
	size_t n_added, n_deleted, j = 0;
	struct listener *added = listeners_of(stage, OP_ADD_ELEM, &n_added);
	struct listener *deleted = listeners_of(stage, OP_DEL_ELEM, &n_deleted);

	*n = 0;
	for (size_t i = 0; i < n_added; i++) {
		while (j < n_deleted && listener_cmp(&deleted[j], &added[i]) < 0)
			j++;
		if (j == n_deleted || listener_cmp(&deleted[j], &added[i]) != 0)
			added[(*n)++] = added[i];
	}
	free(deleted);
	return added;
}

struct sweeper {
	pthread_t thread;
	struct mailbox *jobs;
	struct mailbox *done; /* borrowed */
	struct ct *ct;        /* NULL: conntrack is not available */
	bool is_warned;
};

/* Once: nothing will be different the next time. */
static void sweeper_warn(struct sweeper *s, const struct err *err)
{
	if (!s->is_warned)
		log_warn("engine",
			 "connections that began untranslated before their service appeared are "
			 "not cut: %s; is nf_conntrack_netlink loaded?",
			 err_text(err));
	s->is_warned = true;
}

static void sweep_departed(struct sweeper *s, struct job **jobs, size_t n_jobs)
{
	struct ct_target *all = NULL;
	size_t n = 0, cap = 0;
	struct err err;

	for (size_t i = 0; i < n_jobs; i++) {
		for (size_t j = 0; j < jobs[i]->departed.n; j++)
			VEC_PUSH(all, n, cap) = jobs[i]->departed.items[j];
	}
	err_init(&err);
	if (ct_delete(s->ct, all, n, &err) < 0)
		log_error("engine", "%s", err_text(&err));
	err_fini(&err);
	free(all);
}

static void sweep_appeared(struct sweeper *s, struct job **jobs, size_t n_jobs)
{
	struct listener *all = NULL;
	size_t n = 0, cap = 0;
	struct err err;

	for (size_t i = 0; i < n_jobs; i++) {
		for (size_t j = 0; j < jobs[i]->n_appeared; j++)
			VEC_PUSH(all, n, cap) = jobs[i]->appeared[j];
	}
	if (n > 1)
		qsort(all, n, sizeof(*all), listener_cmp_void);
	err_init(&err);
	if (ct_sweep_untranslated(s->ct, all, n, &err) < 0)
		sweeper_warn(s, &err);
	err_fini(&err);
	free(all);
}

static void *sweeper_main(void *arg)
{
	struct sweeper *s = arg;
	struct job *jobs[SWEEP_JOBS_MAX];
	bool is_stopped = false;

	while (!is_stopped) {
		struct job *job = mailbox_take(s->jobs, -1);
		size_t n = 0;

		for (; job && !is_stopped;
		     job = n < SWEEP_JOBS_MAX ? mailbox_try_take(s->jobs) : NULL) {
			if (job->kind == JOB_STOP) {
				is_stopped = true;
				job_free(job);
				break;
			}
			jobs[n++] = job;
		}
		if (n > 0 && s->ct) {
			sweep_appeared(s, jobs, n);
			sweep_departed(s, jobs, n);
		}
		for (size_t i = 0; i < n; i++)
			mailbox_put(s->done, jobs[i]);
	}
	return NULL;
}

static void sweeper_close(struct sweeper *s)
{
	if (s->ct)
		ct_close(s->ct);
	mailbox_free(s->jobs);
	free(s);
}

int sweeper_new(struct mailbox *done, struct sweeper **out, struct err *err)
{
	struct sweeper *s = mem_zalloc(sizeof(*s));
	struct err ct_err;
	int code;

	err_init(&ct_err);
	if (ct_open(&s->ct, &ct_err) < 0) {
		s->ct = NULL;
		sweeper_warn(s, &ct_err);
	}
	err_fini(&ct_err);
	s->done = done;
	s->jobs = mailbox_new();
	code = pthread_create(&s->thread, NULL, sweeper_main, s);
	if (code != 0) {
		sweeper_close(s);
		return err_add(err, ERR_SYSTEM, -code, NULL, "no thread can be started: %s",
			       strerror(code));
	}
	pthread_setname_np(s->thread, "sweeper");
	*out = s;
	return 0;
}

void sweeper_free(struct sweeper *s)
{
	if (!s)
		return;
	mailbox_put(s->jobs, job_new(JOB_STOP));
	pthread_join(s->thread, NULL);
	sweeper_close(s);
}

void sweeper_send(struct sweeper *s, struct job *job)
{
	mailbox_put(s->jobs, job);
}
