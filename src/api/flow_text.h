/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection as the API shows it: the object "Connection" of api/openapi.yaml.
 */
#ifndef FNAT_API_FLOW_TEXT_H
#define FNAT_API_FLOW_TEXT_H

#include <stdio.h>

#include "model/listener_map.h"
#include "stats/flow.h"

/* Whose it is; all borrowed. */
struct flow_owner {
	const struct service *service;
	const struct backend *backend; /* NULL: the service has none there, or no more */
};

/* The listener that the connection belongs to: of a data connection the one of its master. */
struct listener flow_listener(const struct flow *f);

/* On one line, without a newline. now_ns: CLOCK_REALTIME. */
void flow_put_json(const struct flow *f, const struct flow_owner *owner, uint64_t now_ns,
		   FILE *out);

#endif
