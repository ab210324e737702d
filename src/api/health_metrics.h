/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The health of backends in the Prometheus text format: in all, and of each. */
#ifndef FNAT_API_HEALTH_METRICS_H
#define FNAT_API_HEALTH_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "health/health.h"

/* In all. */
void health_metrics_totals(const struct health *h, FILE *out);

struct health_metrics;

/* A copy of what is known of each backend now. */
struct health_metrics *health_metrics_new(const struct health *h);
void health_metrics_free(struct health_metrics *hm);
/* Some lines more; false: there are none. */
bool health_metrics_put(struct health_metrics *hm, FILE *out);

#endif
