/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes over the engine. fnat-api(7) and api/openapi.yaml describe them.
 */
#ifndef FNAT_API_API_H
#define FNAT_API_API_H

#include "api/http.h"
#include "engine/balancer.h"
#include "engine/budget.h"
#include "engine/drain.h"
#include "engine/engine.h"
#include "engine/limiter.h"
#include "engine/observer.h"
#include "engine/overlay.h"
#include "engine/session_log.h"
#include "engine/tally.h"
#include "health/health.h"

struct api;

struct api_options {
	struct observer *observer;       /* borrowed; outlives the api */
	struct balancer *balancer;       /* likewise */
	struct limiter *limiter;         /* likewise */
	struct tally *tally;             /* likewise */
	struct drainer *drainer;         /* likewise */
	struct overlay *overlay;         /* likewise; NULL where there is no file mode */
	struct budget *budget;           /* likewise */
	struct session_log *session_log; /* likewise; NULL: off */
	const char *socket_path;
	int socket_fd;          /* listens already, taken; 0: make one at socket_path */
	const char *group;      /* may read and write; NULL: "fnat" */
	const char *read_group; /* may read; NULL: nobody but the writers */
	const char
		*status_address; /* "127.0.0.1:9800": /metrics and /v1/status on TCP; NULL: off */
	const char *origin_address; /* "10.1.0.1:4040": answerer.h; NULL: off */
	const char *origin_allow;   /* who may ask there: prefixes with commas between */
	const char *table;          /* the engine's, for what is shown */
	struct http_limits limits;
	struct health *health; /* outlives the api */
};

/*
 * Listens at once; who may do what: access.h. Everything is served from the loop.
 */
int api_new(struct event_base *base, struct engine *e, const struct api_options *opt,
	    struct api **out, struct err *err);

/*
 * After engine_drain(), so that what was asked is answered, and before
 * engine_free(). Blocks for up to a second while answers are on their way.
 */
void api_free(struct api *a);

#endif
