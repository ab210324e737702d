/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the statistics up to date: the events of conntrack as they come, a listing of the living
 * connections now and then, and the configuration as it changes. Main loop only.
 *
 * How fresh the numbers are: what ended is known within some milliseconds. Packets of what
 * lives, and how many connections are active, are as of the last listing. Listings are made every
 * interval (2 s by default), more seldom when they would take more than 2 % of a core (a million
 * connections: about every 50 s) or when nothing lives (up to 16 s), and whenever somebody asks
 * (observer_refresh()), resting at least as long as it took in between.
 */
#ifndef FNAT_ENGINE_OBSERVER_H
#define FNAT_ENGINE_OBSERVER_H

#include <event2/event.h>

#include "engine/engine.h"
#include "kernel/ct_events.h"
#include "kernel/ct_stats.h"
#include "stats/stats.h"

#define OBSERVER_INTERVAL_MS_DEFAULT 2000

struct observer;

struct observer_options {
	struct ct_events_options events;
	unsigned int interval_ms; /* between listings, at least; 0: only when somebody asks */
	const char *saved_path;   /* where counters outlive the daemon; copied */
};

/*
 * After engine_new(), and before engine_start(), so that nothing of what the kernel does is missed.
 * Without conntrack's netlink interface it says so once in the log, and all numbers stay zero.
 */
struct observer *observer_new(struct event_base *base, struct engine *e,
			      const struct observer_options *opt);
/* After engine_start(): what was saved of counters. */
void observer_restore(struct observer *o);
/*
 * Before the end, while those who follow are still there: counts what waits, for a second at most,
 * saves the counters, and answers everybody who waits for fresh numbers.
 */
void observer_drain(struct observer *o);
/* After observer_drain(), before engine_free(). */
void observer_free(struct observer *o);

/* The numbers. To follow single signals: stats_follow(). Borrowed. */
struct stats *observer_stats(struct observer *o);

/*
 * fn when the numbers are no older than this call, or, where a listing takes more than a second and
 * no events were lost since, than ten times that; on the main loop, perhaps at once. Not after
 * observer_free().
 */
typedef void observer_fn(void *arg);
void observer_refresh(struct observer *o, observer_fn *fn, void *arg);

/*
 * Are the numbers no older than fifty times as long as a listing takes? Who asks for them all the
 * time does well to take these: then listings take 2 % of a core at most, as those of the interval.
 */
bool observer_is_recent(const struct observer *o);

/*
 * The same as observer_refresh(), but fn waits for a listing that begins after this call, however
 * long that takes; at once where there is none to be had.
 */
void observer_recount(struct observer *o, observer_fn *fn, void *arg);
/* When the last complete listing began (CLOCK_MONOTONIC); 0: there was none yet. */
uint64_t observer_counted_ns(const struct observer *o);

/*
 * Ask for more events (enum ct_events_group), for each kind as often as it was taken back. With
 * them active and inactive connections are live, not as of the last listing; ct_events.h says what
 * they cost.
 */
void observer_want(struct observer *o, unsigned int groups);
void observer_unwant(struct observer *o, unsigned int groups);

/*
 * Follow the connections of services that observe from their begin, as often as it was taken back:
 * stats_watch(), with the events for it.
 */
void observer_watch(struct observer *o);
void observer_unwatch(struct observer *o);

#define OBSERVER_LATENCY_BUCKETS 8
/* Upper bounds; one more bucket has what is longer. */
extern const double observer_latency_s[OBSERVER_LATENCY_BUCKETS];

struct observer_status {
	bool is_available;
	struct ct_events_report events;
	struct stats_self stats;
	int64_t since_ms;         /* CLOCK_REALTIME: counting began ... */
	int64_t unobserved_ms;    /* ... and for so long since then no daemon listened */
	struct ct_stats kernel;   /* as of the last listing */
	uint64_t last_listing_ns; /* how long it took */
	double listed_ago_s;      /* negative: never yet */
	uint64_t latency[OBSERVER_LATENCY_BUCKETS + 1]; /* of event batches: read to counted */
	double latency_sum_s;
};
struct observer_status observer_status(const struct observer *o);

#endif
