/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the main loop asks of the kernel writer. A job travels there and back:
 * whoever has it owns it, so nothing is shared.
 */
#ifndef FNAT_ENGINE_JOB_H
#define FNAT_ENGINE_JOB_H

#include "engine/departed.h"
#include "engine/engine.h"
#include "engine/gates.h"

enum job_kind {
	JOB_START,       /* make the table equal to `changes`, the first model */
	JOB_COMMIT,      /* `changes` */
	JOB_RUNTIME,     /* `runtime`, which nobody waits for */
	JOB_DRY_RUN,     /* `changes`: ops */
	JOB_PREPARE,     /* `prepare`, a large group, against `model` */
	JOB_DISPOSE,     /* dispose(arg) */
	JOB_VERIFY,      /* read and repair: n_ops */
	JOB_WATCH,       /* the same, but only when there is reason to */
	JOB_FLUSH,       /* remove the table */
	JOB_RULESET,     /* text */
	JOB_PLACEMENTS,  /* of `name` */
	JOB_EXPLAIN,     /* what becomes of `packet`: explanation */
	JOB_ENTRIES,     /* what `name` remembers of its clients, by `filter`: entries, n_ops */
	JOB_FOUND_GATES, /* before JOB_START: gates */
	JOB_GATES,       /* of services `asked`: gates */
	JOB_OWNED,       /* owned */
	JOB_PREFLIGHT,   /* of services and pools: findings */
	JOB_CUT,         /* the sweeper's alone: nothing but `departed` */
	JOB_REPORT,      /* the writer's own: nothing but the report is new */
	JOB_STOP,        /* collect garbage and end */
};

/* State of the writer after a job. */
struct report {
	bool is_owner, is_flushed;
	struct plan_stats plan;
	uint64_t batches, batch_failures;
	uint64_t last_commit_ns;
	uint64_t drift_repaired;
	size_t garbage;
};

struct group;

struct job {
	enum job_kind kind;
	/* In */
	const struct changes
		*changes;          /* borrowed; the sender leaves it alone until the job is back */
	struct changes runtime;    /* the job's own, also of JOB_START */
	uint64_t runtime_number;   /* of a JOB_RUNTIME */
	struct group *prepare;     /* borrowed likewise */
	const struct model *model; /* likewise */
	void (*dispose)(void *arg);
	char *name;
	struct packet packet;
	struct entries_filter filter; /* backend: owned */
	bool is_delete;
	struct gates_asked *asked;       /* owned */
	const struct service **services; /* a reference each */
	size_t n_services;
	const struct pool **pools; /* a reference each */
	size_t n_pools;
	/* Out */
	int code; /* 0 or a negative errno, with err */
	struct err err;
	struct ops ops;
	long n_ops;
	uint64_t took_ns;
	uint64_t cpu_ns; /* that it took, of whichever thread; JOB_RUNTIME: of both */
	char *text;      /* from open_memstream(3): free() */
	size_t text_len;
	struct placement *placements;
	size_t n_placements;
	struct explanation explanation;
	struct entries entries;
	struct gate_reports gates;
	struct owned_services owned;
	struct findings findings;
	struct listener *appeared; /* listeners that were not there before: to be swept */
	size_t n_appeared;
	struct report report;
	/* In: backends that are gone once it is done, with connections that go then */
	struct departed departed;
	/* The sender's */
	bool is_settled;     /* its results are current, but who asked is not told yet */
	bool is_swept;       /* the sweeper has it, or had it */
	struct group *group; /* JOB_COMMIT, JOB_DRY_RUN: then, whose requests those are */
	union {
		engine_text_fn *text;
		engine_verify_fn *verify;
		engine_placements_fn *placements;
		engine_explain_fn *explain;
		engine_entries_fn *entries;
		engine_gates_fn *gates;
		engine_owned_fn *owned;
		engine_look_fn *look; /* may be NULL */
		engine_cut_fn *cut;
	} tell;
	void *arg;
};

struct job *job_new(enum job_kind kind);
void job_free(struct job *job);

#endif
