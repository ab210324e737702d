/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bitmap shows a pattern that the last reasons alone do not ("every third fails"), and costs
 * eight bytes.
 */
#include "health/results.h"

#include <string.h>

void results_add(struct results *r, int64_t time_ms, const struct probe_outcome *outcome)
{
	struct result *at = &r->ring[r->n++ % RESULTS_KEPT];

	at->time_ms = time_ms;
	at->duration_us = outcome->duration_us;
	at->result = outcome->result;
	strcpy(at->reason, outcome->reason); /* as long as this */
	switch (outcome->result) {
	case PROBE_OK:
		r->n_ok++;
		break;
	case PROBE_FAILED:
		r->n_failed++;
		break;
	case PROBE_UNDONE:
		r->n_undone++;
		return;
	}
	r->bitmap = r->bitmap << 1 | (outcome->result == PROBE_OK);
}

const struct result *results_get(const struct results *r, size_t i)
{
	if (i >= r->n || i >= RESULTS_KEPT)
		return NULL;
	return &r->ring[(r->n - 1 - i) % RESULTS_KEPT];
}

unsigned int results_n_bits(const struct results *r)
{
	uint64_t n = r->n_ok + r->n_failed;

	return n < RESULTS_BITMAP ? (unsigned int)n : RESULTS_BITMAP;
}
