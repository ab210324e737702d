/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections as JSON: parts of objects, as /v1/connections and the session log have them.
 */
#ifndef FNAT_STATS_FLOW_JSON_H
#define FNAT_STATS_FLOW_JSON_H

#include <stdio.h>

#include "stats/flow.h"

/* {"address":"10.1.0.50","port":40312} */
void flow_put_end(const struct flow_end *end, FILE *out);

/* "service":..., "backend":{"name", ...}, "protocol", "client", "virtual", "local". backend NULL:
 * the service has none there, or no more. */
void flow_put_ends(const struct flow *f, const char *service, const char *backend, FILE *out);

/* "inpkts":..., "outpkts", "inbytes", "outbytes"; null where the kernel does not count. */
void flow_put_counters(const struct flow *f, FILE *out);

#endif
