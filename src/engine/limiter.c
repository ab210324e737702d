/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event costs a look-up of the service, and what follows from it goes to the kernel with
 * everything else that is known at the end of this round of the loop. The events tell how many
 * connections there are as long as none is lost; twice a second it is checked against the
 * statistics, which a listing puts right.
 */
#include "engine/limiter.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_internal.h"
#include "engine/events.h"
#include "engine/limiter_internal.h"
#include "plan/threshold.h"

#define LOOK_INTERVAL_MS 500
/* While a gate is on its way to be opened. */
#define HURRY_INTERVAL_MS 20
/* A gate stays so long where no events tell of what it admits. */
#define BLIND_REST_MS 5000
/* For tokens to be issued, connections are listed one part in so many of the time. */
#define RENEWAL_RESTS 4

struct limited *limited_find(const struct limiter *l, const char *name)
{
	struct limited *s = NULL;

	if (l->services)
		HASH_FIND(hh, l->services, name, strlen(name), s);
	return s;
}

static bool has_limit(const struct service *s)
{
	for (size_t i = 0; s && i < s->n_backends; i++) {
		if (s->backends[i].max_connections > 0)
			return true;
	}
	return false;
}

static void schedule(struct limiter *l, unsigned int ms)
{
	struct timeval tick = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	event_add(l->tick, &tick);
}

static void report(struct limiter *l, const struct service *s, const struct backend *b,
		   struct watched *w, bool is_full, uint32_t open)
{
	if (w->status.is_full == is_full)
		return;
	w->status.is_full = is_full;
	w->status.n_full += is_full;
	log_info("limit", "%s/%s %s: %u connections, max_connections %u", s->name, b->name,
		 is_full ? "is full" : "has room", open, b->max_connections);
	events_add(engine_events(l->engine), is_full ? "backend_full" : "backend_not_full",
		   clock_real_ms(),
		   json_pack("{s:s,s:s,s:I,s:I}", "service", s->name, "backend", b->name,
			     "connections", (json_int_t)open, "max_connections",
			     (json_int_t)b->max_connections));
}

static void note_overshoot(struct watched *w, const struct backend *b, uint32_t open)
{
	if (b->max_connections > 0 && open > b->max_connections &&
	    open - b->max_connections > w->status.overshoot)
		w->status.overshoot = open - b->max_connections;
}

/* --- "limit": "fast" ----------------------------------------------------------------------- */

static void look_fast(struct limiter *l, const struct service *s, const struct backend *b,
		      struct watched *w, uint32_t open)
{
	struct backend_runtime at = engine_runtime(l->engine, s->name, b->name);

	at.is_at_limit = threshold_is_full(b, open, w->status.is_full);
	at.is_uncounted = false;
	at.gate = (struct gate_runtime){ .of = 0 }; /* what it counted is not all any more */
	engine_set_runtime(l->engine, s->name, b->name, &at);
	report(l, s, b, w, at.is_at_limit, open);
}

/* --- "limit": "exact", "budget" ------------------------------------------------------------ */

static void close_gate(struct limiter *l, const struct service *s, const struct backend *b,
		       struct watched *w)
{
	struct backend_runtime at = engine_runtime(l->engine, s->name, b->name);

	at.is_at_limit = true;
	at.is_uncounted = !w->admission.is_full;
	engine_set_runtime(l->engine, s->name, b->name, &at);
	w->mark = engine_runtime_mark(l->engine);
	schedule(l, HURRY_INTERVAL_MS);
}

/* It was shut to be counted, and then turned out to be full. */
static void note_full(struct limiter *l, const struct service *s, const struct backend *b,
		      const struct watched *w)
{
	struct backend_runtime at = engine_runtime(l->engine, s->name, b->name);

	if (w->admission.state == ADMISSION_OPEN || !w->admission.is_full)
		return;
	at.is_uncounted = false;
	engine_set_runtime(l->engine, s->name, b->name, &at);
}

static void open_gate(struct limiter *l, const struct limited *s, const struct backend *b,
		      struct watched *w)
{
	const char *service = s->config->name;
	struct backend_runtime at = engine_runtime(l->engine, service, b->name);

	at.is_at_limit = at.is_uncounted = false;
	at.gate = (struct gate_runtime){
		.to = b->address,
		.port = b->port,
		.epoch = w->admission.epoch,
		.of = w->admission.of,
		.tokens = w->admission.tokens,
		.room = w->admission.room - w->admission.tokens,
	};
	w->counts = (struct nft_gate_counts){ 0 };
	limiter_overflowed(l, s, b);
	w->opened_ms = clock_mono_ms();
	w->begun = stats_live(observer_stats(l->observer), service, b).begun;
	engine_set_runtime(l->engine, service, b->name, &at);
	w->mark = engine_runtime_mark(l->engine);
	log_debug("limit", "%s/%s: room for %u of %u, %u of them tokens", service, b->name,
		  w->admission.room, at.gate.of, at.gate.tokens);
}

/* The backend is new, its limit is lower, or the kernel's count is gone: then its gate is shut. */
static void see_gate(struct limiter *l, const struct service *s, const struct backend *b,
		     struct watched *w)
{
	struct backend_runtime at = engine_runtime(l->engine, s->name, b->name);

	if (w->admission.state == ADMISSION_OPEN && !gate_holds(&at.gate, s, b)) {
		admission_close(&w->admission);
		close_gate(l, s, b, w);
	}
}

/* A gate that admits and of which no event tells: what is known of it is as of the last listing. */
static bool is_told_of(const struct limiter *l, const struct limited *s, const struct backend *b,
		       const struct watched *w)
{
	return stats_live(observer_stats(l->observer), s->config->name, b).begun > w->begun;
}

/*
 * Then its count is spoiled; one that has tokens gets a new one with those. Nobody gets in while it
 * is made anew, so where there are no events that is not done again and again; and where nobody can
 * list connections it is not done at all, for then the kernel's count, too high, is the only one.
 */
static bool has_refused(const struct limiter *l, const struct limited *s, const struct backend *b,
			const struct watched *w)
{
	if (w->counts.n_refused == 0 || (s->has_tokens && renewal_has_tokens(b)))
		return false;
	return observer_status(l->observer).is_available &&
	       (is_told_of(l, s, b, w) || clock_mono_ms() >= w->opened_ms + BLIND_REST_MS);
}

/* Are new tokens due? The events tell earlier how many were used than the gate's own counter. */
static void look_at_tokens(struct limiter *l, const struct limited *s, const struct backend *b,
			   struct watched *w, uint32_t open)
{
	uint64_t begun, used = w->counts.n_tokens;

	if (!s->has_tokens || !engine_runtime_done(l->engine, w->mark))
		return;
	begun = stats_live(observer_stats(l->observer), s->config->name, b).begun;
	if (begun > w->begun && begun - w->begun > used)
		used = begun - w->begun;
	if (!renewal_look(&w->renewal, &w->admission, b, open, used, clock_mono_ms()))
		return;
	if (!l->is_hurrying)
		schedule(l, HURRY_INTERVAL_MS);
	l->is_hurrying = true;
}

/* A large table takes long to list: not all the time. */
static bool wants_renewal(const struct limiter *l, const struct watched *w)
{
	uint64_t now_ms = clock_mono_ms();

	return renewal_may_count(&w->renewal, now_ms) &&
	       now_ms >= l->counted_ms + RENEWAL_RESTS * l->count_took_ms;
}

static void look_exact(struct limiter *l, const struct limited *s, const struct backend *b,
		       struct watched *w, uint32_t open)
{
	see_gate(l, s->config, b, w);
	if (admission_look(&w->admission, b, open, has_refused(l, s, b, w)))
		close_gate(l, s->config, b, w);
	if (w->admission.state == ADMISSION_CLOSING && engine_runtime_done(l->engine, w->mark))
		admission_shut(&w->admission, clock_mono_ms());
	note_full(l, s->config, b, w);
	look_at_tokens(l, s, b, w, open);
	report(l, s->config, b, w, w->admission.is_full, open);
}

/* What the kernel has counted since before this daemon, or nothing. */
static void adopt_gate(struct limiter *l, const struct service *s, const struct backend *b,
		       struct watched *w)
{
	struct backend_runtime at = engine_runtime(l->engine, s->name, b->name);

	w->admission = (struct admission){ .epoch = at.gate.epoch };
	if (!gate_holds(&at.gate, s, b)) {
		close_gate(l, s, b, w);
		w->admission.state = ADMISSION_CLOSING;
		return;
	}
	w->admission.state = ADMISSION_OPEN;
	w->admission.of = at.gate.of;
	w->admission.tokens = at.gate.tokens;
	w->admission.room = at.gate.tokens + at.gate.room;
	w->begun = stats_live(observer_stats(l->observer), s->name, b).begun;
}

static void counted_cb(void *arg);

static bool wants_count(const struct limiter *l, const struct limited *s, size_t i)
{
	const struct backend *b = &s->config->backends[i];
	uint32_t open = stats_live(observer_stats(l->observer), s->config->name, b).open;

	return s->has_gates && b->max_connections > 0 &&
	       (admission_may_count(&s->items[i].admission, b, open, clock_mono_ms()) ||
		wants_renewal(l, &s->items[i]));
}

/* Count living connections, if that may open a gate. */
static void start_counting(struct limiter *l)
{
	for (struct limited *s = l->services; s && !l->is_counting; s = s->hh.next) {
		for (size_t i = 0; s->has_gates && i < s->config->n_backends; i++)
			l->is_counting = l->is_counting || wants_count(l, s, i);
	}
	if (!l->is_counting)
		return;
	l->count_begun_ms = clock_mono_ms();
	observer_recount(l->observer, counted_cb, l);
}

static void counted(struct limiter *l, struct limited *s, size_t i)
{
	const struct backend *b = &s->config->backends[i];
	struct watched *w = &s->items[i];
	uint32_t open = stats_live(observer_stats(l->observer), s->config->name, b).open;

	if (admission_counted(&w->admission, b, open, l->count_begun_ms)) {
		if (s->has_tokens)
			admission_divide(&w->admission);
		open_gate(l, s, b, w);
	} else if (observer_status(l->observer).is_available &&
		   renewal_counted(&w->renewal, &w->admission, b, open, l->count_begun_ms)) {
		open_gate(l, s, b, w);
	}
	note_full(l, s->config, b, w);
	report(l, s->config, b, w, w->admission.is_full, open);
}

/* An observer_fn. */
static void counted_cb(void *arg)
{
	struct limiter *l = arg;
	struct limited *s, *next;

	l->is_counting = false;
	l->counted_ms = clock_mono_ms();
	l->count_took_ms = l->counted_ms - l->count_begun_ms;
	if (l->services)
		schedule(l, HURRY_INTERVAL_MS);
	if (observer_counted_ns(l->observer) / 1000000 < l->count_begun_ms &&
	    observer_status(l->observer).is_available)
		return; /* it broke off */
	HASH_ITER (hh, l->services, s, next) {
		for (size_t i = 0; s->has_gates && i < s->config->n_backends; i++) {
			if (s->config->backends[i].max_connections > 0)
				counted(l, s, i);
		}
	}
}

/* --- both ---------------------------------------------------------------------------------- */

static void look_at(struct limiter *l, struct limited *s, size_t i)
{
	const struct backend *b = &s->config->backends[i];
	struct watched *w = &s->items[i];
	uint32_t open = stats_live(observer_stats(l->observer), s->config->name, b).open;

	note_overshoot(w, b, open);
	if (s->has_gates && b->max_connections > 0)
		look_exact(l, s, b, w, open);
	else
		look_fast(l, s->config, b, w, open);
}

/* A stats_load_fn. */
static void load_cb(const char *service, const struct backend *b, void *arg)
{
	struct limiter *l = arg;
	struct limited *s = limited_find(l, service);
	const struct backend *own = s ? service_backend(s->config, b->name) : NULL;
	size_t i = own ? (size_t)(own - s->config->backends) : 0;

	if (!own || own->max_connections == 0)
		return;
	look_at(l, s, i);
	if (!l->is_counting && wants_count(l, s, i))
		start_counting(l);
}

static void look_at_all(struct limiter *l, struct limited *s)
{
	for (size_t i = 0; i < s->config->n_backends; i++)
		look_at(l, s, i);
}

/* Is a gate closing, or waiting to be counted? Not one that is full for longer. */
static bool is_in_hurry(const struct limited *s)
{
	bool is = false;

	for (size_t i = 0; s->has_gates && i < s->config->n_backends; i++) {
		const struct admission *a = &s->items[i].admission;

		is = is || (s->config->backends[i].max_connections > 0 &&
			    (a->state == ADMISSION_CLOSING || s->items[i].renewal.due_ms ||
			     (a->state == ADMISSION_SHUT && !a->is_full)));
	}
	return is;
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct limiter *l = arg;
	struct limited *s, *next;
	bool is_in_a_hurry = l->is_counting;

	l->is_hurrying = false;
	(void)fd;
	(void)what;
	HASH_ITER (hh, l->services, s, next) {
		look_at_all(l, s);
		is_in_a_hurry = is_in_a_hurry || is_in_hurry(s);
	}
	if (!l->is_counting)
		start_counting(l);
	limiter_ask_due(l);
	if (clock_mono_ms() - l->looked_ms >= LOOK_INTERVAL_MS) {
		l->looked_ms = clock_mono_ms();
		limiter_ask(l);
	}
	schedule(l, is_in_a_hurry ? HURRY_INTERVAL_MS : LOOK_INTERVAL_MS);
}

/* What is known of backends that stay as they are. */
static struct watched *items_of(const struct limited *old, const struct service *s)
{
	struct watched *items = mem_calloc(s->n_backends, sizeof(*items));

	for (size_t i = 0; old->config && i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];
		const struct backend *was = service_backend(old->config, b->name);

		if (!was)
			continue;
		items[i] = old->items[was - old->config->backends];
		if (was->max_connections != b->max_connections)
			items[i].status.overshoot = 0;
	}
	return items;
}

static void adopt_gates(struct limiter *l, struct limited *s, const struct service *old)
{
	for (size_t i = 0; s->has_gates && i < s->config->n_backends; i++) {
		const struct backend *b = &s->config->backends[i];
		const struct backend *was =
			old && service_has_gates(old) ? service_backend(old, b->name) : NULL;

		if (b->max_connections > 0 && (!was || was->max_connections == 0))
			adopt_gate(l, s->config, b, &s->items[i]);
	}
}

static void follow(struct limiter *l, struct limited *s, const struct service *config)
{
	struct watched *items = items_of(s, config);
	const struct service *old = s->config;

	if (old)
		HASH_DEL(l->services, s);
	free(s->items);
	s->items = items;
	s->config = service_ref(config);
	s->has_gates = service_has_gates(config);
	s->has_tokens = s->has_gates && service_limit(config) == LIMIT_BUDGET;
	for (size_t i = 0; !s->has_tokens && i < config->n_backends; i++)
		items[i].renewal = (struct renewal){ 0 };
	HASH_ADD_KEYPTR(hh, l->services, config->name, strlen(config->name), s);
	adopt_gates(l, s, old);
	service_unref(old);
	look_at_all(l, s);
}

static struct limited *limited_add(struct limiter *l)
{
	if (!l->services) {
		schedule(l, HURRY_INTERVAL_MS);
		observer_want(l->observer, CT_EVENTS_NEW | CT_EVENTS_UPDATE | CT_EVENTS_AT_ONCE);
	}
	return mem_zalloc(sizeof(struct limited));
}

static void limited_remove(struct limiter *l, struct limited *s)
{
	HASH_DEL(l->services, s);
	service_unref(s->config);
	free(s->items);
	free(s);
	if (l->services)
		return;
	event_del(l->tick);
	observer_unwant(l->observer, CT_EVENTS_NEW | CT_EVENTS_UPDATE | CT_EVENTS_AT_ONCE);
}

static void observe_cb(const struct changes *c, void *arg)
{
	struct limiter *l = arg;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];
		const struct service *after;
		struct limited *s;

		if (change->object != OBJECT_SERVICE)
			continue;
		after = change->service.after;
		s = limited_find(l, change_name(change));
		if (has_limit(after) || (after && s))
			follow(l, s ? s : limited_add(l), after);
		if (s && !has_limit(after))
			limited_remove(l, s);
	}
}

struct limiter *limiter_new(struct event_base *base, struct engine *e, struct observer *o)
{
	struct limiter *l = mem_zalloc(sizeof(*l));

	l->engine = e;
	l->observer = o;
	l->tick = event_new(base, -1, 0, tick_cb, l);
	engine_observe(e, observe_cb, l);
	stats_follow_load(observer_stats(o), load_cb, l);
	return l;
}

void limiter_free(struct limiter *l)
{
	struct limited *s, *next;

	if (!l)
		return;
	stats_follow_load(observer_stats(l->observer), NULL, NULL);
	HASH_ITER (hh, l->services, s, next)
		limited_remove(l, s);
	event_free(l->tick);
	free(l->asked_last);
	free(l);
}

bool limiter_status(const struct limiter *l, const struct service *s, const struct backend *b,
		    struct limiter_status *out)
{
	const struct limited *limited = limited_find(l, s->name);
	const struct backend *own = limited ? service_backend(limited->config, b->name) : NULL;
	const struct watched *w;
	struct meter m;

	if (!own || own->max_connections == 0)
		return false;
	w = &limited->items[own - limited->config->backends];
	m = stats_of_backend(observer_stats(l->observer), s->name, b);
	*out = w->status;
	out->has_gate = limited->has_gates;
	out->is_shut = limited->has_gates && (w->admission.state != ADMISSION_OPEN ||
					      !engine_runtime_done(l->engine, w->mark));
	out->room = out->is_shut ? 0 : w->admission.room;
	out->open = m.open;
	out->n_refused = m.overflowed - m.zero.overflowed;
	return true;
}

void limiter_total(const struct limiter *l, size_t *n, size_t *n_full)
{
	*n = *n_full = 0;
	for (const struct limited *s = l->services; s; s = s->hh.next) {
		for (size_t i = 0; i < s->config->n_backends; i++) {
			*n += s->config->backends[i].max_connections > 0;
			*n_full += s->items[i].status.is_full;
		}
	}
}
