/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of services, listeners, backends and pool addresses for Prometheus. Those that had
 * no traffic yet are left out.
 */
#ifndef FNAT_API_STATS_METRICS_H
#define FNAT_API_STATS_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "stats/stats.h"

struct stats_metrics;

/* Copies what there is now. */
struct stats_metrics *stats_metrics_new(const struct stats *s);
void stats_metrics_free(struct stats_metrics *sm);

/* Writes a line, or the head of a metric; false: there was nothing more. */
bool stats_metrics_put(struct stats_metrics *sm, FILE *out);

#endif
