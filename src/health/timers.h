/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many deadlines, of which the earliest is wanted: a heap of timers that lie in their owners. Pure:
 * it has no clock. Times are microseconds of whatever clock the caller has.
 */
#ifndef FNAT_HEALTH_TIMERS_H
#define FNAT_HEALTH_TIMERS_H

#include <stddef.h>
#include <stdint.h>

/* All zero: not set. Must not move in memory, nor go, while it is set. */
struct timer {
	uint64_t at_us;
	size_t place; /* in the heap, plus 1; 0: not set */
};

/* All zero: empty. */
struct timers {
	struct timers_entry *heap;
	size_t n, cap;
};

void timers_fini(struct timers *ts);
/* Set it, or set it anew. */
void timers_set(struct timers *ts, struct timer *t, uint64_t at_us);
/* No effect on one that is not set. */
void timers_clear(struct timers *ts, struct timer *t);
/* The earliest, still set, or NULL. */
struct timer *timers_first(const struct timers *ts);

#endif
