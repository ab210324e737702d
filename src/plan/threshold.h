/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a backend full? Pure. As in IPVS (ip_vs_conn.c): it is with max_connections, and stays so
 * until it has fewer than min_connections, or, without that, than 3/4 of max_connections.
 */
#ifndef FNAT_PLAN_THRESHOLD_H
#define FNAT_PLAN_THRESHOLD_H

#include "model/model.h"

/* With fewer than so many it is no longer full. */
uint32_t threshold_lower(const struct backend *b);

/* open: connections that it has; was_full: what came out the last time. */
bool threshold_is_full(const struct backend *b, uint32_t open, bool was_full);

#endif
