/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health knows of checks, the engine of the kernel's table, and neither of the other. Services
 * come from the engine as they are accepted; a backend that goes down or comes up is told to the
 * engine in the same round of the loop.
 *
 * A document may bring 100,000 services at once: they are taken over in slices, so that the loop
 * serves others in between.
 */
#include "fnatd_health.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/events.h"
#include "fnatd_memory.h"

#define BACKENDS_PER_SLICE 256
#define SAVE_AFTER_S       1

struct follow {
	const struct service *before, *after; /* references, one may be NULL */
};

struct keeper_of_health {
	struct engine *engine;
	struct observer *observer;
	struct health *health;
	struct follow *queue;
	size_t first, n, cap;
	struct event *slice, *save;
	const char *memory; /* file, or NULL */
	json_t *recalled;   /* until it is started */
};

struct health *fnatd_health(struct keeper_of_health *k)
{
	return k->health;
}

static void tell_engine(struct engine *e, const struct health_change *c)
{
	const struct health_backend *b = c->now;
	struct backend_runtime at = engine_runtime(e, b->service->name, b->name);

	at.is_down = b->is_down;
	at.is_weighed = !c->is_gone && b->weight >= 0;
	at.weight = at.is_weighed ? (uint32_t)b->weight : 0;
	at.is_up = !c->is_gone && !b->is_down && b->service->check->initial == CHECK_INITIAL_DOWN;
	engine_set_runtime(e, b->service->name, b->name, &at);
}

static void tell_events(struct engine *e, const struct health_change *c)
{
	const struct health_backend *b = c->now;

	events_add(engine_events(e), "backend_state", b->since_ms,
		   json_pack("{s:s,s:s,s:s,s:s,s:b,s:s,s:I}", "service", b->service->name,
			     "backend", b->name, "before", health_state_name(c->before), "state",
			     health_state_name(b->state), "down", b->is_down, "reason", c->reason,
			     "duration_us", (json_int_t)c->duration_us));
}

static void changed_cb(const struct health_change *c, void *arg)
{
	struct keeper_of_health *k = arg;

	tell_engine(k->engine, c);
	if (k->memory && !evtimer_pending(k->save, NULL))
		event_add(k->save, &(struct timeval){ .tv_sec = SAVE_AFTER_S });
	if (!c->is_gone && c->before != c->now->state)
		tell_events(k->engine, c);
}

static void follow_one(struct keeper_of_health *k, const struct follow *f)
{
	health_service(k->health, f->before, f->after);
	service_unref(f->before);
	service_unref(f->after);
}

static void slice_cb(evutil_socket_t fd, short what, void *arg)
{
	struct keeper_of_health *k = arg;
	size_t n_backends = 0;

	(void)fd;
	(void)what;
	while (k->first < k->n && n_backends < BACKENDS_PER_SLICE) {
		const struct follow *f = &k->queue[k->first++];

		n_backends += 1 + (f->before ? f->before->n_backends : 0) +
			      (f->after ? f->after->n_backends : 0);
		follow_one(k, f);
	}
	if (k->first < k->n) {
		event_add(k->slice, &(struct timeval){ 0 });
		return;
	}
	free(k->queue);
	k->queue = NULL;
	k->first = k->n = k->cap = 0;
}

static bool observes(const struct service *s)
{
	return s && s->check && s->check->observe != CHECK_OBSERVE_OFF;
}

/* Nothing is to be done for services that never had a check: most changes cost one look. */
static void observe_cb(const struct changes *c, void *arg)
{
	struct keeper_of_health *k = arg;

	for (size_t i = 0; i < c->n; i++) {
		const struct service *before = c->items[i].service.before;
		const struct service *after = c->items[i].service.after;

		if (c->items[i].object != OBJECT_SERVICE ||
		    !((before && before->check) || (after && after->check)))
			continue;
		if (observes(after) && !observes(before))
			observer_watch(k->observer);
		if (observes(before) && !observes(after))
			observer_unwatch(k->observer);
		VEC_PUSH(k->queue, k->n, k->cap) = (struct follow){
			.before = before ? service_ref(before) : NULL,
			.after = after ? service_ref(after) : NULL,
		};
	}
	if (k->first < k->n && !evtimer_pending(k->slice, NULL))
		slice_cb(-1, 0, k);
}

static void save_cb(evutil_socket_t fd, short what, void *arg)
{
	struct keeper_of_health *k = arg;

	(void)fd;
	(void)what;
	memory_save(k->memory, k->health);
}

void fnatd_health_started(struct keeper_of_health *k)
{
	memory_forget(k->recalled, k->engine);
	k->recalled = NULL;
}

static void signal_cb(const char *service, const struct backend *b, const struct stats_said *said,
		      void *arg)
{
	static const enum health_signal signals[] = {
		[SIGNAL_REPLIED] = HEALTH_SIGNAL_REPLIED,
		[SIGNAL_ANSWERED] = HEALTH_SIGNAL_ANSWERED,
		[SIGNAL_REFUSED] = HEALTH_SIGNAL_REFUSED,
		[SIGNAL_UNANSWERED] = HEALTH_SIGNAL_UNANSWERED,
		[SIGNAL_UNREPLIED] = HEALTH_SIGNAL_UNREPLIED,
	};
	const struct keeper_of_health *k = arg;

	if (said->what == SIGNAL_REPLIED)
		health_replied(k->health, service, b->name, said->reply_ns, said->is_exact);
	else
		health_signal(k->health, service, b->name, signals[said->what]);
}

struct keeper_of_health *fnatd_health_new(struct event_base *base, struct engine *e,
					  struct observer *o, const char *programs,
					  const char *memory)
{
	struct keeper_of_health *k = mem_zalloc(sizeof(*k));
	const struct health_options opt = {
		.programs = programs,
		.changed = changed_cb,
		.arg = k,
	};

	k->engine = e;
	k->observer = o;
	k->health = health_new(base, &opt);
	k->memory = memory;
	k->save = event_new(base, -1, 0, save_cb, k);
	k->slice = event_new(base, -1, 0, slice_cb, k);
	engine_observe(e, observe_cb, k);
	stats_follow(observer_stats(o), signal_cb, k);
	if (memory)
		k->recalled = memory_recall(memory, e, k->health);
	return k;
}

void fnatd_health_free(struct keeper_of_health *k)
{
	if (!k)
		return;
	for (; k->first < k->n; k->first++) {
		service_unref(k->queue[k->first].before);
		service_unref(k->queue[k->first].after);
	}
	free(k->queue);
	if (evtimer_pending(k->save, NULL))
		save_cb(-1, 0, k);
	event_free(k->save);
	json_decref(k->recalled);
	event_free(k->slice);
	health_free(k->health);
	free(k);
}
