/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hundred steps are enough: a step of one percent is about a slot of the table, and each step
 * costs the kernel a few elements. Backends that warm up are few and not for long, so they are in a
 * list, and one timer looks at all of them.
 */
#include "engine/warmup.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define TICK_MS 100

struct warming {
	char *service, *backend;
	uint64_t since_ms;
	uint32_t slow_start_s;
	uint16_t permille; /* told last */
};

struct warmup {
	struct warming *items;
	size_t n, cap;
	struct event *tick;
	warmup_fn *fn;
	void *arg;
};

static void warming_remove(struct warmup *w, size_t i)
{
	free(w->items[i].service);
	free(w->items[i].backend);
	w->items[i] = w->items[--w->n];
	if (w->n == 0)
		event_del(w->tick);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct warmup *w = arg;
	uint64_t now = clock_mono_ms();

	(void)fd;
	(void)what;
	for (size_t i = w->n; i-- > 0;) {
		struct warming *item = &w->items[i];
		uint16_t permille = slow_start_permille(now - item->since_ms, item->slow_start_s);

		if (permille == item->permille)
			continue;
		item->permille = permille;
		w->fn(item->service, item->backend, permille, w->arg);
		if (permille > 0)
			continue;
		log_info("engine", "%s/%s warming up -> warm (%u s)", item->service, item->backend,
			 item->slow_start_s);
		warming_remove(w, i);
	}
}

struct warmup *warmup_new(struct event_base *base, warmup_fn *fn, void *arg)
{
	struct warmup *w = mem_zalloc(sizeof(*w));

	w->tick = event_new(base, -1, EV_PERSIST, tick_cb, w);
	w->fn = fn;
	w->arg = arg;
	return w;
}

void warmup_free(struct warmup *w)
{
	if (!w)
		return;
	while (w->n > 0)
		warming_remove(w, w->n - 1);
	event_free(w->tick);
	free(w->items);
	free(w);
}

static struct warming *warming_find(struct warmup *w, const char *service, const char *backend)
{
	for (size_t i = 0; i < w->n; i++) {
		if (strcmp(w->items[i].service, service) == 0 &&
		    strcmp(w->items[i].backend, backend) == 0)
			return &w->items[i];
	}
	return NULL;
}

static uint16_t begin(struct warmup *w, const struct service *s, const char *backend)
{
	struct timeval tick = { .tv_usec = TICK_MS * 1000 };
	struct warming *item = warming_find(w, s->name, backend);

	if (s->control.slow_start_s == 0)
		return 0;
	if (!item) {
		if (w->n == 0)
			event_add(w->tick, &tick);
		item = &VEC_PUSH(w->items, w->n, w->cap);
		item->service = mem_strdup(s->name);
		item->backend = mem_strdup(backend);
		log_info("engine", "%s/%s cold -> warming up (%u s)", s->name, backend,
			 s->control.slow_start_s);
	}
	item->since_ms = clock_mono_ms();
	item->slow_start_s = s->control.slow_start_s;
	item->permille = slow_start_permille(0, item->slow_start_s);
	return item->permille;
}

static void end(struct warmup *w, const char *service, const char *backend)
{
	struct warming *item = warming_find(w, service, backend);

	if (item)
		warming_remove(w, (size_t)(item - w->items));
}

void warmup_runtime(struct warmup *w, const struct service *s, const char *backend,
		    const struct backend_runtime *was, struct backend_runtime *at)
{
	if (was->is_down && !at->is_down) {
		at->warm_permille = begin(w, s, backend);
	} else if (at->is_down) {
		end(w, s->name, backend);
		at->warm_permille = 0;
	}
}

static bool is_meant(const struct backend *b)
{
	return b && b->weight > 0 && b->state == BACKEND_ENABLED;
}

static void begin_new(struct warmup *w, const struct service *before, const struct service *after)
{
	for (size_t i = 0; i < after->n_backends; i++) {
		const struct backend *b = &after->backends[i];

		if (is_meant(b) && !is_meant(service_backend(before, b->name)))
			w->fn(after->name, b->name, begin(w, after, b->name), w->arg);
	}
}

/* Those that the change leaves nothing of. */
static void end_gone(struct warmup *w, const char *service, const struct service *after)
{
	for (size_t i = w->n; i-- > 0;) {
		const char *backend = w->items[i].backend;

		if (strcmp(w->items[i].service, service) != 0)
			continue;
		if (after && after->control.slow_start_s > 0 &&
		    is_meant(service_backend(after, backend))) {
			w->items[i].slow_start_s = after->control.slow_start_s;
			continue;
		}
		if (after && service_backend(after, backend))
			w->fn(service, backend, 0, w->arg);
		warming_remove(w, i);
	}
}

void warmup_accepted(struct warmup *w, const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];

		if (change->object != OBJECT_SERVICE)
			continue;
		if (w->n > 0)
			end_gone(w, change_name(change), change->service.after);
		if (change->service.before && change->service.after &&
		    change->service.after->control.slow_start_s > 0)
			begin_new(w, change->service.before, change->service.after);
	}
}
