/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection that is over, as a line of the session log. Pure.
 */
#ifndef FNAT_STATS_SESSION_H
#define FNAT_STATS_SESSION_H

#include <stdio.h>

#include "model/model.h"
#include "stats/flow.h"

struct session {
	struct flow flow;
	uint64_t told_ns; /* CLOCK_REALTIME when fnatd heard of its end */
	char service[MODEL_NAME_MAX + 1];
	char backend[MODEL_NAME_MAX + 1]; /* "": the service has none there, or no more */
};

/* One JSON object and a newline. What the kernel does not tell is null. */
void session_put(const struct session *s, FILE *out);

#endif
