/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends that may have only so many connections (max_connections): those that are full get no
 * new ones. Main loop only.
 *
 * While there is such a backend conntrack is asked for the events of connections that begin and
 * change, beside those that end: kernel/ct_events.h says what they cost. Each event is looked at,
 * so that a backend is out of use some milliseconds after it became full; what came meanwhile is
 * the overshoot. After each listing of the connections all are looked at.
 */
#ifndef FNAT_ENGINE_LIMITER_H
#define FNAT_ENGINE_LIMITER_H

#include "engine/observer.h"

struct limiter;

/* After the observer, and before engine_start(). Both must live longer. */
struct limiter *limiter_new(struct event_base *base, struct engine *e, struct observer *o);
void limiter_free(struct limiter *l);

/* What became of the limit of a backend since it was set. */
struct limiter_status {
	bool is_full;
	bool has_gate;      /* "exact", "budget": the kernel counts */
	bool is_shut;       /* ... and nothing leads to it: it was full, or has to be counted */
	uint32_t room;      /* ... so many more than lived when it began to count, with tokens */
	uint32_t open;      /* connections that it has and that are not closed */
	uint32_t overshoot; /* at most so many above max_connections */
	uint64_t n_full;    /* how often it became full */
	uint64_t n_refused; /* connections that its gates turned away, as in the statistics */
};
/* False: it has no limit. */
bool limiter_status(const struct limiter *l, const struct service *s, const struct backend *b,
		    struct limiter_status *out);
/* How many backends have a limit, and how many of them are full. */
void limiter_total(const struct limiter *l, size_t *n, size_t *n_full);

#endif
