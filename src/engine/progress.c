/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One group of requests is on its way at a time, and the requests that come meanwhile form the
 * next. So the batch (and the fsync) grows with the load, and with little load nobody waits.
 *
 * The way of a group: group_form() (checked, but not current) -> disk -> kernel -> current (and
 * the next group may go) -> conntrack swept, if listeners appeared -> answered. When the kernel
 * refuses, the disk takes the group back before anybody is told. The model is touched only when
 * all have accepted, so there is nothing else to undo.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_internal.h"

/* What the kernel refused is tried again after this time. */
#define RUNTIME_RETRY_S 1

void progress_send_job(struct engine *e, struct job *job)
{
	e->n_jobs++;
	writer_send(e->writer, job);
}

void progress_send_keep(struct engine *e, struct keep *k)
{
	e->n_keeps++;
	keeper_send(e->keeper, k);
}

static struct engine_result result_of(const struct engine *e, const struct pending *r)
{
	return (struct engine_result){
		.generation = err_any(&r->err) ? e->generation : r->generation,
		.is_changed = !err_any(&r->err) && !r->is_dry_run && r->changes.n > 0,
	};
}

static void answer(const struct engine *e, const struct pending *r, struct ops *ops)
{
	struct engine_result result = result_of(e, r);
	struct ops none;

	ops_init(&none);
	if (r->is_dry_run) {
		result.ops = ops ? ops : &none;
		result.generation = e->generation;
	}
	r->done(&result, err_any(&r->err) ? &r->err : NULL, r->arg);
}

static void overlay_piece(struct changes *piece, void *arg)
{
	struct engine *e = arg;

	if (e->outgoing->kind == JOB_COMMIT)
		departed_add_changes(&e->outgoing->departed, piece);
	runtime_overlay(e->runtime, piece);
}

static void send_outgoing(void *arg)
{
	struct engine *e = arg;
	struct job *job = e->outgoing;

	e->outgoing = NULL;
	progress_send_job(e, job);
}

/* What becomes known of a service after its piece is marked, and goes after the group. */
static void send_to_kernel(struct engine *e)
{
	e->outgoing = job_new(group_is_dry_run(&e->group) ? JOB_DRY_RUN : JOB_COMMIT);
	e->outgoing->changes = &e->group.net;
	e->is_committing = e->outgoing->kind == JOB_COMMIT;
	slices_run(e->slices, &e->group.net, overlay_piece, send_outgoing, e);
}

/*
 * What is known at run time, ahead of everything that waits. Not while the kernel may be about to
 * accept a change of the configuration: what follows from both is known when that is back.
 */
static void send_runtime(struct engine *e)
{
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct job *job;

	if (!e->is_started || e->report.is_flushed || e->is_committing || e->is_telling ||
	    !runtime_is_dirty(e->runtime))
		return;
	job = job_new(JOB_RUNTIME);
	job->runtime_number = e->n_told + 1;
	runtime_take(e->runtime, e->model, &job->runtime);
	e->n_told++;
	departed_move(&job->departed, &e->departed);
	job->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	e->is_telling = true;
	progress_send_job(e, job);
}

void progress_runtime_done(struct engine *e, struct job *job)
{
	struct timeval pause = { .tv_sec = RUNTIME_RETRY_S };

	if (job->code >= 0) {
		log_debug("engine", "what is known of %zu services is in the kernel (%llu us)",
			  job->runtime.n, (unsigned long long)(job->took_ns / 1000));
		e->last_runtime_cpu_ns = job->cpu_ns;
		e->is_telling = false;
		e->n_known = job->runtime_number;
		progress_advance(e);
		return;
	}
	log_error("engine", "%zu services keep what they have in the kernel for now: %s",
		  job->runtime.n, err_text(&job->err));
	runtime_untake(e->runtime, &job->runtime);
	departed_move(&e->departed, &job->departed);
	event_add(e->retry, &pause);
}

void progress_observed(struct engine *e, const struct changes *c)
{
	for (size_t i = 0; i < e->n_observers; i++)
		e->observers[i].fn(c, e->observers[i].arg);
}

static void send_to_store(struct engine *e)
{
	struct pending *r = group_to_confirm(&e->group);
	struct keep *k = keep_new(KEEP_WRITE);

	if (r)
		r->rollback_at_ms = clock_real_ms() + (int64_t)r->confirm_s * 1000;
	k->group = &e->group;
	k->confirmed = e->generation;
	progress_send_keep(e, k);
}

/* Frees what is no longer in the engine's way, elsewhere when it is large. */
struct leftovers {
	struct group group;
	struct pending *requests[GROUP_REQUESTS_MAX];
	size_t n;
};

static void leftovers_free(void *arg)
{
	struct leftovers *l = arg;

	for (size_t i = 0; i < l->n; i++)
		pending_free(l->requests[i]);
	group_fini(&l->group);
	free(l);
}

static void group_free(struct engine *e, struct group *g)
{
	bool is_large = group_is_large(g);
	struct leftovers *l = mem_alloc(sizeof(*l));

	l->group = *g;
	l->n = g->n;
	memcpy(l->requests, g->requests, g->n * sizeof(*g->requests));
	group_init(g);
	if (is_large)
		engine_dispose(e, leftovers_free, l);
	else
		leftovers_free(l);
}

static void send_to_prepare(struct engine *e)
{
	struct job *job = job_new(JOB_PREPARE);

	job->prepare = &e->group;
	job->model = e->model;
	progress_send_job(e, job);
}

static void send_prepared(struct engine *e)
{
	if (e->keeper && !group_is_dry_run(&e->group))
		send_to_store(e);
	else
		send_to_kernel(e);
}

/* e->refusal says why. The group is nowhere any more. */
static void group_refused(struct engine *e)
{
	struct pending *r = e->group.requests[0];

	if (e->group.n > 1) {
		log_debug("engine", "a group of %zu requests was refused, trying each alone: %s",
			  e->group.n, err_text(&e->refusal));
		group_split(&e->group, &e->waiting);
		err_reset(&e->refusal);
		return;
	}
	err_move(&r->err, &e->refusal);
	answer(e, r, NULL);
	group_free(e, &e->group);
}

static void send_group(struct engine *e)
{
	if (group_to_confirm(&e->group) && confirm_check(e->confirm, &e->refusal)) {
		group_refused(e);
		return;
	}
	e->is_busy = true;
	if (group_is_large(&e->group))
		send_to_prepare(e);
	else
		send_prepared(e);
}

void progress_prepared(struct engine *e)
{
	if (e->group.generation != e->generation) {
		send_prepared(e);
		return;
	}
	answer(e, e->group.requests[0], NULL);
	group_free(e, &e->group);
	e->is_busy = false;
	progress_advance(e);
}

void progress_advance(struct engine *e)
{
	send_runtime(e);
	while (!e->is_busy && e->waiting.first) {
		struct pending_queue settled;
		struct pending *r;

		pending_queue_init(&settled);
		group_form(&e->group, &e->waiting, e->model, e->generation, &settled);
		while ((r = pending_queue_pop(&settled))) {
			answer(e, r, NULL);
			pending_free(r);
		}
		if (e->group.n > 0)
			send_group(e);
	}
}

static void group_report(struct engine *e, const struct group *g, const struct job *job)
{
	for (size_t i = 0; i < g->n && job->kind == JOB_COMMIT; i++)
		report_request(e, g->requests[i], job->took_ns);
}

static void follow_piece(struct changes *piece, void *arg)
{
	struct engine *e = arg;

	runtime_accepted(e->runtime, piece);
	warmup_accepted(e->warmup, piece);
	progress_observed(e, piece);
}

static void group_end(struct engine *e)
{
	e->is_committing = false;
	e->is_busy = false;
	progress_advance(e);
}

/* All has followed the group. */
static void followed(void *arg)
{
	struct engine *e = arg;
	struct job *job = e->following;

	e->following = NULL;
	if (job->n_appeared > 0) /* else who asked comes first */
		group_report(e, job->group, job);
	group_end(e);
	engine_job_followed(e, job);
}

static void follow(struct engine *e, struct job *job)
{
	struct group *g = job->group;

	e->following = job;
	for (size_t i = 0; i + 1 < g->n; i++)
		follow_piece(&g->requests[i]->changes, e);
	slices_run(e->slices, &g->requests[g->n - 1]->changes, follow_piece, followed, e);
}

/* Moves the group to the job. */
static void group_accepted(struct engine *e, struct job *job)
{
	struct group *g = mem_alloc(sizeof(*g));

	*g = e->group;
	group_init(&e->group);
	job->group = g;
	if (job->kind != JOB_COMMIT) {
		group_end(e);
		engine_job_followed(e, job);
		return;
	}
	if (group_to_confirm(g))
		confirm_set(e->confirm, e->generation, g->requests[0]->rollback_at_ms);
	group_apply(g, &e->model);
	e->generation = g->generation;
	follow(e, job);
}

void progress_answer(struct engine *e, struct job *job)
{
	struct group *g = job->group;

	job->group = NULL;
	if (!g) /* refused */
		return;
	for (size_t i = 0; i < g->n; i++)
		answer(e, g->requests[i], &job->ops);
	if (job->n_appeared == 0)
		group_report(e, g, job);
	group_free(e, g);
	free(g);
}

void progress_kernel_done(struct engine *e, struct job *job)
{
	struct keep *k;

	if (job->code >= 0) {
		group_accepted(e, job);
		return;
	}
	err_move(&e->refusal, &job->err);
	if (!e->keeper || group_is_dry_run(&e->group)) {
		group_refused(e);
		group_end(e);
	} else {
		e->is_committing = false;
		k = keep_new(KEEP_REVERT);
		k->a = e->generation;
		progress_send_keep(e, k);
	}
	engine_job_followed(e, job);
}

void progress_store_done(struct engine *e, struct keep *k)
{
	if (k->kind == KEEP_WRITE && k->code >= 0) {
		send_to_kernel(e);
		return;
	}
	/* A revert that failed is made up for by the next write, or at the next start. */
	if (k->code < 0)
		log_error("engine", "%s", err_text(&k->err));
	if (k->kind == KEEP_WRITE)
		err_move(&e->refusal, &k->err);
	group_refused(e);
	group_end(e);
}
