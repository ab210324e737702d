/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters on disk: what a restart must not forget. A value, and its text.
 *
 *	fnat counters 2 SINCE_MS UNOBSERVED_MS SAVED_MS
 *	service NAME - - - NUMBER...
 *	listener SERVICE PROTOCOL ADDRESS PORT NUMBER...
 *	backend SERVICE - ADDRESS PORT NUMBER...
 *	address POOL - ADDRESS - NUMBER...
 *	end LINES
 *
 * Version 1 had fewer numbers: those of struct meter_saved that say so count as zero.
 */
#ifndef FNAT_STATS_SAVED_H
#define FNAT_STATS_SAVED_H

#include <stdio.h>

#include "base/err.h"
#include "model/model.h"
#include "stats/stats.h"

struct saved_row {
	enum stats_kind kind;
	char name[MODEL_NAME_MAX + 1]; /* of the service, or the pool */
	uint8_t protocol;
	struct flow_end at; /* of the listener, the backend, the pool; port 0: none */
	struct meter_saved numbers;
};

struct saved {
	int64_t since_ms;       /* CLOCK_REALTIME: counting began */
	int64_t unobserved_ms;  /* since then, without a daemon */
	int64_t saved_ms;       /* CLOCK_REALTIME: what this is of */
	struct saved_row *rows; /* owned */
	size_t n, cap;
};

void saved_fini(struct saved *s);

/* All rows of the statistics. */
void saved_take(struct saved *s, const struct stats *from);
/* Into the statistics, those that the model has; the others are dropped. */
void saved_give(const struct saved *s, struct stats *to, const struct model *m);

void saved_write(const struct saved *s, FILE *out);
/* 0, or -EINVAL: not a whole file of counters; the problem names the line. *s is to be ended with
 * saved_fini() in any case. */
int saved_read(struct saved *s, FILE *in, struct err *err);

#endif
