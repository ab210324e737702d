/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened, for those who follow it (GET /v1/events): a bounded ring of
 * numbered events. Main loop only.
 *
 * Numbers only grow, over restarts too: the first one is the time of the start
 * in microseconds. A reader that names a number from before the ring, or from an
 * earlier daemon, is told that it may have missed something.
 */
#ifndef FNAT_ENGINE_EVENTS_H
#define FNAT_ENGINE_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_MAX_DEFAULT 4096

struct events;

/* first: number of the first event (see above), greater than 0. */
struct events *events_new(size_t max, uint64_t first);
void events_free(struct events *e);

/*
 * Add {"event":NUMBER,"time_ms":...,"type":TYPE, ...data} and call the
 * listeners. data is an object (taken), or NULL. Returns the number.
 */
uint64_t events_add(struct events *e, const char *type, int64_t time_ms, json_t *data);

struct event_line {
	uint64_t number;
	const char *type;
	const char *json; /* one line, without newline */
	size_t len;
	bool is_gap; /* events between `after` and this one are gone */
};

/*
 * The first event with a number above `after` (0: the oldest that is kept, never a gap). False
 * when there is none (yet). What *out points to is borrowed until the next
 * events_add().
 */
bool events_next(const struct events *e, uint64_t after, struct event_line *out);

/* The newest number; the first one minus 1 when nothing happened yet. */
uint64_t events_last(const struct events *e);

typedef void events_fn(void *arg);
struct events_listener;
/* fn is called after each events_add(); it may unlisten itself. */
struct events_listener *events_listen(struct events *e, events_fn *fn, void *arg);
void events_unlisten(struct events *e, struct events_listener *l);

#endif
