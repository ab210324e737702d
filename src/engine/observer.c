/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads bring values, and all counting is here, on the main loop: 0.2 us an event, and 1 us
 * with 100,000 backends, which no cache holds. So 20,000 connections a second take two percent of
 * it at most, and a flood is counted in slices between which requests are answered. In return
 * nothing has to be locked, and the model, the statistics and whoever follows them always agree.
 *
 * A listing goes like this: barrier (all that ended before is counted), listing, barrier (all that
 * ended meanwhile is counted), end. stats/meter.c says why.
 */
#include "engine/observer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/census.h"
#include "engine/saver.h"

/* Batches in one round of the loop: about a millisecond. */
#define SLICE_BATCHES 16
/* A listing takes at most one part in so many of the time. */
#define LISTING_SHARE 50
/* Longest pause while nothing lives. */
#define IDLE_INTERVAL_MS 16000u
/* Numbers that are younger than so many times a listing's duration are as good as new ones. */
#define FRESH_DURATIONS 10
/* ... unless it takes less than this. */
#define FRESH_FROM_NS 1000000000u
#define N_GROUPS      3
/* Counters are saved so often while they change. */
#define SAVE_INTERVAL_NS 30000000000u
/* At the end, what the kernel has is waited for so long. */
#define LAST_WAIT_MS 1000

const double observer_latency_s[OBSERVER_LATENCY_BUCKETS] = { 0.0001, 0.0005, 0.001, 0.005,
							      0.01,   0.05,   0.1,   1 };

enum phase { PHASE_IDLE, PHASE_BEFORE, PHASE_LISTING, PHASE_AFTER };

struct waiter {
	observer_fn *fn;
	void *arg;
};

struct waiters {
	struct waiter *items;
	size_t n, cap;
};

struct observer {
	struct event_base *base;
	struct engine *engine;
	unsigned int interval_ms;
	struct stats *stats;
	struct mailbox *batches;
	struct ct_events *events; /* NULL: not available */
	struct census *census;    /* likewise */
	struct event *arrived, *tick;

	enum phase phase;
	uint64_t number; /* of the listing */
	int code;        /* of the listing */
	uint64_t begun_ns, ended_ns, took_ns;
	uint64_t counted_ns; /* when the last one that was complete began */
	unsigned int pause_ms;
	uint64_t n_events_seen; /* at the end of the last listing */
	/* What was lost before the last listing began: of what is lost while one goes on the next
	 * one shows the rest. */
	uint64_t n_lost_seen, n_lost_before;
	struct waiters waiting; /* for the next listing to begin */
	struct waiters served;  /* by the one that goes on */
	unsigned int wants[N_GROUPS], n_watching;
	struct event *overdue; /* when the oldest that is not answered will be */

	char *saved_path;
	struct saver *saver; /* NULL: counters end with the daemon */
	int64_t since_ms, unobserved_ms;
	uint64_t saved_ns, n_events_saved, n_overflowed_saved, n_counted_saved;
	bool had_living; /* when they were saved */

	struct nl nl; /* for the kernel's own counters */
	struct ct_stats kernel;
	uint64_t n_looks; /* at them */
	struct ct_events_report report;
	uint64_t latency[OBSERVER_LATENCY_BUCKETS + 1];
	double latency_sum_s;
};

static void save(struct observer *o)
{
	struct saved saved = { .since_ms = o->since_ms,
			       .unobserved_ms = o->unobserved_ms,
			       .saved_ms = clock_real_ms() };

	if (!o->saver)
		return;
	saved_take(&saved, o->stats);
	saver_write(o->saver, &saved);
	o->saved_ns = clock_mono_ns();
	o->n_events_saved = o->report.n_events;
	o->n_overflowed_saved = stats_self(o->stats).n_overflowed;
	o->n_counted_saved = stats_self(o->stats).n_counted;
}

/* Where nothing lives and nothing ended, nothing changed. */
static void save_now_and_then(struct observer *o)
{
	const struct stats_self self = stats_self(o->stats);
	bool has_living = self.n_listed > 0;

	if (clock_mono_ns() - o->saved_ns < SAVE_INTERVAL_NS ||
	    (!has_living && !o->had_living && o->n_events_saved == o->report.n_events &&
	     o->n_overflowed_saved == self.n_overflowed && o->n_counted_saved == self.n_counted))
		return;
	o->had_living = has_living;
	save(o);
}

/* --- listings ------------------------------------------------------------------------------ */

static void start_listing(struct observer *o)
{
	struct waiters empty = { 0 };

	event_del(o->tick);
	o->phase = PHASE_BEFORE;
	o->number++;
	o->begun_ns = clock_mono_ns();
	o->served = o->waiting;
	o->waiting = empty;
	ct_events_barrier(o->events, o->number);
}

static void add_in(struct event *e, uint64_t ns)
{
	const struct timeval pause = { .tv_sec = (time_t)(ns / 1000000000u),
				       .tv_usec = (suseconds_t)(ns % 1000000000u / 1000) };

	event_add(e, &pause);
}

/* Somebody waits: at once, but resting as long as the last one took. */
static void start_soon(struct observer *o)
{
	uint64_t rested_ns = clock_mono_ns() - o->ended_ns;

	if (o->ended_ns && rested_ns < o->took_ns)
		add_in(o->tick, o->took_ns - rested_ns);
	else
		start_listing(o);
}

static void schedule(struct observer *o)
{
	bool is_idle = stats_self(o->stats).n_listed == 0 && o->report.n_events == o->n_events_seen;
	uint64_t share_ms = o->took_ns * LISTING_SHARE / 1000000;
	uint64_t ms;

	if (o->interval_ms == 0)
		return;
	o->pause_ms = is_idle ? 2 * o->pause_ms : o->interval_ms;
	if (o->pause_ms > IDLE_INTERVAL_MS && o->pause_ms > o->interval_ms)
		o->pause_ms = o->interval_ms > IDLE_INTERVAL_MS ? o->interval_ms : IDLE_INTERVAL_MS;
	ms = share_ms > o->pause_ms ? share_ms : o->pause_ms;
	add_in(o->tick, ms * 1000000);
}

static void serve(struct waiters *w)
{
	struct waiters all = *w;

	*w = (struct waiters){ 0 };
	for (size_t i = 0; i < all.n; i++)
		all.items[i].fn(all.items[i].arg);
	free(all.items);
}

/* Never a silent failure. */
static void look_at_kernel(struct observer *o)
{
	struct ct_stats was = o->kernel;

	if (ct_stats_read(&o->nl, &o->kernel) < 0) {
		o->kernel = was;
		return;
	}
	if (o->n_looks++ > 0 && o->kernel.insert_failed > was.insert_failed)
		log_warn("stats",
			 "%llu new connections were dropped by conntrack (insert_failed): no free "
			 "port, or a race for one",
			 (unsigned long long)(o->kernel.insert_failed - was.insert_failed));
}

/* Since the last listing began. */
static bool has_lost_events(const struct observer *o)
{
	return o->report.n_lost != o->n_lost_seen;
}

static void end_listing(struct observer *o)
{
	bool has_lost = o->ended_ns == 0 || has_lost_events(o);

	o->phase = PHASE_IDLE;
	o->took_ns = clock_mono_ns() - o->begun_ns;
	if (o->code < 0) {
		log_debug("stats", "a listing of connections broke off: %s", strerror(-o->code));
		stats_list_cancel(o->stats);
	} else {
		o->ended_ns = clock_mono_ns();
		o->counted_ns = o->begun_ns;
		stats_list_end(o->stats, engine_model(o->engine), o->ended_ns, has_lost);
		o->n_lost_seen = o->n_lost_before;
		look_at_kernel(o);
		save_now_and_then(o);
	}
	schedule(o);
	o->n_events_seen = o->report.n_events;
	serve(&o->served);
	if (o->waiting.n > 0 && o->phase == PHASE_IDLE)
		start_soon(o);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct observer *o = arg;

	(void)fd;
	(void)what;
	if (o->phase == PHASE_IDLE)
		start_listing(o);
}

static void barrier_reached(struct observer *o, uint64_t number)
{
	if (number != o->number)
		return;
	if (o->phase == PHASE_BEFORE) {
		o->phase = PHASE_LISTING;
		o->n_lost_before = o->report.n_lost;
		stats_list_begin(o->stats);
		census_start(o->census, o->number);
	} else if (o->phase == PHASE_AFTER) {
		end_listing(o);
	}
}

/* --- batches ------------------------------------------------------------------------------- */

static void note_latency(struct observer *o, const struct ct_batch *b)
{
	double s = (double)(clock_mono_ns() - b->read_ns) / 1e9;
	size_t i = 0;

	while (i < OBSERVER_LATENCY_BUCKETS && s > observer_latency_s[i])
		i++;
	o->latency[i]++;
	o->latency_sum_s += s;
}

static void note_lost(const struct observer *o, const struct ct_events_report *now)
{
	if (now->n_lost == o->report.n_lost)
		return;
	stats_watch_again(o->stats);
	log_warn("stats",
		 "%llu conntrack events were lost: the buffer of %zu bytes was full; "
		 "connections that ended unseen are missing from the totals "
		 "(--event-buffer)",
		 (unsigned long long)(now->n_lost - o->report.n_lost), now->buffer_bytes);
}

/* The thread's clock decides: what it has not read yet may be the answer. */
static void look_for_overdue(struct observer *o, uint64_t read_ns)
{
	uint64_t due_ns;

	stats_overdue(o->stats, engine_model(o->engine), read_ns);
	due_ns = stats_next_overdue_ns(o->stats);
	if (due_ns && !evtimer_pending(o->overdue, NULL))
		add_in(o->overdue, due_ns - read_ns);
}

static void overdue_cb(evutil_socket_t fd, short what, void *arg)
{
	struct observer *o = arg;

	(void)fd;
	(void)what;
	ct_events_ask(o->events);
}

static void batch_arrived(struct observer *o, struct ct_batch *b)
{
	switch (b->kind) {
	case CT_BATCH_EVENTS:
	case CT_BATCH_BARRIER:
		note_lost(o, &b->report);
		o->report = b->report;
		stats_flows(o->stats, engine_model(o->engine), b->flows, b->n);
		look_for_overdue(o, b->read_ns);
		if (b->n > 0)
			note_latency(o, b);
		if (b->kind == CT_BATCH_BARRIER)
			barrier_reached(o, b->number);
		ct_events_return(o->events, b);
		break;
	case CT_BATCH_LISTED:
		stats_flows(o->stats, engine_model(o->engine), b->flows, b->n);
		census_return(o->census, b);
		break;
	case CT_BATCH_END:
		o->code = b->code;
		o->phase = PHASE_AFTER;
		census_return(o->census, b);
		ct_events_barrier(o->events, o->number);
		break;
	}
}

static void arrived_cb(evutil_socket_t fd, short what, void *arg)
{
	struct observer *o = arg;
	struct ct_batch *b;

	(void)fd;
	(void)what;
	for (int i = 0; i < SLICE_BATCHES && (b = mailbox_try_take(o->batches)); i++)
		batch_arrived(o, b);
}

/* --- life ---------------------------------------------------------------------------------- */

static void changed_cb(const struct changes *c, void *arg)
{
	struct observer *o = arg;

	for (size_t i = 0; i < c->n; i++)
		stats_apply(o->stats, engine_model(o->engine), &c->items[i]);
}

static void open_threads(struct observer *o, const struct observer_options *opt)
{
	struct err err = ERR_INIT;

	if (nl_open(&o->nl, &err) < 0 ||
	    ct_events_open(&opt->events, o->batches, &o->events, &err) < 0 ||
	    census_new(o->batches, &o->census, &err) < 0) {
		log_warn("stats", "no statistics: %s; is nf_conntrack_netlink loaded?",
			 err_text(&err));
		ct_events_close(o->events);
		o->events = NULL;
	}
	err_fini(&err);
}

struct observer *observer_new(struct event_base *base, struct engine *e,
			      const struct observer_options *opt)
{
	struct observer *o = mem_zalloc(sizeof(*o));

	o->base = base;
	o->engine = e;
	o->interval_ms = o->pause_ms = opt->interval_ms;
	o->stats = stats_new();
	o->batches = mailbox_new();
	o->arrived = event_new(base, mailbox_fd(o->batches), EV_READ | EV_PERSIST, arrived_cb, o);
	o->tick = event_new(base, -1, 0, tick_cb, o);
	o->overdue = event_new(base, -1, 0, overdue_cb, o);
	engine_observe(e, changed_cb, o);
	o->since_ms = clock_real_ms();
	o->saved_path = mem_strdup(opt->saved_path);
	open_threads(o, opt);
	if (o->events) {
		event_add(o->arrived, NULL);
		start_listing(o);
	}
	return o;
}

void observer_restore(struct observer *o)
{
	struct err err = ERR_INIT;
	struct saved saved;

	if (!o->events)
		return;
	if (saver_read(o->saved_path, &saved, &err) == 0) {
		saved_give(&saved, o->stats, engine_model(o->engine));
		o->since_ms = saved.since_ms;
		o->unobserved_ms = saved.unobserved_ms;
		if (clock_real_ms() > saved.saved_ms)
			o->unobserved_ms += clock_real_ms() - saved.saved_ms;
	} else if (err_any(&err)) {
		log_warn("stats", "counters start at zero: %s: %s", o->saved_path, err_text(&err));
	}
	saved_fini(&saved);
	err_fini(&err);
	o->saver = saver_new(o->saved_path);
	o->saved_ns = clock_mono_ns();
}

/* What ended before now, so that a restart loses as little as can be. */
static void count_last(struct observer *o)
{
	uint64_t until_ns = clock_mono_ns() + LAST_WAIT_MS * 1000000ull;
	bool is_reached = false;

	ct_events_barrier(o->events, UINT64_MAX);
	while (!is_reached && clock_mono_ns() < until_ns) {
		struct ct_batch *b = mailbox_take(o->batches, LAST_WAIT_MS);

		is_reached = !b || (b->kind == CT_BATCH_BARRIER && b->number == UINT64_MAX);
		if (b)
			batch_arrived(o, b);
	}
}

void observer_drain(struct observer *o)
{
	if (!o)
		return;
	if (o->saver) {
		count_last(o);
		save(o);
	}
	serve(&o->served);
	serve(&o->waiting);
}

void observer_free(struct observer *o)
{
	void *batch;

	if (!o)
		return;
	saver_free(o->saver);
	free(o->saved_path);
	census_free(o->census);
	ct_events_close(o->events);
	nl_close(&o->nl);
	while ((batch = mailbox_try_take(o->batches)))
		free(batch);
	mailbox_free(o->batches);
	event_free(o->arrived);
	event_free(o->tick);
	event_free(o->overdue);
	stats_free(o->stats);
	free(o->waiting.items);
	free(o->served.items);
	free(o);
}

struct stats *observer_stats(struct observer *o)
{
	return o->stats;
}

void observer_refresh(struct observer *o, observer_fn *fn, void *arg)
{
	bool is_fresh = !has_lost_events(o) && o->took_ns > FRESH_FROM_NS &&
			clock_mono_ns() - o->ended_ns < FRESH_DURATIONS * o->took_ns;

	if (is_fresh)
		fn(arg);
	else
		observer_recount(o, fn, arg);
}

bool observer_is_recent(const struct observer *o)
{
	return o->ended_ns && clock_mono_ns() - o->ended_ns < LISTING_SHARE * o->took_ns;
}

uint64_t observer_counted_ns(const struct observer *o)
{
	return o->counted_ns;
}

void observer_recount(struct observer *o, observer_fn *fn, void *arg)
{
	if (!o->events) {
		fn(arg);
		return;
	}
	VEC_PUSH(o->waiting.items, o->waiting.n, o->waiting.cap) = (struct waiter){ fn, arg };
	if (o->phase == PHASE_IDLE)
		start_soon(o);
}

static unsigned int wanted(const struct observer *o)
{
	unsigned int groups = 0;

	for (unsigned int i = 0; i < N_GROUPS; i++)
		groups |= o->wants[i] > 0 ? 1u << i : 0;
	return groups;
}

static void want(struct observer *o, unsigned int groups, unsigned int step)
{
	unsigned int before = wanted(o);

	for (unsigned int i = 0; i < N_GROUPS; i++)
		o->wants[i] += groups & 1u << i ? step : 0;
	if (o->events && wanted(o) != before)
		ct_events_want(o->events, wanted(o));
}

void observer_want(struct observer *o, unsigned int groups)
{
	want(o, groups, 1);
}

void observer_unwant(struct observer *o, unsigned int groups)
{
	want(o, groups, -1u);
}

void observer_watch(struct observer *o)
{
	if (o->n_watching++ > 0)
		return;
	stats_watch(o->stats, true);
	observer_want(o, CT_EVENTS_NEW | CT_EVENTS_UPDATE | CT_EVENTS_AT_ONCE);
}

void observer_unwatch(struct observer *o)
{
	if (--o->n_watching > 0)
		return;
	event_del(o->overdue);
	stats_watch(o->stats, false);
	observer_unwant(o, CT_EVENTS_NEW | CT_EVENTS_UPDATE | CT_EVENTS_AT_ONCE);
}

struct observer_status observer_status(const struct observer *o)
{
	struct observer_status s = {
		.is_available = o->events != NULL,
		.events = o->report,
		.stats = stats_self(o->stats),
		.since_ms = o->since_ms,
		.unobserved_ms = o->unobserved_ms,
		.kernel = o->kernel,
		.last_listing_ns = o->took_ns,
		.listed_ago_s = o->ended_ns ? (double)(clock_mono_ns() - o->ended_ns) / 1e9 : -1,
		.latency_sum_s = o->latency_sum_s,
	};

	memcpy(s.latency, o->latency, sizeof(s.latency));
	return s;
}
