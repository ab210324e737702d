/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the last checks of a backend found. */
#ifndef FNAT_HEALTH_RESULTS_H
#define FNAT_HEALTH_RESULTS_H

#include "health/probe.h"

#define RESULTS_KEPT   8  /* with time and reason */
#define RESULTS_BITMAP 64 /* as a bit */

struct result {
	int64_t time_ms; /* CLOCK_REALTIME, when it ended */
	uint32_t duration_us;
	enum probe_result result;
	char reason[PROBE_REASON_BYTES];
};

/* All zero: none yet. */
struct results {
	uint64_t bitmap; /* the newest is bit 0; 1: ok. Without the undone ones. */
	uint64_t n_ok, n_failed, n_undone; /* since it is checked */
	struct result ring[RESULTS_KEPT];
	uint64_t n; /* ever put into the ring */
};

void results_add(struct results *r, int64_t time_ms, const struct probe_outcome *outcome);
/* i = 0: the newest; NULL after the oldest that is kept. */
const struct result *results_get(const struct results *r, size_t i);
/* How many bits of the bitmap are used. */
unsigned int results_n_bits(const struct results *r);

#endif
