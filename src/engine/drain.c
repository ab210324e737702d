/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nobody tells when the last connection of a backend ends: events of conntrack may be lost, and
 * those of a state that changes are not asked for, because each connection on the machine would
 * pay for them. So "nothing is left" is believed of a complete listing only, and of one that began
 * some time after the kernel had the change: a packet that chose the backend before it is in the
 * table by then.
 *
 * Backends that drain are few, so they are in a list.
 */
#include "engine/drain.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/drain_internal.h"
#include "engine/events.h"
#include "engine/remember.h"

/* A packet is on its way through the table for microseconds. */
#define GRACE_NS    100000000u
#define INTERVAL_MS 250
/* A listing takes at most one part in so many of the time. */
#define LISTING_SHARE 10

struct waiter {
	struct waiter *next;
	struct drainer *drainer;
	char *service, *backend;
	struct event *timeout;
	drainer_fn *fn;
	void *arg;
};

struct drainer {
	struct event_base *base;
	struct engine *engine;
	struct observer *observer;
	char *path;
	json_t *recalled; /* until it is started */
	struct drain *items;
	size_t n, cap;
	struct event *tick;
	bool is_counting; /* a listing is asked for */
	struct waiter *waiters;
};

/* A cut on its way: the drain may be gone when it is done. */
struct cut {
	struct drainer *drainer;
	char *service, *backend;
};

static struct drain *drain_find(const struct drainer *d, const char *service, const char *backend)
{
	for (size_t i = 0; i < d->n; i++) {
		if (strcmp(d->items[i].service, service) == 0 &&
		    strcmp(d->items[i].backend, backend) == 0)
			return &d->items[i];
	}
	return NULL;
}

static void save(struct drainer *d)
{
	json_t *all = drains_to_json(d->items, d->n);

	remember_write(d->path, "drain", all);
	json_decref(all);
}

/* --- who waits ----------------------------------------------------------------------------- */

static bool is_over(const struct drainer *d, const char *service, const char *backend)
{
	const struct drain *drain = drain_find(d, service, backend);

	return !drain || drain->status.is_done;
}

static void waiter_end(struct waiter *w)
{
	struct waiter **at = &w->drainer->waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	event_free(w->timeout);
	free(w->service);
	free(w->backend);
	w->fn(w->arg);
	free(w);
}

static void waiter_timeout_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	waiter_end(arg);
}

static void wake(struct drainer *d)
{
	struct waiter *next;

	for (struct waiter *w = d->waiters; w; w = next) {
		next = w->next;
		if (is_over(d, w->service, w->backend))
			waiter_end(w);
	}
}

void drainer_wait(struct drainer *d, const char *service, const char *backend, unsigned int max_ms,
		  drainer_fn *fn, void *arg)
{
	const struct timeval max = { .tv_sec = max_ms / 1000, .tv_usec = max_ms % 1000 * 1000 };
	struct waiter *w;

	if (max_ms == 0 || is_over(d, service, backend)) {
		fn(arg);
		return;
	}
	w = mem_zalloc(sizeof(*w));
	*w = (struct waiter){ .next = d->waiters, .drainer = d, .fn = fn, .arg = arg };
	w->service = mem_strdup(service);
	w->backend = mem_strdup(backend);
	w->timeout = event_new(d->base, -1, 0, waiter_timeout_cb, w);
	event_add(w->timeout, &max);
	d->waiters = w;
}

/* --- the end ------------------------------------------------------------------------------- */

static void announce(struct drainer *d, const struct drain *drain)
{
	const struct drain_status *s = &drain->status;
	const char *reason = s->is_over_time ? "deadline" : "all_gone";
	json_t *event = json_pack("{s:s, s:s, s:s, s:b, s:I}", "service", drain->service, "backend",
				  drain->backend, "reason", reason, "cut", s->is_cut, "duration_ms",
				  (json_int_t)(s->done_ms - s->since_ms));

	if (s->is_counted)
		json_object_set_new(event, "connections", json_integer(s->connections));
	if (!s->is_over_time)
		log_info("drain", "%s/%s draining -> drained (no connection is left, %lld s)",
			 drain->service, drain->backend,
			 (long long)(s->done_ms - s->since_ms) / 1000);
	else
		log_warn("drain", "%s/%s draining -> drained (deadline, %u connections left%s)",
			 drain->service, drain->backend, s->connections,
			 s->is_cut ? ", which were cut" : "");
	events_add(engine_events(d->engine), "backend_drained", s->done_ms, event);
}

static void finish(struct drainer *d, struct drain *drain, bool is_over_time, bool is_cut)
{
	drain->status.is_done = true;
	drain->status.done_ms = clock_real_ms();
	drain->status.is_over_time = is_over_time;
	drain->status.is_cut = is_cut;
	save(d);
	announce(d, drain);
	wake(d);
}

static void cut_cb(void *arg)
{
	struct cut *cut = arg;
	struct drain *drain = drain_find(cut->drainer, cut->service, cut->backend);

	if (drain && drain->is_cutting) {
		drain->is_cutting = false;
		finish(cut->drainer, drain, true, true);
	}
	free(cut->service);
	free(cut->backend);
	free(cut);
}

static void begin_cut(struct drainer *d, struct drain *drain)
{
	const struct service *s = model_service(engine_model(d->engine), drain->service);
	const struct backend *b = s ? service_backend(s, drain->backend) : NULL;
	struct cut *cut;

	if (!b)
		return;
	cut = mem_alloc(sizeof(*cut));
	cut->drainer = d;
	cut->service = mem_strdup(drain->service);
	cut->backend = mem_strdup(drain->backend);
	drain->is_cutting = true;
	engine_cut(d->engine, s, b, cut_cb, cut);
}

/* --- counting ------------------------------------------------------------------------------ */

static bool is_waiting(const struct drain *drain)
{
	return !drain->status.is_done && !drain->is_cutting;
}

static void look_at(struct drainer *d, struct drain *drain)
{
	struct drain_status *s = &drain->status;
	const struct service *service = model_service(engine_model(d->engine), drain->service);
	const struct backend *b = service ? service_backend(service, drain->backend) : NULL;
	bool is_over_time = s->deadline_ms > 0 && clock_real_ms() >= s->deadline_ms;
	bool is_blind = !observer_status(d->observer).is_available;
	bool is_certain = !is_blind && observer_counted_ns(d->observer) > drain->chosen_until_ns;

	if (!b)
		return;
	if (is_certain) {
		s->is_counted = true;
		s->connections = stats_live(observer_stats(d->observer), drain->service, b).open;
	}
	if (is_certain && s->connections == 0)
		finish(d, drain, false, false);
	else if (is_over_time && (is_certain || is_blind) && s->on_timeout == ON_DRAIN_CUT)
		begin_cut(d, drain);
	else if (is_over_time && (is_certain || is_blind))
		finish(d, drain, true, false);
}

/* Until the next look; 0: there is nothing to look at. */
static int64_t pause_ms(const struct drainer *d)
{
	int64_t took_ms = (int64_t)(observer_status(d->observer).last_listing_ns / 1000000);
	int64_t ms = took_ms * LISTING_SHARE > INTERVAL_MS ? took_ms * LISTING_SHARE : INTERVAL_MS;
	int64_t now = clock_real_ms();
	bool any = false;

	for (size_t i = 0; i < d->n; i++) {
		int64_t left_ms = d->items[i].status.deadline_ms - now;

		if (!is_waiting(&d->items[i]))
			continue;
		any = true;
		if (d->items[i].status.deadline_ms > 0 && left_ms < ms)
			ms = left_ms > INTERVAL_MS ? left_ms : INTERVAL_MS;
	}
	return any ? ms : 0;
}

static void look_in(struct drainer *d, int64_t ms)
{
	const struct timeval pause = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (ms > 0 && !d->is_counting)
		event_add(d->tick, &pause);
}

/* What is new may be over at once, or has a deadline. */
static void look_soon(struct drainer *d)
{
	if (pause_ms(d) > 0)
		look_in(d, INTERVAL_MS);
}

static void counted_cb(void *arg)
{
	struct drainer *d = arg;

	d->is_counting = false;
	for (size_t i = 0; i < d->n; i++) {
		if (is_waiting(&d->items[i]))
			look_at(d, &d->items[i]);
	}
	look_in(d, pause_ms(d));
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct drainer *d = arg;

	(void)fd;
	(void)what;
	d->is_counting = true;
	observer_recount(d->observer, counted_cb, d);
}

/* --- who drains ---------------------------------------------------------------------------- */

static void drain_remove(struct drainer *d, size_t i)
{
	free(d->items[i].service);
	free(d->items[i].backend);
	d->items[i] = d->items[--d->n];
}

/* From now on. */
static void set_terms(struct drain *drain, uint32_t timeout_s, uint8_t on_timeout)
{
	drain->status.deadline_ms = timeout_s ? clock_real_ms() + (int64_t)timeout_s * 1000 : 0;
	drain->status.on_timeout = on_timeout;
}

/* Is there another target behind the name, or was it not drained before? */
static bool is_anew(const struct service *before, const struct backend *b)
{
	const struct backend *was = before ? service_backend(before, b->name) : NULL;

	return !was || was->state != BACKEND_DRAINING || was->port != b->port ||
	       !addr_equal(&was->address, &b->address);
}

static void drain_begin(struct drainer *d, const struct service *s, const struct backend *b)
{
	struct drain *drain = drain_find(d, s->name, b->name);

	if (!drain) {
		drain = &VEC_PUSH(d->items, d->n, d->cap);
		*drain = (struct drain){ .service = mem_strdup(s->name),
					 .backend = mem_strdup(b->name) };
	}
	drain->address = b->address;
	drain->port = b->port;
	drain->is_cutting = false;
	drain->chosen_until_ns = clock_mono_ns() + GRACE_NS;
	if (d->recalled && drain_recall(d->recalled, drain))
		return;
	drain->status = (struct drain_status){ .since_ms = clock_real_ms() };
	set_terms(drain, s->control.drain_timeout_s, s->control.on_drain_timeout);
	log_info("drain", "%s/%s -> draining", s->name, b->name);
}

/* Returns whether anything changed. */
static bool follow(struct drainer *d, const char *name, const struct service *before,
		   const struct service *after)
{
	bool is_changed = false;

	for (size_t i = d->n; i-- > 0;) {
		const struct drain *drain = &d->items[i];
		const struct backend *b;

		if (strcmp(drain->service, name) != 0)
			continue;
		b = after ? service_backend(after, drain->backend) : NULL;
		if (b && b->state == BACKEND_DRAINING)
			continue;
		drain_remove(d, i);
		is_changed = true;
	}
	for (size_t i = 0; after && i < after->n_backends; i++) {
		const struct backend *b = &after->backends[i];

		if (b->state != BACKEND_DRAINING || !is_anew(before, b))
			continue;
		drain_begin(d, after, b);
		is_changed = true;
	}
	return is_changed;
}

static bool may_drain(const struct service *s)
{
	return s && s->has_control;
}

static void observe_cb(const struct changes *c, void *arg)
{
	struct drainer *d = arg;
	bool is_changed = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];

		if (change->object == OBJECT_SERVICE &&
		    (may_drain(change->service.before) || may_drain(change->service.after)))
			is_changed |= follow(d, change_name(change), change->service.before,
					     change->service.after);
	}
	if (!is_changed)
		return;
	save(d);
	wake(d);
	look_soon(d);
}

void drainer_set_terms(struct drainer *d, const char *service, const char *backend,
		       const struct state_wish *wish)
{
	struct drain *drain = drain_find(d, service, backend);
	const struct service *s = model_service(engine_model(d->engine), service);

	if (!drain || !is_waiting(drain) || !s || (!wish->has_timeout && !wish->has_end))
		return;
	set_terms(drain, wish->has_timeout ? wish->drain_timeout_s : s->control.drain_timeout_s,
		  wish->has_end ? wish->on_drain_timeout : s->control.on_drain_timeout);
	save(d);
	look_soon(d);
}

size_t drainer_total(const struct drainer *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += !d->items[i].status.is_done;
	return n;
}

bool drainer_status(const struct drainer *d, const char *service, const char *backend,
		    struct drain_status *out)
{
	const struct drain *drain = drain_find(d, service, backend);

	if (drain)
		*out = drain->status;
	return drain != NULL;
}

/* --- life ---------------------------------------------------------------------------------- */

struct drainer *drainer_new(struct event_base *base, struct engine *e, struct observer *o,
			    const char *path)
{
	struct drainer *d = mem_zalloc(sizeof(*d));

	d->base = base;
	d->engine = e;
	d->observer = o;
	d->path = mem_strdup(path);
	d->tick = event_new(base, -1, 0, tick_cb, d);
	d->recalled = remember_read(path, "drain", "backends begin to drain anew");
	engine_observe(e, observe_cb, d);
	return d;
}

void drainer_started(struct drainer *d)
{
	json_decref(d->recalled);
	d->recalled = NULL;
}

void drainer_drain(struct drainer *d)
{
	while (d && d->waiters)
		waiter_end(d->waiters);
}

void drainer_free(struct drainer *d)
{
	if (!d)
		return;
	drainer_drain(d);
	while (d->n > 0)
		drain_remove(d, d->n - 1);
	event_free(d->tick);
	json_decref(d->recalled);
	free(d->items);
	free(d->path);
	free(d);
}
