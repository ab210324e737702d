/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libevent has such a heap, but a timer there costs an event of 128 bytes and several calls each
 * time it is set. A check is timed twice a round (its timeout, its next start), 10,000 of them
 * a second; here that is a few swaps of pointers.
 */
#include "health/timers.h"

#include <stdlib.h>

#include "base/mem.h"

void timers_fini(struct timers *ts)
{
	free(ts->heap);
	*ts = (struct timers){ 0 };
}

static void put(struct timers *ts, size_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->place = i + 1;
}

static void move_up(struct timers *ts, size_t i, struct timer *t)
{
	while (i > 0 && ts->heap[(i - 1) / 2]->at_us > t->at_us) {
		put(ts, i, ts->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(ts, i, t);
}

static void move_down(struct timers *ts, size_t i, struct timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= ts->n)
			break;
		if (child + 1 < ts->n && ts->heap[child + 1]->at_us < ts->heap[child]->at_us)
			child++;
		if (ts->heap[child]->at_us >= t->at_us)
			break;
		put(ts, i, ts->heap[child]);
		i = child;
	}
	put(ts, i, t);
}

static void settle(struct timers *ts, size_t i, struct timer *t)
{
	if (i > 0 && ts->heap[(i - 1) / 2]->at_us > t->at_us)
		move_up(ts, i, t);
	else
		move_down(ts, i, t);
}

void timers_set(struct timers *ts, struct timer *t, uint64_t at_us)
{
	t->at_us = at_us;
	if (!t->place) {
		VEC_PUSH(ts->heap, ts->n, ts->cap) = t;
		t->place = ts->n;
	}
	settle(ts, t->place - 1, t);
}

void timers_clear(struct timers *ts, struct timer *t)
{
	size_t i = t->place;
	struct timer *last;

	if (!i)
		return;
	t->place = 0;
	last = ts->heap[--ts->n];
	if (last != t)
		settle(ts, i - 1, last);
}

struct timer *timers_first(const struct timers *ts)
{
	return ts->n ? ts->heap[0] : NULL;
}
