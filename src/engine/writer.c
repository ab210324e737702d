/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mailbox in, a mailbox out, a loop. Garbage is collected when no job
 * waits: that is when its batch delays nobody.
 */
#include "engine/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "engine/group.h"
#include "engine/table.h"

struct writer {
	pthread_t thread;
	struct mailbox *jobs, *done;
	struct table *table; /* the thread's own */
	char *table_name;
};

static void run_start(struct writer *w, struct job *job)
{
	job->n_ops = table_start(w->table, job->changes, &job->err);
}

static void run_commit(struct writer *w, struct job *job)
{
	job->n_ops = table_commit(w->table, job->changes, &job->err);
}

static void run_runtime(struct writer *w, struct job *job)
{
	job->n_ops = table_commit(w->table, &job->runtime, &job->err);
}

static void run_dry_run(struct writer *w, struct job *job)
{
	table_dry_run(w->table, job->changes, &job->ops);
}

static void run_prepare(struct writer *w, struct job *job)
{
	(void)w;
	group_prepare(job->prepare, job->model);
}

static void run_dispose(struct writer *w, struct job *job)
{
	(void)w;
	job->dispose(job->arg);
}

static void run_verify(struct writer *w, struct job *job)
{
	job->n_ops = table_verify(w->table, &job->err);
}

static void run_watch(struct writer *w, struct job *job)
{
	job->n_ops = table_watch(w->table, &job->err);
}

static void run_flush(struct writer *w, struct job *job)
{
	job->n_ops = table_flush(w->table, &job->err);
}

static void run_ruleset(struct writer *w, struct job *job)
{
	job->n_ops = table_text(w->table, &job->text, &job->text_len, &job->err);
}

static void run_placements(struct writer *w, struct job *job)
{
	job->placements = table_placements(w->table, job->name, &job->n_placements);
}

static void run_explain(struct writer *w, struct job *job)
{
	table_explain(w->table, &job->packet, &job->explanation);
}

static void run_entries(struct writer *w, struct job *job)
{
	job->n_ops = table_entries(w->table, job->name, &job->filter, job->is_delete, &job->entries,
				   &job->err);
}

static void run_found_gates(struct writer *w, struct job *job)
{
	job->n_ops = table_found_gates(w->table, &job->gates, &job->err);
}

static void run_gates(struct writer *w, struct job *job)
{
	table_gates(w->table, job->asked, &job->gates);
}

static void run_owned(struct writer *w, struct job *job)
{
	table_owned(w->table, &job->owned);
}

static void run_preflight(struct writer *w, struct job *job)
{
	struct preflight_input in = {
		.services = job->services,
		.n_services = job->n_services,
		.pools = job->pools,
		.n_pools = job->n_pools,
		.own_table = w->table_name,
	};

	preflight_run(&in, &job->findings);
}

static void run_nothing(struct writer *w, struct job *job)
{
	(void)w;
	(void)job;
}

static void (*const run[])(struct writer *, struct job *) = {
	[JOB_START] = run_start,
	[JOB_COMMIT] = run_commit,
	[JOB_DRY_RUN] = run_dry_run,
	[JOB_VERIFY] = run_verify,
	[JOB_WATCH] = run_watch,
	[JOB_FLUSH] = run_flush,
	[JOB_RULESET] = run_ruleset,
	[JOB_PLACEMENTS] = run_placements,
	[JOB_PREFLIGHT] = run_preflight,
	[JOB_REPORT] = run_nothing,
	[JOB_STOP] = run_nothing,
	[JOB_PREPARE] = run_prepare,
	[JOB_EXPLAIN] = run_explain,
	[JOB_DISPOSE] = run_dispose,
	[JOB_FOUND_GATES] = run_found_gates,
	[JOB_GATES] = run_gates,
	[JOB_OWNED] = run_owned,
	[JOB_ENTRIES] = run_entries,
	[JOB_RUNTIME] = run_runtime,
	[JOB_CUT] = run_nothing,
};

static void send_back(struct writer *w, struct job *job)
{
	table_report(w->table, &job->report);
	job->appeared = table_take_appeared(w->table, &job->n_appeared);
	mailbox_put(w->done, job);
}

static void do_job(struct writer *w, struct job *job)
{
	uint64_t start = clock_mono_ns(), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	run[job->kind](w, job);
	job->code = job->n_ops < 0 ? (int)job->n_ops : 0;
	job->took_ns = clock_mono_ns() - start;
	job->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	send_back(w, job);
}

static void collect(struct writer *w)
{
	if (table_collect(w->table))
		send_back(w, job_new(JOB_REPORT));
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	struct job *job;

	for (;;) {
		if (table_garbage_is_overdue(w->table))
			collect(w);
		job = mailbox_take(w->jobs, table_garbage_wait_ms(w->table));
		if (!job) {
			collect(w);
			continue;
		}
		if (job->kind == JOB_STOP)
			break;
		do_job(w, job);
	}
	table_collect_all(w->table);
	job_free(job);
	return NULL;
}

static void writer_close(struct writer *w)
{
	table_close(w->table);
	mailbox_free(w->jobs);
	mailbox_free(w->done);
	free(w->table_name);
	free(w);
}

int writer_new(const struct engine_options *opt, struct writer **out, struct err *err)
{
	struct writer *w = mem_zalloc(sizeof(*w));
	int code = table_open(opt, &w->table, err);

	if (code < 0) {
		free(w);
		return code;
	}
	w->jobs = mailbox_new();
	w->done = mailbox_new();
	w->table_name = mem_strdup(opt->table);
	code = pthread_create(&w->thread, NULL, writer_main, w);
	if (code != 0) {
		writer_close(w);
		return err_add(err, ERR_SYSTEM, -code, NULL, "no thread can be started: %s",
			       strerror(code));
	}
	pthread_setname_np(w->thread, "kernel-writer");
	*out = w;
	return 0;
}

void writer_free(struct writer *w)
{
	struct job *job;

	if (!w)
		return;
	mailbox_put(w->jobs, job_new(JOB_STOP));
	pthread_join(w->thread, NULL);
	while ((job = mailbox_try_take(w->done)))
		job_free(job);
	writer_close(w);
}

void writer_send(struct writer *w, struct job *job)
{
	mailbox_put(w->jobs, job);
}

struct job *writer_receive(struct writer *w)
{
	return mailbox_try_take(w->done);
}

struct job *writer_wait(struct writer *w)
{
	return mailbox_take(w->done, -1);
}

int writer_fd(const struct writer *w)
{
	return mailbox_fd(w->done);
}

struct mailbox *writer_done(struct writer *w)
{
	return w->done;
}
