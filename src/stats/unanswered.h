/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that have begun and were not answered yet, the oldest first. Pure; of a fixed size:
 * what does not fit is not followed, so that a flood costs no memory.
 */
#ifndef FNAT_STATS_UNANSWERED_H
#define FNAT_STATS_UNANSWERED_H

#include <stddef.h>

#include "stats/flow.h"

/* Followed at a time, 96 bytes each. Those that are answered leave within milliseconds: it is
 * enough for 16,000 a second that are not. */
#define UNANSWERED_MAX 32768

struct unanswered;

struct unanswered *unanswered_new(void);
void unanswered_free(struct unanswered *u);

/* It began (FLOW_NEW). One that is followed already, or for which there is no room, is not. */
void unanswered_begin(struct unanswered *u, const struct flow *f);

struct unanswered_time {
	uint64_t ns;   /* from its begin to now */
	bool is_exact; /* by the kernel's clock; else by when fnatd read of it */
};
/* It is answered, or over: not followed any more. False: it was not. */
bool unanswered_end(struct unanswered *u, const struct flow *f, struct unanswered_time *out);

/* read_ns of the oldest; 0: there is none. */
uint64_t unanswered_oldest_ns(const struct unanswered *u);
/* The oldest, which is not followed any more, as far as rows_find() needs it. There is one. */
struct flow unanswered_take(struct unanswered *u);
/* Forget all. */
void unanswered_clear(struct unanswered *u);

#endif
