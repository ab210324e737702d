/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine can be asked besides changes. Each is a job of the thread that has the answer:
 * the store writer for what was, the kernel writer for what is in the kernel.
 */
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_internal.h"

/* Without a store there is no history: true when that was answered. */
static bool history_is_refused(const struct engine *e, struct err *err)
{
	if (e->keeper && !e->is_draining)
		return false;
	err_add(err, e->keeper ? ERR_BUSY : ERR_CONFLICT, -EOPNOTSUPP, NULL,
		e->keeper ? "fnatd is stopping; ask again later"
			  : "no generations are kept: fnatd runs without a store");
	return true;
}

static void ask_store(struct engine *e, struct keep *k)
{
	if (!history_is_refused(e, &k->err)) {
		progress_send_keep(e, k);
		return;
	}
	if (k->tell)
		k->tell(NULL, &k->err, k->arg);
	else
		k->tell_text(NULL, &k->err, k->arg);
	keep_free(k);
}

void engine_history(struct engine *e, uint64_t before, unsigned int max, engine_json_fn *done,
		    void *arg)
{
	struct keep *k = keep_new(KEEP_HISTORY);

	k->a = before;
	k->max = max;
	k->tell = done;
	k->arg = arg;
	ask_store(e, k);
}

void engine_differences(struct engine *e, uint64_t from, uint64_t to, engine_json_fn *done,
			void *arg)
{
	struct keep *k = keep_new(KEEP_DIFF);

	k->a = from;
	k->b = to;
	k->tell = done;
	k->arg = arg;
	ask_store(e, k);
}

void engine_diff(struct engine *e, uint64_t from, uint64_t to, engine_take_fn *done, void *arg)
{
	struct keep *k = keep_new(KEEP_DIFF_TEXT);

	k->a = from;
	k->b = to;
	k->tell_text = done;
	k->arg = arg;
	ask_store(e, k);
}

void engine_confirm(struct engine *e, engine_plain_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	uint64_t to;

	if (!history_is_refused(e, &err) && !confirm_get(e->confirm, &to))
		err_add(&err, ERR_CONFLICT, -ENOENT, NULL, "nothing waits to be confirmed");
	if (err_any(&err)) {
		done(&err, arg);
	} else {
		struct keep *k = keep_new(KEEP_FORGET);

		k->tell_plain = done;
		k->arg = arg;
		progress_send_keep(e, k);
	}
	err_fini(&err);
}

void engine_ruleset(struct engine *e, engine_text_fn *done, void *arg)
{
	struct job *job = job_new(JOB_RULESET);

	job->tell.text = done;
	job->arg = arg;
	progress_send_job(e, job);
}

static void send_verify(struct engine *e, enum job_kind kind, engine_verify_fn *done, void *arg)
{
	struct job *job = job_new(kind);

	job->tell.verify = done;
	job->arg = arg;
	progress_send_job(e, job);
}

void engine_verify(struct engine *e, engine_verify_fn *done, void *arg)
{
	send_verify(e, JOB_VERIFY, done, arg);
}

void engine_flush(struct engine *e, engine_verify_fn *done, void *arg)
{
	log_info("engine", "the table is removed on request");
	send_verify(e, JOB_FLUSH, done, arg);
}

void engine_explain(struct engine *e, const struct packet *packet, engine_explain_fn *done,
		    void *arg)
{
	struct job *job = job_new(JOB_EXPLAIN);

	job->packet = *packet;
	job->tell.explain = done;
	job->arg = arg;
	progress_send_job(e, job);
}

void engine_placements(struct engine *e, const char *service, engine_placements_fn *done, void *arg)
{
	struct job *job = job_new(JOB_PLACEMENTS);

	job->name = mem_strdup(service);
	job->tell.placements = done;
	job->arg = arg;
	progress_send_job(e, job);
}

void engine_gates(struct engine *e, const struct gates_asked *of, engine_gates_fn *done, void *arg)
{
	struct job *job = job_new(JOB_GATES);

	job->asked = mem_alloc(sizeof(*job->asked));
	*job->asked = *of;
	job->tell.gates = done;
	job->arg = arg;
	progress_send_job(e, job);
}

void engine_owned(struct engine *e, engine_owned_fn *done, void *arg)
{
	struct job *job = job_new(JOB_OWNED);

	job->tell.owned = done;
	job->arg = arg;
	progress_send_job(e, job);
}

void engine_entries(struct engine *e, const char *service, const struct entries_filter *filter,
		    bool is_delete, engine_entries_fn *done, void *arg)
{
	struct job *job = job_new(JOB_ENTRIES);

	job->name = mem_strdup(service);
	job->filter = *filter;
	job->filter.backend = filter->backend ? mem_strdup(filter->backend) : NULL;
	job->is_delete = is_delete;
	job->tell.entries = done;
	job->arg = arg;
	progress_send_job(e, job);
}
