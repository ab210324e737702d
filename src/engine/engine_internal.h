/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the engine's files only. */
#ifndef FNAT_ENGINE_ENGINE_INTERNAL_H
#define FNAT_ENGINE_ENGINE_INTERNAL_H

#include "engine/confirm.h"
#include "engine/engine.h"
#include "engine/group.h"
#include "engine/keeper.h"
#include "engine/runtime.h"
#include "engine/slices.h"
#include "engine/sweep.h"
#include "engine/warmup.h"
#include "engine/writer.h"

struct engine {
	struct model *model;
	uint64_t generation;
	struct writer *writer;
	struct sweeper *sweeper;
	struct keeper *keeper; /* NULL: nothing is durable */
	struct report report;  /* of the last job that came back */
	size_t n_jobs;         /* at the writer or the sweeper */
	size_t n_keeps;        /* at the keeper */
	bool is_started, is_draining, is_read_only;
	bool is_watching; /* a JOB_WATCH is at the writer */

	struct pending_queue waiting;
	struct group group; /* at the keeper or the writer while is_busy */
	struct err refusal; /* of the group, while the keeper takes it back */
	bool is_busy;

	struct slices *slices;
	struct job *outgoing;  /* what is known at run time is being put into it */
	struct job *following; /* what was accepted is being told */
	bool is_committing;    /* the group may become current, or not all know yet that it has */

	struct runtime *runtime;
	struct warmup *warmup;
	struct departed departed; /* to go with the next JOB_RUNTIME */
	bool is_telling;          /* a JOB_RUNTIME is at the writer */
	uint64_t n_told, n_known; /* of those: sent, and the last one that is in the kernel */
	uint64_t last_runtime_cpu_ns;
	struct {
		engine_observe_fn *fn;
		void *arg;
	} observers[ENGINE_OBSERVERS_MAX];
	size_t n_observers;
	engine_overflow_fn *on_overflow;
	void *on_overflow_arg;

	struct events *events;
	struct confirm *confirm;
	struct findings findings;
	uint64_t preflight_generation; /* that the findings are about */

	struct event *wake, *done, *kept, *watch, *minute, *retry;
};

/* progress.c: the way of a group. */

/* Send the next group, if none is on its way. */
void progress_advance(struct engine *e);
/* A JOB_COMMIT or JOB_DRY_RUN came back from the writer; engine_job_followed() goes on with it,
 * perhaps later ... */
void progress_kernel_done(struct engine *e, struct job *job);
/* ... and whoever waits for it may be told. */
void progress_answer(struct engine *e, struct job *job);
/* A JOB_PREPARE came back. */
void progress_prepared(struct engine *e);
/* A JOB_RUNTIME came back. */
void progress_runtime_done(struct engine *e, struct job *job);
/* Tell those who follow the configuration. */
void progress_observed(struct engine *e, const struct changes *c);
/* A KEEP_WRITE or KEEP_REVERT came back. */
void progress_store_done(struct engine *e, struct keep *k);
void progress_send_job(struct engine *e, struct job *job);
void progress_send_keep(struct engine *e, struct keep *k);

/* facts.c: the kernel has these gates, before the first model. */
void facts_adopt(struct engine *e, const struct changes *initial, const struct gate_reports *found);
/* A warmup_fn; arg is the engine. */
void facts_warm(const char *service, const char *backend, uint16_t permille, void *arg);

/* report.c: what the log and the events say. */
void report_request(struct engine *e, const struct pending *r, uint64_t took_ns);
/* A runtime_standing_fn; arg is the engine. */
void report_standing(const struct service *s, const struct standing *was, const struct standing *is,
		     void *arg);
void report_drift(struct engine *e, uint64_t n_ops);
/* Replaces e->findings; takes what is in *now. */
void report_findings(struct engine *e, struct findings *now);

/* engine.c: all that follows from a job on the loop is done, what is left is to tell, perhaps after
 * a sweep. */
void engine_job_followed(struct engine *e, struct job *job);

/* engine.c: engine_diff() as a value, of which who wants to keep it takes a reference. */
void engine_differences(struct engine *e, uint64_t from, uint64_t to, engine_json_fn *done,
			void *arg);

#endif
