/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libevent has such a heap, but a timer there costs an event of 128 bytes and several calls each
 * time it is set. A check is timed twice a round (its timeout, its next start), 10,000 of them
 * a second; here that is a few moves. Each goes from the top nearly to the bottom, so what counts
 * is how much memory is looked at on the way: the times are in the heap itself, and a timer has
 * four below it, which is a line or two of the cache.
 */
#include "health/timers.h"

#include <stdlib.h>

#include "base/mem.h"

#define CHILDREN 4

struct timers_entry {
	uint64_t at_us;
	struct timer *timer;
};

void timers_fini(struct timers *ts)
{
	free(ts->heap);
	*ts = (struct timers){ 0 };
}

static void put(struct timers *ts, size_t i, struct timers_entry e)
{
	ts->heap[i] = e;
	e.timer->place = i + 1;
}

static size_t parent_of(size_t i)
{
	return (i - 1) / CHILDREN;
}

static void move_up(struct timers *ts, size_t i, struct timers_entry e)
{
	while (i > 0 && ts->heap[parent_of(i)].at_us > e.at_us) {
		put(ts, i, ts->heap[parent_of(i)]);
		i = parent_of(i);
	}
	put(ts, i, e);
}

/* ts->n when there is none. */
static size_t first_child(const struct timers *ts, size_t i)
{
	size_t first = CHILDREN * i + 1, end = first + CHILDREN;

	if (first >= ts->n)
		return ts->n;
	if (end > ts->n)
		end = ts->n;
	for (size_t child = first + 1; child < end; child++) {
		if (ts->heap[child].at_us < ts->heap[first].at_us)
			first = child;
	}
	return first;
}

static void move_down(struct timers *ts, size_t i, struct timers_entry e)
{
	size_t child;

	while ((child = first_child(ts, i)) < ts->n && ts->heap[child].at_us < e.at_us) {
		put(ts, i, ts->heap[child]);
		i = child;
	}
	put(ts, i, e);
}

static void settle(struct timers *ts, size_t i, struct timers_entry e)
{
	if (i > 0 && ts->heap[parent_of(i)].at_us > e.at_us)
		move_up(ts, i, e);
	else
		move_down(ts, i, e);
}

void timers_set(struct timers *ts, struct timer *t, uint64_t at_us)
{
	const struct timers_entry e = { .at_us = at_us, .timer = t };

	t->at_us = at_us;
	if (!t->place) {
		VEC_PUSH(ts->heap, ts->n, ts->cap) = e;
		t->place = ts->n;
	}
	settle(ts, t->place - 1, e);
}

void timers_clear(struct timers *ts, struct timer *t)
{
	size_t i = t->place;
	struct timers_entry last;

	if (!i)
		return;
	t->place = 0;
	last = ts->heap[--ts->n];
	if (last.timer != t)
		settle(ts, i - 1, last);
}

struct timer *timers_first(const struct timers *ts)
{
	return ts->n ? ts->heap[0].timer : NULL;
}
