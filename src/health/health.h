/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The health of all backends whose services have a check: when to ask, and what follows from the
 * answers. It follows the configuration, keeps a state for each backend, and tells of each
 * change; what is done about it is the listener's part. One loop, never blocks.
 */
#ifndef FNAT_HEALTH_HEALTH_H
#define FNAT_HEALTH_HEALTH_H

#include <event2/event.h>

#include "health/machine.h"
#include "health/results.h"
#include "model/model.h"

struct health;

/* How long a backend takes to reply to the first packet of clients' connections. */
struct health_replies {
	uint64_t n;
	double sum_s;
	double smoothed_s; /* moves by an eighth of the difference, as TCP's own (RFC 6298) */
	bool is_exact;     /* by the kernel's clock, else by when fnatd read of it */
};

/* What an agent beside the check has said, and holds. */
struct health_agent {
	bool is_down;
	int weight_percent;     /* -1: it never said */
	enum probe_order order; /* "none" as long as it never said */
	const struct results *results;
	const char *warning;
};

/* What health knows of a backend. Borrowed; changes with the next round of the loop. */
struct health_backend {
	const struct service *service;
	const char *name;
	struct addr address; /* that is asked */
	uint16_t port;
	enum health_state state;
	bool is_down;
	int64_t since_ms;     /* in this state; CLOCK_REALTIME */
	uint32_t needed;      /* results in a row that it takes to leave a state of transition */
	int64_t inhibited_ms; /* that clients' connections keep it down for; 0: they do not */
	int64_t next_in_ms;   /* until the next check begins; 0 while one runs; -1: there is none */
	const struct results *results;
	const char *warning; /* of the last check; "" when there is none */
	const struct health_replies *replies;
	int weight; /* that the last check, or the agent, gives it; 0: no new connections; -1: the
		     * configured one */
	const struct health_agent *agent; /* NULL: there is none */
};

/* A backend is in another state, or in or out of use; or it is checked no more. */
struct health_change {
	const struct health_backend *now;
	enum health_state before;
	bool was_down;
	bool is_gone;         /* from the configuration, or the check is */
	const char *reason;   /* for a person */
	uint32_t duration_us; /* of the check that decided; 0: none did */
};
typedef void health_changed_fn(const struct health_change *c, void *arg);

struct health_options {
	const char *programs; /* directory of the programs of exec; NULL: there are none */
	health_changed_fn *changed;
	void *arg;
};

struct health *health_new(struct event_base *base, const struct health_options *opt);
void health_free(struct health *h); /* tells nobody */

/*
 * A service is new (before is NULL), is another, or gone (after is NULL). State and phase of
 * the checks of backends that are as before are kept. O(backends of the service).
 */
void health_service(struct health *h, const struct service *before, const struct service *after);

/* What a connection of a client's says (enum stats_signal, without its layer). */
enum health_signal {
	HEALTH_SIGNAL_REPLIED, /* to its first packet */
	HEALTH_SIGNAL_ANSWERED,
	HEALTH_SIGNAL_REFUSED,
	HEALTH_SIGNAL_UNANSWERED,
	HEALTH_SIGNAL_UNREPLIED
};
void health_signal(struct health *h, const char *service, const char *backend,
		   enum health_signal signal);
/* HEALTH_SIGNAL_REPLIED, and how long the backend took for it. */
void health_replied(struct health *h, const char *service, const char *backend, uint64_t reply_ns,
		    bool is_exact);

/* A backend as it was before fnatd started: holds until its first result. Call before the service
 * is made known. */
void health_remember(struct health *h, const char *service, const char *backend, bool is_down);

/* False: not known, or not checked. */
bool health_get(const struct health *h, const char *service, const char *backend,
		struct health_backend *out);

/* All that are checked. */
typedef void health_each_fn(const struct health_backend *b, void *arg);
void health_each(const struct health *h, health_each_fn *fn, void *arg);

#define HEALTH_BUCKETS 8
/* Upper bounds of durations; one more bucket has what is longer. */
extern const double health_bucket_s[HEALTH_BUCKETS];

struct health_totals {
	size_t backends, by_state[HEALTH_DISABLED + 1], running;
	uint64_t ok, failed, undone;       /* checks since the start */
	uint64_t took[HEALTH_BUCKETS + 1]; /* of those that were made */
	double took_sum_s;
};
void health_totals(const struct health *h, struct health_totals *out);

#endif
