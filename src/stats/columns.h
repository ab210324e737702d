/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of a meter, declared once: the API, the metrics, fnatctl and the manual have them
 * from here, or are compared with it.
 */
#ifndef FNAT_STATS_COLUMNS_H
#define FNAT_STATS_COLUMNS_H

#include "stats/stats.h"

enum column_kind {
	COLUMN_TOTAL, /* since the start, or since it was zeroed; grows */
	COLUMN_RATE,  /* a second */
	COLUMN_LIVE,  /* now */
};

struct column {
	const char *name; /* in the API; IPVS's where that has one */
	enum column_kind kind;
	unsigned int of;    /* which objects have it: a bit 1 << enum stats_kind each */
	bool is_counted;    /* only those of a service with "count_begun" */
	const char *metric; /* in "fnat_service_..."; NULL: not there, Prometheus has rate() */
	const char *help;
	uint64_t (*whole)(const struct meter *m);   /* since zeroed; NULL for rates */
	uint64_t (*metered)(const struct meter *m); /* the same, zeroed or not */
	double (*rate)(const struct meter *m);      /* NULL for others */
};

/* i from 0; NULL after the last. */
const struct column *column_at(size_t i);
/* Do objects of the kind have it? is_counted: of a service with "count_begun". */
bool column_is_of(const struct column *c, enum stats_kind kind, bool is_counted);

#endif
