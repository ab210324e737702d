/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of ready-made lines. Each event is rendered once, however many read
 * it; each reader only keeps the number of the last one it has. So a slow reader
 * costs nothing: it finds a gap when it comes back too late.
 */
#include "engine/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct event {
	char *type;
	char *json;
	size_t len;
};

struct events_listener {
	events_fn *fn;
	void *arg;
	struct events_listener *next;
	bool is_gone; /* unlistened while listeners are called */
};

struct events {
	struct event *ring;
	size_t max;
	uint64_t first; /* number of the oldest kept event */
	uint64_t next;  /* number of the next event */
	struct events_listener *listeners;
	bool is_calling;
};

struct events *events_new(size_t max, uint64_t first)
{
	struct events *e = mem_zalloc(sizeof(*e));

	assert(max > 0 && first > 0);
	e->ring = mem_calloc(max, sizeof(*e->ring));
	e->max = max;
	e->first = first;
	e->next = first;
	return e;
}

static struct event *events_slot(const struct events *e, uint64_t number)
{
	return &e->ring[number % e->max];
}

static void event_clear(struct event *event)
{
	free(event->type);
	free(event->json);
	memset(event, 0, sizeof(*event));
}

void events_free(struct events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->max; i++)
		event_clear(&e->ring[i]);
	while (e->listeners) {
		struct events_listener *l = e->listeners;

		e->listeners = l->next;
		free(l);
	}
	free(e->ring);
	free(e);
}

/* Listeners that went while others were called are freed only afterwards. */
static void events_sweep(struct events *e)
{
	struct events_listener **at = &e->listeners;

	while (*at) {
		struct events_listener *l = *at;

		if (l->is_gone) {
			*at = l->next;
			free(l);
		} else {
			at = &l->next;
		}
	}
}

static void events_call(struct events *e)
{
	if (e->is_calling)
		return; /* an event added by a listener: the outer call goes on */
	e->is_calling = true;
	for (struct events_listener *l = e->listeners; l; l = l->next)
		if (!l->is_gone)
			l->fn(l->arg);
	e->is_calling = false;
	events_sweep(e);
}

uint64_t events_add(struct events *e, const char *type, int64_t time_ms, json_t *data)
{
	uint64_t number = e->next++;
	struct event *event = events_slot(e, number);
	json_t *line = json_pack("{s:I,s:I,s:s}", "event", (json_int_t)number, "time_ms",
				 (json_int_t)time_ms, "type", type);

	if (data)
		json_object_update(line, data);
	json_decref(data);
	if (number - e->first == e->max)
		e->first++;
	event_clear(event);
	event->type = mem_strdup(type);
	event->json = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
	event->len = strlen(event->json);
	json_decref(line);
	events_call(e);
	return number;
}

bool events_next(const struct events *e, uint64_t after, struct event_line *out)
{
	uint64_t number = after < e->first ? e->first : after + 1;
	const struct event *event;

	if (number >= e->next)
		return false;
	event = events_slot(e, number);
	*out = (struct event_line){
		.number = number,
		.type = event->type,
		.json = event->json,
		.len = event->len,
		.is_gap = after && number != after + 1,
	};
	return true;
}

uint64_t events_last(const struct events *e)
{
	return e->next - 1;
}

struct events_listener *events_listen(struct events *e, events_fn *fn, void *arg)
{
	struct events_listener *l = mem_zalloc(sizeof(*l));

	l->fn = fn;
	l->arg = arg;
	l->next = e->listeners;
	e->listeners = l;
	return l;
}

void events_unlisten(struct events *e, struct events_listener *l)
{
	l->is_gone = true;
	if (!e->is_calling)
		events_sweep(e);
}
