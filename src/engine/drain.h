/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends that drain, and when they have: when a listing of conntrack's table that began after
 * the kernel stopped choosing the backend has no connection to it that is open, or when their time
 * is over. Then it is said once: in the log, as an event "backend_drained", to who waits. Main loop
 * only.
 *
 * A connection that both sides have closed is over, though conntrack remembers it for two minutes
 * (TIME_WAIT). While a backend drains connections are listed four times a second, or as often as
 * takes a tenth of a core.
 */
#ifndef FNAT_ENGINE_DRAIN_H
#define FNAT_ENGINE_DRAIN_H

#include "engine/engine.h"
#include "engine/observer.h"
#include "model/json.h"

struct drainer;

/*
 * After observer_new() and before engine_start(); both must live longer. path: a file that
 * remembers since when backends drain, and which are done.
 */
struct drainer *drainer_new(struct event_base *base, struct engine *e, struct observer *o,
			    const char *path);
/* After engine_start(): what is remembered of others is of no use any more. */
void drainer_started(struct drainer *d);
/* Tells everybody who waits, before the end. */
void drainer_drain(struct drainer *d);
/* After drainer_drain() and the engine's last callback. */
void drainer_free(struct drainer *d);

/* Other terms than the service's for a drain that goes on; nothing happens when none does. */
void drainer_set_terms(struct drainer *d, const char *service, const char *backend,
		       const struct state_wish *wish);

struct drain_status {
	int64_t since_ms, deadline_ms; /* CLOCK_REALTIME; 0: no deadline */
	uint8_t on_timeout;            /* enum on_drain_timeout */
	bool is_counted;               /* connections is known */
	uint32_t connections;          /* that are open, as of the last listing; or then */
	bool is_done;
	bool is_over_time; /* is_done: by the deadline, not because nothing was left */
	bool is_cut;       /* ... and what was left was removed */
	int64_t done_ms;   /* CLOCK_REALTIME */
};
/* False: the backend does not drain. */
bool drainer_status(const struct drainer *d, const char *service, const char *backend,
		    struct drain_status *out);

/* How many backends drain and have not finished. */
size_t drainer_total(const struct drainer *d);

/* Once, when the backend has drained, does not drain (any more), or after that time; perhaps at
 * once. */
typedef void drainer_fn(void *arg);
void drainer_wait(struct drainer *d, const char *service, const char *backend, unsigned int max_ms,
		  drainer_fn *fn, void *arg);

#endif
