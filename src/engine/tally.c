/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel knows services by number: the writer, who has the plan, tells which is which. It is
 * asked again after each change, and before each count of what is remembered, because a service
 * may get its number when a backend comes up. Some counters are in the kernel only while their
 * service overflows, and a little longer (engine/table.c, GRACE_MS): then they are read once more.
 *
 * Counting what is remembered takes a second for some hundred thousand clients, so the thread does
 * it piece by piece, and what somebody waits for comes in between, over another socket.
 */
#include "engine/tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "engine/begun.h"
#include "kernel/nft_counters.h"
#include "kernel/nft_entries.h"
#include "plan/plan.h"
#include "plan/stay.h"

/* Counting what is remembered takes at most one part in so many of the time. */
#define SHARE 50
/* Counters in one round of the main loop: a millisecond or two. */
#define SLICE_COUNTERS 1000
/* After the kernel has left off counting, and before the counter goes. */
#define LAST_LOOK_MS 100

/* Who is who, as the writer told; freed when no count uses it any more. */
struct census_list {
	struct owned_services of;
	unsigned int n_users;
};

/* Clients that are remembered for a service. */
struct count {
	bool is_counted;
	uint64_t all;
	uint64_t *of_backend;
};

/* What the thread is to do. Whoever has it owns it. */
struct errand {
	struct census_list *list; /* borrowed: only read */
	bool is_round;            /* all that is remembered; else the counters, and ... */
	bool *is_wanted;          /* ... what is remembered of some */
	struct count *counts;     /* one for each service of the list */
	struct nft_counters counters;
	size_t n_taken; /* of the counters, on the main loop */
	struct begun_counts *begun;
	bool has_counters;
	uint64_t took_ns;
};

struct waiter {
	observer_fn *fn;
	void *arg;
	char *service; /* NULL: none */
};

struct waiters {
	struct waiter *items;
	size_t n, cap;
};

struct tally {
	struct engine *engine;
	struct observer *observer;
	struct event *arrived, *rest, *tick, *last_look;
	struct errand *taking; /* what came back and is not all taken; NULL: none */
	uint64_t mark;         /* when that is in the kernel */
	char *table;
	pthread_t thread;
	bool has_thread, is_drained;
	struct begun *begun;
	struct mailbox *errands, *done;
	atomic_bool is_stopping;
	struct nl nl[2]; /* the thread's: of what is urgent, and of rounds */

	size_t n_services;        /* that have such numbers */
	struct census_list *list; /* NULL: not known yet */
	bool is_stale, is_asking; /* the list; the writer */
	bool is_reading, is_round_on;
	bool wants_round;
	uint64_t n_events, n_remembered; /* when the last round began; what it found */
	struct waiters waiting, served;
};

/* --- the thread ---------------------------------------------------------------------------- */

static void count_entries(const struct service *s, const struct entries *e, struct count *c)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct backend *b = backend_of_entry(s, &e->items[i].to, e->items[i].to_port);

		if (b)
			c->of_backend[b - s->backends]++;
	}
	c->all += e->n;
}

static void run(struct tally *t, struct errand *e);

/* What is urgent, while a round goes on. */
static void run_waiting(struct tally *t)
{
	struct errand *e;

	while (!atomic_load(&t->is_stopping) && (e = mailbox_try_take(t->errands)))
		run(t, e);
}

static int count_map(struct tally *t, struct errand *e, size_t i, const struct map_ref *map,
		     struct err *err)
{
	struct nft_dump d = { .nl = &t->nl[e->is_round] };
	const struct service *s = e->list->of.items[i].service;
	struct entries piece = { 0 };
	bool is_done = false;
	int code = nft_dump_begin(&d, t->table, map, err);

	while (code == 0 && !is_done && !atomic_load(&t->is_stopping)) {
		piece.n = 0;
		code = nft_dump_next(&d, &piece, &is_done, err);
		count_entries(s, &piece, &e->counts[i]);
		if (e->is_round)
			run_waiting(t);
	}
	entries_fini(&piece);
	return code;
}

static void count_service(struct tally *t, struct errand *e, size_t i)
{
	const struct owned_service *s = &e->list->of.items[i];
	struct err err = ERR_INIT;
	int code = 0;

	e->counts[i].of_backend = mem_calloc(s->service->n_backends + 1, sizeof(uint64_t));
	for (size_t m = 0; m < s->n_maps && code == 0; m++)
		code = count_map(t, e, i, &s->maps[m], &err);
	e->counts[i].is_counted = code == 0;
	if (code < 0)
		log_warn("stats", "persistence of service \"%s\": %s", s->service->name,
			 err_text(&err));
	err_fini(&err);
}

static bool goes_on(void *tally)
{
	return !atomic_load(&((struct tally *)tally)->is_stopping);
}

/* In a round. */
static bool serves_waiting(void *tally)
{
	run_waiting(tally);
	return goes_on(tally);
}

/* A few whenever somebody asks. If they are many, those that somebody waits for, and all in rounds.
 */
static void count_begun(struct tally *t, struct errand *e)
{
	bool is_few = begun_n(&e->list->of) <= BEGUN_AT_ONCE;

	if (is_few ? !e->is_round : e->is_round || e->is_wanted)
		e->begun = begun_read(&t->nl[e->is_round], t->table, &e->list->of,
				      is_few || e->is_round ? NULL : e->is_wanted,
				      e->is_round ? serves_waiting : goes_on, t);
}

static void run(struct tally *t, struct errand *e)
{
	uint64_t begun_ns = clock_mono_ns();

	if (!e->is_round)
		e->has_counters = nft_counters_read(&t->nl[0], t->table, &e->counters) == 0;
	for (size_t i = 0; i < e->list->of.n && !atomic_load(&t->is_stopping); i++) {
		if (e->is_round || (e->is_wanted && e->is_wanted[i]))
			count_service(t, e, i);
	}
	count_begun(t, e);
	e->took_ns = clock_mono_ns() - begun_ns;
	mailbox_put(t->done, e);
}

static void *tally_main(void *arg)
{
	struct tally *t = arg;

	while (!atomic_load(&t->is_stopping)) {
		struct errand *e = mailbox_take(t->errands, -1);

		if (e != arg)
			run(t, e);
	}
	return NULL;
}

/* --- errands ------------------------------------------------------------------------------- */

static void list_put(struct tally *t, struct census_list *list)
{
	if (!list || list == t->list || list->n_users > 0)
		return;
	owned_services_fini(&list->of);
	free(list);
}

static void errand_send(struct tally *t, struct errand *e)
{
	e->list = t->list;
	e->list->n_users++;
	e->counts = mem_calloc(e->list->of.n + 1, sizeof(*e->counts));
	mailbox_put(t->errands, e);
}

static void errand_free(struct tally *t, struct errand *e)
{
	for (size_t i = 0; e->counts && i < e->list->of.n; i++)
		free(e->counts[i].of_backend);
	begun_counts_free(e->begun);
	free(e->counts);
	free(e->is_wanted);
	nft_counters_fini(&e->counters);
	e->list->n_users--;
	list_put(t, e->list);
	free(e);
}

static void want_service(struct errand *e, const struct owned_services *of, const char *name)
{
	for (size_t i = 0; name && i < of->n; i++) {
		if (strcmp(of->items[i].service->name, name) != 0)
			continue;
		if (!e->is_wanted)
			e->is_wanted = mem_calloc(of->n, sizeof(*e->is_wanted));
		e->is_wanted[i] = true;
	}
}

static void send_urgent(struct tally *t)
{
	struct errand *e = mem_zalloc(sizeof(*e));

	t->is_reading = true;
	t->served = t->waiting;
	t->waiting = (struct waiters){ 0 };
	for (size_t i = 0; i < t->served.n; i++)
		want_service(e, &t->list->of, t->served.items[i].service);
	errand_send(t, e);
}

static void send_round(struct tally *t)
{
	struct errand *e = mem_zalloc(sizeof(*e));

	t->wants_round = false;
	t->is_round_on = e->is_round = true;
	t->n_events = observer_status(t->observer).events.n_events;
	errand_send(t, e);
}

static void go_on(struct tally *t);

/* An engine_owned_fn. */
static void owned_cb(struct owned_services *of, void *arg)
{
	struct tally *t = arg;
	struct census_list *was = t->list;

	t->is_asking = false;
	if (t->is_drained)
		return;
	t->list = mem_zalloc(sizeof(*t->list));
	t->list->of = *of;
	*of = (struct owned_services){ 0 };
	list_put(t, was);
	go_on(t);
}

/* The next of what is to be done. */
static void go_on(struct tally *t)
{
	if (t->is_asking || t->is_drained || (t->waiting.n == 0 && !t->wants_round))
		return;
	if (t->is_stale || !t->list) {
		t->is_stale = false;
		t->is_asking = true;
		engine_owned(t->engine, owned_cb, t);
		return;
	}
	if (t->waiting.n > 0 && !t->is_reading)
		send_urgent(t);
	if (t->wants_round && !t->is_round_on)
		send_round(t);
}

/* --- what comes back ----------------------------------------------------------------------- */

static int by_own(const void *own, const void *service)
{
	return (int)*(const uint16_t *)own - (int)((const struct owned_service *)service)->own;
}

static void take_counter(struct tally *t, const struct errand *e, const struct nft_counter *c)
{
	const struct owned_services *of = &e->list->of;
	const struct owned_service *s =
		of->n ? bsearch(&c->own, of->items, of->n, sizeof(*of->items), by_own) : NULL;

	if (s && c->packets > 0)
		stats_overflowed(observer_stats(t->observer), engine_model(t->engine),
				 s->service->name, NULL, c->handle, c->packets);
}

static void take_count(struct tally *t, const struct service *s, const struct count *c)
{
	struct stats *stats = observer_stats(t->observer);
	const struct model *m = engine_model(t->engine);

	if (!c->is_counted)
		return;
	stats_remembered(stats, m, s->name, NULL, c->all);
	for (size_t i = 0; i < s->n_backends; i++)
		stats_remembered(stats, m, s->name, &s->backends[i], c->of_backend[i]);
}

static void serve(struct tally *t, struct waiters *w)
{
	struct waiters all = *w;

	*w = (struct waiters){ 0 };
	for (size_t i = 0; i < all.n; i++) {
		observer_refresh(t->observer, all.items[i].fn, all.items[i].arg);
		free(all.items[i].service);
	}
	free(all.items);
}

static void schedule(struct tally *t, uint64_t took_ns)
{
	uint64_t ms = took_ns * SHARE / 1000000;
	struct timeval pause;

	if (ms < TALLY_INTERVAL_MS)
		ms = TALLY_INTERVAL_MS;
	pause = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
				  .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	if (t->n_services > 0)
		event_add(t->tick, &pause);
}

/* A piece of them: are there more? */
static bool take_counters(struct tally *t, struct errand *e)
{
	size_t n = e->has_counters ? e->counters.n : 0;
	size_t until = n - e->n_taken > SLICE_COUNTERS ? e->n_taken + SLICE_COUNTERS : n;

	for (; e->n_taken < until; e->n_taken++)
		take_counter(t, e, &e->counters.items[e->n_taken]);
	return until < n;
}

static void take_errand(struct tally *t, struct errand *e)
{
	uint64_t n = 0;

	for (size_t i = 0; i < e->list->of.n; i++) {
		take_count(t, e->list->of.items[i].service, &e->counts[i]);
		n += e->counts[i].all;
	}
	if (e->is_round) {
		t->is_round_on = false;
		t->n_remembered = n;
		schedule(t, e->took_ns);
	} else {
		t->is_reading = false;
		serve(t, &t->served);
	}
	errand_free(t, e);
}

/* Of what came back, or of the rest of it. */
static void arrived_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once;
	struct tally *t = arg;

	(void)fd;
	(void)what;
	while (t->taking || (t->taking = mailbox_try_take(t->done))) {
		if (take_counters(t, t->taking) ||
		    begun_take(t->begun, observer_stats(t->observer), engine_model(t->engine),
			       t->taking->begun, SLICE_COUNTERS)) {
			event_add(t->rest, &at_once);
			return;
		}
		take_errand(t, t->taking);
		t->taking = NULL;
	}
	go_on(t);
}

/* Nothing lives, nothing ended, nothing was remembered: then nothing is now. */
static bool is_at_rest(const struct tally *t)
{
	return t->n_remembered == 0 && stats_self(observer_stats(t->observer)).n_listed == 0 &&
	       observer_status(t->observer).events.n_events == t->n_events;
}

static void read_cb(void *arg)
{
	(void)arg; /* the numbers are where they belong */
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tally *t = arg;

	(void)fd;
	(void)what;
	if (is_at_rest(t)) {
		schedule(t, 0);
	} else {
		t->is_stale = t->wants_round = true;
		tally_refresh(t, NULL, read_cb, NULL);
	}
}

static void look_soon(struct tally *t)
{
	const struct timeval soon = { .tv_usec = LAST_LOOK_MS * 1000 };

	t->mark = engine_runtime_mark(t->engine);
	event_add(t->last_look, &soon);
}

static void last_look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tally *t = arg;

	(void)fd;
	(void)what;
	if (engine_runtime_done(t->engine, t->mark))
		tally_refresh(t, NULL, read_cb, NULL);
	else
		look_soon(t);
}

/* An engine_overflow_fn. */
static void overflow_cb(void *arg)
{
	struct tally *t = arg;

	t->is_stale = true; /* it has a number now */
	look_soon(t);
}

/* --- the configuration --------------------------------------------------------------------- */

static bool has_numbers(const struct service *s)
{
	return s && (s->persistence.timeout_s > 0 || s->counts_begun || service_has_limits(s));
}

static void forget_remembered(struct tally *t, const struct service *s)
{
	const struct count none = { .is_counted = true,
				    .of_backend = mem_calloc(s->n_backends + 1, sizeof(uint64_t)) };

	take_count(t, s, &none);
	free(none.of_backend);
}

static void observe_cb(const struct changes *c, void *arg)
{
	struct tally *t = arg;
	size_t n_before = t->n_services;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];
		const struct service *was, *is;

		if (change->object != OBJECT_SERVICE)
			continue;
		was = change->service.before;
		is = change->service.after;
		t->n_services += has_numbers(is);
		t->n_services -= has_numbers(was);
		t->is_stale = t->is_stale || has_numbers(is) || has_numbers(was);
		if (was && is && service_has_limits(was) && !service_has_limits(is))
			look_soon(t);
		if (was && is && was->persistence.timeout_s > 0 && is->persistence.timeout_s == 0)
			forget_remembered(t, is);
		if (was && was->counts_begun && !(is && is->counts_begun))
			begun_forget(t->begun, was->name);
	}
	if (n_before == 0 && t->n_services > 0)
		event_active(t->tick, 0, 0);
	else if (t->n_services == 0)
		event_del(t->tick);
}

/* --- life ---------------------------------------------------------------------------------- */

static int open_thread(struct tally *t, struct err *err)
{
	int code = nl_open(&t->nl[0], err);

	if (code == 0)
		code = nl_open(&t->nl[1], err);
	if (code < 0)
		return code;
	code = -pthread_create(&t->thread, NULL, tally_main, t);
	if (code < 0)
		return err_add(err, ERR_SYSTEM, code, NULL, "no thread can be started: %s",
			       strerror(-code));
	pthread_setname_np(t->thread, "tally");
	t->has_thread = true;
	return 0;
}

struct tally *tally_new(struct event_base *base, struct engine *e, struct observer *o,
			const char *table)
{
	struct tally *t = mem_zalloc(sizeof(*t));
	struct err err = ERR_INIT;

	t->engine = e;
	t->observer = o;
	t->table = mem_strdup(table);
	t->begun = begun_new();
	t->n_events = UINT64_MAX; /* what the kernel remembers of before is not known */
	t->errands = mailbox_new();
	t->done = mailbox_new();
	t->arrived = event_new(base, mailbox_fd(t->done), EV_READ | EV_PERSIST, arrived_cb, t);
	t->rest = event_new(base, -1, 0, arrived_cb, t);
	t->tick = event_new(base, -1, 0, tick_cb, t);
	t->last_look = event_new(base, -1, 0, last_look_cb, t);
	event_add(t->arrived, NULL);
	if (open_thread(t, &err) < 0) {
		log_warn("stats", "nothing is known of overflowed and persistconns: %s",
			 err_text(&err));
	} else {
		engine_observe(e, observe_cb, t);
		engine_on_overflow(e, overflow_cb, t);
	}
	err_fini(&err);
	return t;
}

void tally_drain(struct tally *t)
{
	if (!t)
		return;
	t->is_drained = true;
	serve(t, &t->served);
	serve(t, &t->waiting);
	event_del(t->rest);
	event_del(t->tick);
	event_del(t->last_look);
	event_del(t->arrived);
}

void tally_free(struct tally *t)
{
	struct errand *e;

	if (!t)
		return;
	atomic_store(&t->is_stopping, true);
	mailbox_put(t->errands, t); /* wakes it */
	if (t->has_thread)
		pthread_join(t->thread, NULL);
	while ((e = mailbox_try_take(t->errands)))
		if ((void *)e != (void *)t)
			errand_free(t, e);
	while ((e = mailbox_try_take(t->done)))
		errand_free(t, e);
	if (t->taking)
		errand_free(t, t->taking);
	event_free(t->rest);
	event_free(t->arrived);
	event_free(t->tick);
	event_free(t->last_look);
	mailbox_free(t->errands);
	mailbox_free(t->done);
	nl_close(&t->nl[0]);
	nl_close(&t->nl[1]);
	if (t->list) {
		owned_services_fini(&t->list->of);
		free(t->list);
	}
	free(t->waiting.items);
	free(t->served.items);
	begun_free(t->begun);
	free(t->table);
	free(t);
}

void tally_refresh(struct tally *t, const char *service, observer_fn *fn, void *arg)
{
	if ((t->n_services == 0 && !evtimer_pending(t->last_look, NULL)) || t->is_drained) {
		observer_refresh(t->observer, fn, arg);
		return;
	}
	VEC_PUSH(t->waiting.items, t->waiting.n, t->waiting.cap) =
		(struct waiter){ fn, arg, service ? mem_strdup(service) : NULL };
	go_on(t);
}
