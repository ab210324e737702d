/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service whose shares did not change costs its look-ups, 0.2 us a backend, and nothing in the
 * kernel. Those that did change go as one batch, since that is what becomes of everything that is
 * set in one round of the loop.
 */
#include "engine/balancer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "plan/balance.h"
#include "plan/scheduler.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

struct balanced {
	UT_hash_handle hh;
	const struct service *config;  /* a reference; its name is the key */
	struct balance_backend *items; /* one for each of its backends, in their order */
	/* Of each family */
	bool is_first[2]; /* there was no step yet */
	uint64_t begun[2];
	double arrivals_s[2];
	struct balancer_status status;
};

struct balancer {
	struct engine *engine;
	struct observer *observer;
	struct event *tick;
	unsigned int interval_ms; /* until the next look */
	uint64_t looked_ns;
	double looked_s; /* between the last two looks */
	struct balanced *services;
};

/* Looking, and what it makes the kernel do, takes at most one part in so many of a core's time. */
#define SHARE 20
/* Of the last look in the arrivals that are expected. */
#define SMOOTHING 0.25
/* ... but somebody looks at least so often. */
#define INTERVAL_MAX_MS 8000

/* By the CPU time of the look, and of what came of the one before it: a machine that is busy with
 * other things does not make it look seldom. */
static unsigned int interval_ms(const struct balancer *b, uint64_t took_ns)
{
	struct engine_status status;
	uint64_t ms;

	engine_status(b->engine, &status);
	ms = (took_ns + status.last_runtime_cpu_ns) * SHARE / 1000000;
	if (ms < BALANCER_INTERVAL_MS)
		return BALANCER_INTERVAL_MS;
	return ms < INTERVAL_MAX_MS ? (unsigned int)ms : INTERVAL_MAX_MS;
}

static void schedule(struct balancer *b)
{
	struct timeval next = { .tv_sec = b->interval_ms / 1000,
				.tv_usec = b->interval_ms % 1000 * 1000 };

	event_add(b->tick, &next);
}

static struct balanced *balanced_find(const struct balancer *b, const char *name)
{
	struct balanced *s;

	HASH_FIND(hh, b->services, name, strlen(name), s);
	return s;
}

static void balanced_remove(struct balancer *b, struct balanced *s)
{
	HASH_DEL(b->services, s);
	service_unref(s->config);
	free(s->items);
	free(s);
	if (b->services)
		return;
	event_del(b->tick);
	observer_unwant(b->observer, CT_EVENTS_NEW | CT_EVENTS_UPDATE);
}

static struct balanced *balanced_add(struct balancer *b)
{
	if (!b->services) {
		b->interval_ms = BALANCER_INTERVAL_MS;
		b->looked_ns = clock_mono_ns();
		schedule(b);
		observer_want(b->observer, CT_EVENTS_NEW | CT_EVENTS_UPDATE);
	}
	return mem_zalloc(sizeof(struct balanced));
}

/* What is known of backends that stay; both lists are sorted by name. */
static struct balance_backend *items_of(const struct balanced *old, const struct service *s)
{
	struct balance_backend *items = mem_calloc(s->n_backends, sizeof(*items));
	size_t k = 0, n = old->config ? old->config->n_backends : 0;

	for (size_t i = 0; i < s->n_backends; i++) {
		while (k < n && strcmp(old->config->backends[k].name, s->backends[i].name) < 0)
			k++;
		if (k < n && strcmp(old->config->backends[k].name, s->backends[i].name) == 0)
			items[i] = old->items[k];
	}
	return items;
}

static void follow(struct balancer *b, struct balanced *s, const struct service *config)
{
	struct balance_backend *items = items_of(s, config);
	bool is_other = !s->config || s->config->scheduler != config->scheduler;

	if (s->config)
		HASH_DEL(b->services, s);
	service_unref(s->config);
	free(s->items);
	s->items = items;
	s->config = service_ref(config);
	s->is_first[0] = s->is_first[0] || is_other;
	s->is_first[1] = s->is_first[1] || is_other;
	HASH_ADD_KEYPTR(hh, b->services, config->name, strlen(config->name), s);
}

/* Its backends go by their weights again. */
static void release(struct balancer *b, struct balanced *s, const struct service *after)
{
	for (size_t i = 0; after && i < s->config->n_backends; i++) {
		const char *name = s->config->backends[i].name;
		struct backend_runtime at = engine_runtime(b->engine, after->name, name);

		at.has_share = at.is_full = false;
		at.share = 0;
		engine_set_runtime(b->engine, after->name, name, &at);
	}
	balanced_remove(b, s);
}

static void observe_cb(const struct changes *c, void *arg)
{
	struct balancer *b = arg;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];
		const struct service *after;
		struct balanced *s;

		if (change->object != OBJECT_SERVICE)
			continue;
		after = change->service.after;
		s = b->services ? balanced_find(b, change_name(change)) : NULL;
		if (after && scheduler_counts(after->scheduler))
			follow(b, s ? s : balanced_add(b), after);
		else if (s)
			release(b, s, after);
	}
}

/* The backends of one family, with what is known of them now. Returns how many. */
static size_t gather(const struct balancer *b, const struct balanced *s, const uint32_t *weights,
		     uint8_t family, struct balance_backend *out, uint64_t *begun)
{
	const struct stats *stats = observer_stats(b->observer);
	size_t n = 0;

	*begun = 0;
	for (size_t i = 0; i < s->config->n_backends; i++) {
		const struct backend *backend = &s->config->backends[i];
		struct stats_live live;

		if (backend->address.family != family)
			continue;
		live = stats_live(stats, s->config->name, backend);
		out[n] = s->items[i];
		out[n].weight = weights[i];
		out[n].active = live.active;
		out[n++].inactive = live.inactive;
		*begun += live.begun;
	}
	return n;
}

static void tell(struct balancer *b, const struct balanced *s, size_t i, bool is_nobody)
{
	const char *name = s->config->backends[i].name;
	struct backend_runtime at = engine_runtime(b->engine, s->config->name, name);

	at.has_share = true;
	at.share = s->items[i].share;
	at.is_full = is_nobody; /* ovf: all have more than their weight */
	engine_set_runtime(b->engine, s->config->name, name, &at);
}

/* Back to where they were, and on to the kernel what is news. */
static void scatter(struct balancer *b, struct balanced *s, uint8_t family,
		    const struct balance_backend *in, size_t n, bool is_changed)
{
	uint64_t moved = 0, given = 0;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		given += in[i].share;
	for (size_t i = 0; i < s->config->n_backends; i++) {
		if (s->config->backends[i].address.family != family)
			continue;
		if (in[k].share > s->items[i].share)
			moved += in[k].share - s->items[i].share;
		s->items[i] = in[k++];
		if (is_changed)
			tell(b, s, i, given == 0 && s->items[i].weight > 0);
	}
	if (is_changed && !s->is_first[family == AF_INET6])
		s->status.n_moved += moved;
	s->status.n_changes += is_changed;
}

/* Connections a second, over the last few looks: the statistics know it by the last listing only.
 */
static double follow_arrivals(struct balanced *s, bool is_6, uint64_t begun, double looked_s)
{
	double now = begun > s->begun[is_6] ? (double)(begun - s->begun[is_6]) / looked_s : 0;

	s->begun[is_6] = begun;
	s->arrivals_s[is_6] += (now - s->arrivals_s[is_6]) * (s->is_first[is_6] ? 1 : SMOOTHING);
	return s->arrivals_s[is_6];
}

static void step_family(struct balancer *b, struct balanced *s, const uint32_t *weights,
			uint8_t family)
{
	size_t n_all = s->config->n_backends;
	struct balance_backend *items = mem_calloc(n_all, sizeof(*items));
	struct balance how = { .scheduler = s->config->scheduler,
			       .interval_s = b->interval_ms / 1000.0,
			       .is_first = s->is_first[family == AF_INET6] };
	uint64_t begun;
	size_t n = gather(b, s, weights, family, items, &begun);
	uint32_t error;

	how.arrivals_s = follow_arrivals(s, family == AF_INET6, begun, b->looked_s);
	how.slots = scheduler_steady_size(n);
	if (n > 0) {
		bool is_changed = balance_step(&how, items, n);

		scatter(b, s, family, items, n, is_changed);
		error = balance_error_ppm(how.scheduler, items, n);
		if (error > s->status.error_ppm)
			s->status.error_ppm = error;
		s->is_first[family == AF_INET6] = false;
	}
	free(items);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct balancer *b = arg;
	struct balanced *s, *next;
	uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	(void)fd;
	(void)what;
	b->looked_s = (double)(clock_mono_ns() - b->looked_ns) / 1e9;
	b->looked_ns = clock_mono_ns();
	HASH_ITER (hh, b->services, s, next) {
		uint32_t *weights = mem_calloc(s->config->n_backends, sizeof(*weights));

		engine_weights(b->engine, s->config, weights);
		s->status.n_steps++;
		s->status.error_ppm = 0;
		step_family(b, s, weights, AF_INET);
		step_family(b, s, weights, AF_INET6);
		free(weights);
	}
	b->interval_ms = interval_ms(b, clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns);
	schedule(b);
}

struct balancer *balancer_new(struct event_base *base, struct engine *e, struct observer *o)
{
	struct balancer *b = mem_zalloc(sizeof(*b));

	b->engine = e;
	b->observer = o;
	b->tick = event_new(base, -1, 0, tick_cb, b);
	engine_observe(e, observe_cb, b);
	return b;
}

void balancer_free(struct balancer *b)
{
	struct balanced *s, *next;

	if (!b)
		return;
	HASH_ITER (hh, b->services, s, next)
		balanced_remove(b, s);
	event_free(b->tick);
	free(b);
}

bool balancer_status(const struct balancer *b, const char *service, struct balancer_status *out)
{
	const struct balanced *s = b->services ? balanced_find(b, service) : NULL;

	if (s)
		*out = s->status;
	return s != NULL;
}

size_t balancer_total(const struct balancer *b, struct balancer_status *out)
{
	*out = (struct balancer_status){ 0 };
	for (const struct balanced *s = b->services; s; s = s->hh.next) {
		if (s->status.error_ppm > out->error_ppm)
			out->error_ppm = s->status.error_ppm;
		out->n_steps += s->status.n_steps;
		out->n_changes += s->status.n_changes;
		out->n_moved += s->status.n_moved;
	}
	return HASH_COUNT(b->services);
}
