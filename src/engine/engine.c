/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's life and the jobs that come back from its threads. The way of a change is in
 * progress.c, what else the engine can be asked in ask.c.
 *
 * Requests are answered from the loop, never from within engine_request(): `wake` is an
 * event that only event_active() fires, in the same round of the loop.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_internal.h"
#include "engine/events.h"

#define PREFLIGHT_INTERVAL_S 60
#define PREFLIGHT_SERVICES   256 /* more are not looked at, see preflight_run() */

static void wake_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	progress_advance(arg);
}

static void watch_done(struct engine *e, const struct job *job)
{
	e->is_watching = false;
	if (job->code < 0)
		log_error("engine", "the table cannot be verified: %s", err_text(&job->err));
}

/*
 * The writer has done it: make its results current. False: that takes a while, and ends with
 * engine_job_followed().
 */
static bool job_settle(struct engine *e, struct job *job)
{
	job->is_settled = true;
	if (job->report.drift_repaired > e->report.drift_repaired ||
	    (job->report.is_flushed && !e->report.is_flushed))
		runtime_forget_gates(e->runtime);
	if (job->report.drift_repaired > e->report.drift_repaired)
		report_drift(e, job->report.drift_repaired - e->report.drift_repaired);
	e->report = job->report;
	switch (job->kind) {
	case JOB_COMMIT:
	case JOB_DRY_RUN:
		progress_kernel_done(e, job);
		return false;
	case JOB_PREFLIGHT:
		report_findings(e, &job->findings);
		break;
	case JOB_WATCH:
		watch_done(e, job);
		break;
	case JOB_PREPARE:
		progress_prepared(e);
		break;
	case JOB_REPORT:
		e->n_jobs++; /* nobody has sent it */
		break;
	case JOB_RUNTIME:
		progress_runtime_done(e, job);
		break;
	case JOB_VERIFY:
		progress_advance(e); /* what became known while there was no table */
		break;
	case JOB_START:
	case JOB_FLUSH:
	case JOB_RULESET:
	case JOB_PLACEMENTS:
	case JOB_EXPLAIN:
	case JOB_ENTRIES:
	case JOB_FOUND_GATES:
	case JOB_GATES:
	case JOB_OWNED:
	case JOB_DISPOSE:
	case JOB_CUT:
	case JOB_STOP:
		break;
	}
	return true;
}

static void job_tell(struct engine *e, struct job *job)
{
	const struct err *err = job->code < 0 ? &job->err : NULL;

	switch (job->kind) {
	case JOB_COMMIT:
	case JOB_DRY_RUN:
		progress_answer(e, job);
		break;
	case JOB_VERIFY:
	case JOB_FLUSH:
		job->tell.verify(job->n_ops, err, job->arg);
		break;
	case JOB_RULESET:
		job->tell.text(job->text, job->text_len, err, job->arg);
		break;
	case JOB_PLACEMENTS:
		job->tell.placements(job->placements, job->n_placements, job->arg);
		break;
	case JOB_EXPLAIN:
		job->tell.explain(&job->explanation, job->arg);
		break;
	case JOB_ENTRIES:
		job->tell.entries(&job->entries, job->n_ops, err, job->arg);
		break;
	case JOB_GATES:
		job->tell.gates(&job->gates, job->arg);
		break;
	case JOB_OWNED:
		job->tell.owned(&job->owned, job->arg);
		break;
	case JOB_PREFLIGHT:
		if (job->tell.look)
			job->tell.look(&e->findings, job->arg);
		break;
	case JOB_CUT:
		job->tell.cut(job->arg);
		break;
	case JOB_FOUND_GATES:
	case JOB_START:
	case JOB_WATCH:
	case JOB_REPORT:
	case JOB_RUNTIME:
	case JOB_PREPARE:
	case JOB_DISPOSE:
	case JOB_STOP:
		break;
	}
}

/* True: that was all, and whoever waits for it may be told. */
static bool job_is_over(struct engine *e, struct job *job)
{
	if (!job->is_swept && (job->n_appeared > 0 || (job->departed.n > 0 && job->code >= 0))) {
		job->is_swept = true;
		sweeper_send(e->sweeper, job);
		return false;
	}
	e->n_jobs--;
	return true;
}

void engine_job_followed(struct engine *e, struct job *job)
{
	if (!job_is_over(e, job))
		return;
	job_tell(e, job);
	job_free(job);
}

/* A job came back from the writer, or, the second time, from the sweeper. */
static void job_done(struct engine *e, struct job *job)
{
	bool is_settled = job->is_settled || job_settle(e, job);

	if (is_settled)
		engine_job_followed(e, job);
}

static void done_cb(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct job *job;

	(void)fd;
	(void)what;
	while ((job = writer_receive(e->writer)))
		job_done(e, job);
}

/* What was asked of the store came back. */
static void keep_done(struct engine *e, struct keep *k)
{
	const struct err *err = k->code < 0 ? &k->err : NULL;

	e->n_keeps--;
	switch (k->kind) {
	case KEEP_WRITE:
	case KEEP_REVERT:
		progress_store_done(e, k);
		break;
	case KEEP_FORGET:
		if (!err)
			confirm_set(e->confirm, 0, 0);
		k->tell_plain(err, k->arg);
		break;
	case KEEP_HISTORY:
	case KEEP_DIFF:
		k->tell(k->value, err, k->arg);
		break;
	case KEEP_DIFF_TEXT:
		k->tell_text(k->text, err, k->arg);
		k->text = NULL;
		break;
	case KEEP_STOP:
		break;
	}
	keep_free(k);
}

static void kept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct keep *k;

	(void)fd;
	(void)what;
	while ((k = keeper_receive(e->keeper)))
		keep_done(e, k);
}

static void watch_cb(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	if (e->is_watching)
		return;
	e->is_watching = true;
	progress_send_job(e, job_new(JOB_WATCH));
}

void engine_preflight(struct engine *e)
{
	engine_look(e, NULL, NULL);
}

void engine_look(struct engine *e, engine_look_fn *done, void *arg)
{
	struct job *job = job_new(JOB_PREFLIGHT);

	job->services = model_some_services(e->model, PREFLIGHT_SERVICES, &job->n_services);
	job->pools = model_pools(e->model, &job->n_pools);
	job->tell.look = done;
	job->arg = arg;
	e->preflight_generation = e->generation;
	progress_send_job(e, job);
}

static void minute_cb(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	if (e->preflight_generation != e->generation)
		engine_preflight(e);
}

/* After a pause: a JOB_RUNTIME was refused. */
static void retry_cb(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	e->is_telling = false;
	progress_advance(e);
}

static void events_start(struct engine *e, struct event_base *base, unsigned int verify_ms)
{
	struct timeval minute = { .tv_sec = PREFLIGHT_INTERVAL_S };
	struct timeval interval = { .tv_sec = verify_ms / 1000,
				    .tv_usec = verify_ms % 1000 * 1000 };

	e->wake = event_new(base, -1, 0, wake_cb, e);
	e->done = event_new(base, writer_fd(e->writer), EV_READ | EV_PERSIST, done_cb, e);
	e->watch = event_new(base, -1, EV_PERSIST, watch_cb, e);
	e->minute = event_new(base, -1, EV_PERSIST, minute_cb, e);
	e->retry = event_new(base, -1, 0, retry_cb, e);
	event_add(e->done, NULL);
	event_add(e->minute, &minute);
	if (verify_ms > 0)
		event_add(e->watch, &interval);
	if (e->keeper) {
		e->kept = event_new(base, keeper_fd(e->keeper), EV_READ | EV_PERSIST, kept_cb, e);
		event_add(e->kept, NULL);
	}
}

int engine_new(struct event_base *base, const struct engine_options *opt, struct engine **out,
	       struct err *err)
{
	struct engine *e = mem_zalloc(sizeof(*e));
	int code = opt->store ? keeper_new(opt->store, &e->keeper, err) : 0;

	if (code == 0)
		code = writer_new(opt, &e->writer, err);
	if (code == 0)
		code = sweeper_new(writer_done(e->writer), &e->sweeper, err);
	if (code < 0) {
		writer_free(e->writer);
		keeper_free(e->keeper, 0);
		free(e);
		return code;
	}
	e->model = model_new();
	e->runtime = runtime_new();
	e->warmup = warmup_new(base, facts_warm, e);
	runtime_on_standing(e->runtime, report_standing, e);
	e->is_read_only = opt->is_read_only;
	pending_queue_init(&e->waiting);
	group_init(&e->group);
	err_init(&e->refusal);
	e->events = events_new(EVENTS_MAX_DEFAULT, (uint64_t)clock_real_ms() * 1000);
	e->confirm = confirm_new(e, base);
	e->slices = slices_new(base);
	events_start(e, base, opt->verify_interval_ms);
	*out = e;
	return 0;
}

/* Blocks until the job has come back. */
static void job_wait(struct engine *e, const struct job *job)
{
	for (;;) {
		struct job *back = writer_wait(e->writer);

		if (back != job)
			job_done(e, back);
		else if ((back->is_settled || job_settle(e, back)) && job_is_over(e, back))
			return;
	}
}

static void started(struct engine *e, const struct changes *initial, uint64_t generation,
		    const struct job *job)
{
	model_apply(e->model, initial);
	e->generation = generation;
	e->is_started = true;
	runtime_accepted(e->runtime, initial);
	progress_observed(e, initial);
	log_info("engine", "services: %zu, pools: %zu; %ld operations, %llu ms",
		 model_n_services(e->model), model_n_pools(e->model), job->n_ops,
		 (unsigned long long)(job->took_ns / 1000000));
	if (e->report.is_owner) /* nobody else can change the table */
		event_del(e->watch);
	engine_preflight(e);
}

/* Counts that go on in the kernel. */
static int adopt_gates(struct engine *e, const struct changes *initial, struct err *err)
{
	bool has_gates = false;
	struct job *job;
	int code;

	for (size_t i = 0; i < initial->n && !has_gates; i++) {
		const struct change *c = &initial->items[i];

		has_gates = c->object == OBJECT_SERVICE && c->service.after &&
			    service_has_gates(c->service.after);
	}
	if (!has_gates)
		return 0;
	job = job_new(JOB_FOUND_GATES);
	progress_send_job(e, job);
	job_wait(e, job);
	code = job->code;
	if (code < 0)
		err_move(err, &job->err);
	else
		facts_adopt(e, initial, &job->gates);
	job_free(job);
	return code;
}

int engine_start(struct engine *e, const struct changes *initial, uint64_t generation,
		 struct err *err)
{
	struct job *job;
	int code = model_check(e->model, initial, err);

	assert(!e->is_started);
	if (code < 0)
		return code;
	code = adopt_gates(e, initial, err);
	if (code < 0)
		return code;
	job = job_new(JOB_START);
	changes_copy(initial, &job->runtime);
	runtime_overlay(e->runtime, &job->runtime);
	job->changes = &job->runtime;
	progress_send_job(e, job);
	job_wait(e, job);
	code = job->code;
	if (code < 0)
		err_move(err, &job->err);
	else
		started(e, initial, generation, job);
	job_free(job);
	return code;
}

void engine_resume_rollback(struct engine *e, uint64_t to, int64_t at_ms)
{
	confirm_set(e->confirm, to, at_ms);
}

void engine_drain(struct engine *e)
{
	e->is_draining = true;
	slices_finish(e->slices);
	progress_advance(e);
	while (e->n_jobs > 0 || e->n_keeps > 0 || e->waiting.first) {
		if (e->n_keeps > 0)
			keep_done(e, keeper_wait(e->keeper));
		else if (e->n_jobs > 0)
			job_done(e, writer_wait(e->writer));
		progress_advance(e);
	}
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	engine_drain(e);
	event_free(e->wake);
	event_free(e->done);
	event_free(e->watch);
	event_free(e->minute);
	event_free(e->retry);
	confirm_free(e->confirm);
	if (e->kept)
		event_free(e->kept);
	/* The store learns what the kernel has, so that the next start need not doubt it. */
	keeper_free(e->keeper, e->is_started ? e->generation : 0);
	sweeper_free(e->sweeper);
	writer_free(e->writer);
	slices_free(e->slices);
	events_free(e->events);
	findings_fini(&e->findings);
	warmup_free(e->warmup);
	departed_fini(&e->departed);
	runtime_free(e->runtime);
	model_free(e->model);
	free(e);
}

const struct model *engine_model(const struct engine *e)
{
	return e->model;
}

uint64_t engine_generation(const struct engine *e)
{
	return e->generation;
}

void engine_status(const struct engine *e, struct engine_status *out)
{
	*out = (struct engine_status){
		.generation = e->generation,
		.is_owner = e->report.is_owner,
		.is_durable = e->keeper != NULL,
		.is_flushed = e->report.is_flushed,
		.plan = e->report.plan,
		.batches = e->report.batches,
		.batch_failures = e->report.batch_failures,
		.last_commit_ns = e->report.last_commit_ns,
		.last_runtime_cpu_ns = e->last_runtime_cpu_ns,
		.drift_repaired = e->report.drift_repaired,
		.garbage = e->report.garbage,
		.pending = e->waiting.n + (e->is_busy ? e->group.n : 0),
	};
	out->rollback_at_ms = confirm_get(e->confirm, &out->rollback_to);
}

bool engine_is_read_only(const struct engine *e)
{
	return e->is_read_only;
}

struct events *engine_events(struct engine *e)
{
	return e->events;
}

const struct findings *engine_findings(const struct engine *e)
{
	return &e->findings;
}

static int refuse_prepare(const struct model *m, uint64_t generation, void *arg,
			  struct changes *out, struct err *err)
{
	(void)m;
	(void)generation;
	(void)arg;
	(void)out;
	return err_add(err, ERR_BUSY, -ESHUTDOWN, NULL, "fnatd is stopping; ask again later");
}

static int read_only_prepare(const struct model *m, uint64_t generation, void *arg,
			     struct changes *out, struct err *err)
{
	(void)m;
	(void)generation;
	(void)arg;
	(void)out;
	return err_add(err, ERR_CONFLICT, -EROFS, NULL,
		       "the configuration is the file of --config-readonly: change that and send "
		       "fnatd SIGHUP");
}

void engine_dispose(struct engine *e, void (*dispose)(void *arg), void *arg)
{
	struct job *job = job_new(JOB_DISPOSE);

	job->dispose = dispose;
	job->arg = arg;
	progress_send_job(e, job);
}

void engine_request_confirmed(struct engine *e, const struct requester *who, unsigned int flags,
			      unsigned int confirm_s, engine_prepare_fn *prepare,
			      engine_done_fn *done, void *arg)
{
	if (e->is_read_only && who->uid >= 0 && !(flags & (ENGINE_DRY_RUN | ENGINE_STATE)))
		prepare = read_only_prepare;
	if (e->is_draining)
		prepare = refuse_prepare;
	pending_queue_push(&e->waiting, pending_new(who, flags, confirm_s, prepare, done, arg));
	event_active(e->wake, EV_READ, 0);
}

void engine_request(struct engine *e, const struct requester *who, unsigned int flags,
		    engine_prepare_fn *prepare, engine_done_fn *done, void *arg)
{
	engine_request_confirmed(e, who, flags, 0, prepare, done, arg);
}
