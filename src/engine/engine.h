/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine owns the current generation and is the only one that changes it.
 *
 * It lives on the main loop. A request is checked against the model, goes to
 * the kernel writer (a thread of its own, engine/writer.h), and is answered
 * when the kernel has it. Requests that arrive while a batch is on its way
 * wait and then go together in one batch; when the kernel refuses such a
 * group, each goes alone, so that only the guilty one is refused.
 */
#ifndef FNAT_ENGINE_ENGINE_H
#define FNAT_ENGINE_ENGINE_H

#include <event2/event.h>
#include <jansson.h>

#include "base/err.h"
#include "kernel/nft_entries.h"
#include "kernel/preflight.h"
#include "model/model.h"
#include "plan/effective.h"
#include "plan/plan.h"

struct engine;

struct engine_options {
	const char *table;
	bool plain_table;
	unsigned int lanes;
	unsigned int verify_interval_ms; /* how often to look for foreign changes; 0: never */
	struct store *store;  /* taken, whatever engine_new() returns; NULL: nothing is durable */
	bool is_read_only;    /* file mode: refuse what changes the configuration */
	bool is_unconfigured; /* no source of a configuration: do not empty a table that has
				 services */
};

/* Who asks, and for what: for the log and the history. */
struct requester {
	long uid, pid;    /* -1: the daemon itself */
	const char *what; /* one line, "PUT /v1/services/web", or NULL; copied */
};

/*
 * Open the table and start the writer thread. The kernel keeps what it has until
 * engine_start(), which makes it equal to the model given (taking over, changing only what
 * differs) and returns when that is committed. Both block: called before the loop runs.
 */
int engine_new(struct event_base *base, const struct engine_options *opt, struct engine **out,
	       struct err *err);
int engine_start(struct engine *e, const struct changes *initial, uint64_t generation,
		 struct err *err);
/* What the store remembered of a rollback that waits (store_state; at_ms 0: nothing); after
 * engine_start(). */
void engine_resume_rollback(struct engine *e, uint64_t to, int64_t at_ms);
/*
 * Carry out and answer (on this stack) everything that was asked so far. From then on requests
 * are refused with ERR_BUSY: what a daemon that stops does before it closes its sockets.
 */
void engine_drain(struct engine *e);
/* Drains, collects garbage that waits (up to 250 ms), stops the thread. The table stays. */
void engine_free(struct engine *e);

/* File mode (engine_options). */
bool engine_is_read_only(const struct engine *e);

/* Current state, for reading on the main loop: only what the kernel has accepted. */
const struct model *engine_model(const struct engine *e);
uint64_t engine_generation(const struct engine *e);

struct engine_status {
	uint64_t generation;
	bool is_owner, is_durable;
	bool is_flushed; /* by engine_flush(): the table is not there, on purpose */
	struct plan_stats plan;
	uint64_t batches, batch_failures; /* since start */
	uint64_t last_commit_ns;
	uint64_t last_runtime_cpu_ns; /* CPU time to tell the kernel what became known last */
	uint64_t drift_repaired;      /* operations it took to repair foreign changes */
	size_t garbage;
	size_t pending;         /* requests waiting */
	int64_t rollback_at_ms; /* not 0: unless confirmed until then (CLOCK_REALTIME) ... */
	uint64_t rollback_to;   /* ... goes back there */
};
void engine_status(const struct engine *e, struct engine_status *out);

/* Findings of the last preflight. Borrowed until the next loop iteration. */
const struct findings *engine_findings(const struct engine *e);
/* Look again now (at the start and, when something changed, once a minute it does so by itself). */
void engine_preflight(struct engine *e);
/* The same; done is called with what was found, on the main loop. Borrowed for the call. */
typedef void engine_look_fn(const struct findings *findings, void *arg);
void engine_look(struct engine *e, engine_look_fn *done, void *arg);

/*
 * What a request wants: `prepare` is called on the main loop (for ENGINE_LARGE on the kernel
 * writer's thread, while the main loop changes nothing) when the request's turn comes, with the
 * then current model, and appends its changes (0), or refuses (negative, problems in err). It must
 * not change the model.
 */
typedef int engine_prepare_fn(const struct model *m, uint64_t generation, void *arg,
			      struct changes *out, struct err *err);

struct engine_result {
	uint64_t generation; /* after the change; unchanged when nothing differed */
	bool is_changed;
	/* Dry run: what would be sent; else NULL. Borrowed, but may be moved away (ops_move()). */
	struct ops *ops;
};

/* Called once, later, on the main loop; err is NULL on success. result is never NULL. */
typedef void engine_done_fn(const struct engine_result *result, const struct err *err, void *arg);

enum engine_request_flag {
	ENGINE_DRY_RUN = 1, /* plan only */
	ENGINE_LARGE = 2,   /* may change so much that to prepare it takes milliseconds */
	ENGINE_STATE = 4,   /* changes nothing but states of backends: fine in file mode, too */
};

/* Queue a request. The callbacks get arg. */
void engine_request(struct engine *e, const struct requester *who, unsigned int flags,
		    engine_prepare_fn *prepare, engine_done_fn *done, void *arg);

/* Have dispose(arg) called on another thread, because what it frees is large. */
void engine_dispose(struct engine *e, void (*dispose)(void *arg), void *arg);

/*
 * What is known of a backend beyond its configuration, from now on (main loop). It is not part of
 * a generation and is forgotten when the backend or its service is removed, or fnatd ends. All that
 * is set in one round of the loop goes to the kernel in one batch, ahead of requests that wait, and
 * while a request's change is on its way to the disk. When the kernel refuses it, that is logged
 * and tried again. When a backend goes down its UDP connections are deleted after that.
 */
void engine_set_runtime(struct engine *e, const char *service, const char *backend,
			const struct backend_runtime *at);
/*
 * Shall new connections to a backend avoid a local address of the pool (while another one has
 * room)? Likewise. Returns how many of the pool's addresses they avoid then.
 */
size_t engine_set_detour(struct engine *e, const char *pool, const struct detour *at, bool is_set);
/* All zero when nothing is known. */
struct backend_runtime engine_runtime(const struct engine *e, const char *service,
				      const char *backend);

/*
 * Delete a backend's connections from conntrack, all of them. done, on the main loop, when they are
 * gone; what goes wrong is logged.
 */
typedef void engine_cut_fn(void *arg);
void engine_cut(struct engine *e, const struct service *s, const struct backend *b,
		engine_cut_fn *done, void *arg);

/*
 * When what has been set until now is in the kernel: once engine_runtime_done() of this mark, which
 * may be so already. The count of a gate is gone when somebody removed it (a flush, drift): then
 * engine_runtime() says nothing of gates any more.
 */
uint64_t engine_runtime_mark(const struct engine *e);
bool engine_runtime_done(const struct engine *e, uint64_t mark);

/* What the gates of a few services have turned away, asked of the writer thread. Borrowed. */
struct gates_asked;
struct gate_reports;
typedef void engine_gates_fn(const struct gate_reports *gates, void *arg);
void engine_gates(struct engine *e, const struct gates_asked *of, engine_gates_fn *done, void *arg);

/* Services that have numbers of their own in the kernel, asked of the writer thread. fn may take
 * what is in *of (and leave it empty). */
struct owned_services;
typedef void engine_owned_fn(struct owned_services *of, void *arg);
void engine_owned(struct engine *e, engine_owned_fn *done, void *arg);

/*
 * The weight that each backend of a service would have now if it had no share and room; 0: it does
 * not serve. s is of the engine's model; out has one number for each of its backends.
 */
void engine_weights(const struct engine *e, const struct service *s, uint32_t *out);

/* Who serves now: see plan/effective.h. s is of the engine's model. */
struct standing engine_standing(const struct engine *e, const struct service *s);

/*
 * fn is called when new connections of a service begin, or cease, to come to whoever serves because
 * those that they are for have no room; the kernel learns it next: engine_runtime_mark(). One at a
 * time.
 */
typedef void engine_overflow_fn(void *arg);
void engine_on_overflow(struct engine *e, engine_overflow_fn *fn, void *arg);

/*
 * Follow the configuration: fn is called on the main loop after each accepted change, when the
 * model has it, and by engine_start() with the first one. c is borrowed for the call; what is in it
 * may be referenced. A call delays every request: what takes long (c may have 100,000 changes) is
 * done in slices, later. At most ENGINE_OBSERVERS_MAX.
 */
#define ENGINE_OBSERVERS_MAX 12
typedef void engine_observe_fn(const struct changes *c, void *arg);
void engine_observe(struct engine *e, engine_observe_fn *fn, void *arg);

/*
 * History, from the store (store.h has the form of the values). Without a store
 * each of these fails with ERR_CONFLICT. value: borrowed, NULL on error.
 */
typedef void engine_json_fn(json_t *value, const struct err *err, void *arg);
void engine_history(struct engine *e, uint64_t before, unsigned int max, engine_json_fn *done,
		    void *arg);
/* The same as text, {"changes": [...]}; NULL on error. Taken over. */
typedef void engine_take_fn(char *text, const struct err *err, void *arg);
void engine_diff(struct engine *e, uint64_t from, uint64_t to, engine_take_fn *done, void *arg);

/* A request whose outcome is the configuration of an earlier generation (as a new one). */
void engine_rollback(struct engine *e, const struct requester *who, bool dry_run,
		     uint64_t generation, engine_done_fn *done, void *arg);

/*
 * engine_request(), and go back to the generation before it after confirm_s seconds, whatever
 * changes until then, unless engine_confirm() comes first. The way back is durable with the change,
 * and is not there when that is refused or changes nothing. ERR_CONFLICT while another one waits,
 * and without a store. 0 s: engine_request().
 */
void engine_request_confirmed(struct engine *e, const struct requester *who, unsigned int flags,
			      unsigned int confirm_s, engine_prepare_fn *prepare,
			      engine_done_fn *done, void *arg);
typedef void engine_plain_fn(const struct err *err, void *arg);
void engine_confirm(struct engine *e, engine_plain_fn *done, void *arg);

/* What happened, to follow; events.h. Borrowed, as long as the engine. */
struct events *engine_events(struct engine *e);

/*
 * Ask the writer thread for text or facts about the kernel; done on the main loop.
 * `nft list`-like text of the whole table as the kernel has it.
 */
typedef void engine_text_fn(char *text, size_t len, const struct err *err,
			    void *arg); /* text: borrowed */
void engine_ruleset(struct engine *e, engine_text_fn *done, void *arg);

/* Read the kernel now and repair what differs; done gets the number of operations. */
typedef void engine_verify_fn(long n_ops, const struct err *err, void *arg);
void engine_verify(struct engine *e, engine_verify_fn *done, void *arg);

/* Remove the table from the kernel and keep it removed until the next accepted change or verify. */
void engine_flush(struct engine *e, engine_verify_fn *done, void *arg);

/* Which entries of a service's persistence are meant: those that fit all that is said. */
struct entries_filter {
	struct addr client; /* AF_UNSPEC: of all clients */
	char *backend;      /* name, or NULL: of all; engine_entries() copies it */
	size_t max;         /* so many are told of */
};

/*
 * What a service remembers of its clients, asked of the writer thread; with is_delete it forgets
 * that. total: how many fit, of which entries (borrowed) has the first.
 */
typedef void engine_entries_fn(const struct entries *entries, long total, const struct err *err,
			       void *arg);
void engine_entries(struct engine *e, const char *service, const struct entries_filter *filter,
		    bool is_delete, engine_entries_fn *done, void *arg);

/* Placements of a service (see plan.h), asked of the writer thread. Borrowed. */
typedef void engine_placements_fn(const struct placement *p, size_t n, void *arg);
void engine_placements(struct engine *e, const char *service, engine_placements_fn *done,
		       void *arg);

/* What becomes of a packet (see plan.h), asked of the writer thread. Borrowed. */
typedef void engine_explain_fn(const struct explanation *explanation, void *arg);
void engine_explain(struct engine *e, const struct packet *packet, engine_explain_fn *done,
		    void *arg);

#endif
