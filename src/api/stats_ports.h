/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port budget (stats/ports.h) as JSON and for Prometheus.
 */
#ifndef FNAT_API_STATS_PORTS_H
#define FNAT_API_STATS_PORTS_H

#include <stdio.h>

#include "model/model.h"
#include "stats/stats.h"

/* What is told at most: the fullest ones. */
#define STATS_PORTS_MAX 1000

/* Members "ports" and "occupancy" of a pool. */
void stats_ports_json(struct stats *s, const struct pool *p, FILE *out);
/* Those with half of their ports in use, and more. */
void stats_ports_metrics(struct stats *s, FILE *out);

#endif
