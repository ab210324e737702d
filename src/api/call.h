/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request on its way through a route: what was asked, and the ways to answer.
 */
#ifndef FNAT_API_CALL_H
#define FNAT_API_CALL_H

#include <jansson.h>
#include <time.h>

#include "api/access.h"
#include "api/api.h"
#include "api/precondition.h"
#include "api/routes.h"
#include "api/worker.h"

#define JSON_TYPE "application/json"

/* Private to src/api/: the api and what its handlers use of it. */
struct api {
	struct event_base *base;
	struct engine *engine;
	struct health *health;
	struct observer *observer;
	struct balancer *balancer;
	struct limiter *limiter;
	struct tally *tally;
	struct drainer *drainer;
	struct overlay *overlay; /* NULL: no file mode */
	struct budget *budget;
	struct session_log *session_log; /* NULL: off */
	char *table;
	struct http_server *http;
	struct http_server *status_http; /* on TCP; NULL: off */
	struct access_rule access;
	struct worker *worker;
	struct worker *lister; /* connections: may wait for the kernel */
	unsigned int n_walks;  /* over connections, at present */
	struct origin *origin;
	struct answerer *answerer; /* NULL: off */
	bool is_closing;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
};

/* Answers come late, even after api_free(): what they need of the api is copied or the engine's. */
struct call {
	struct api *api; /* while the handler runs */
	struct engine *engine;
	struct health *health; /* while the handler runs */
	struct observer *observer;
	struct balancer *balancer;
	struct limiter *limiter;
	struct tally *tally;
	struct drainer *drainer;
	struct overlay *overlay;
	struct budget *budget;
	struct session_log *session_log; /* NULL: off */
	const char *table;               /* until the engine has drained */
	struct http_request *req;
	const struct route *route;
	const char *names[ROUTE_NAMES_MAX]; /* what the pattern's {names} are; borrowed */
	struct precondition if_match, if_none_match;
	bool is_dry_run;
	uint64_t accepted; /* the generation it made, told at info; 0: none */
};

/*
 * Each answers, writes the log (after that, so that nobody waits for it) and frees the call. err
 * may not be empty; text and json are taken over.
 */
void call_answer_text(struct call *c, int status, const char *type, char *text, size_t len);
void call_answer_json(struct call *c, int status, json_t *value);
void call_answer_empty(struct call *c, int status);
void call_answer_err(struct call *c, const struct err *err);
void call_answer_problem(struct call *c, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* stream->done() gets arg; the call is freed at once. */
void call_answer_stream(struct call *c, const char *type, const struct http_stream *stream,
			void *arg);

/* fn(c) when the statistics are fresh: tally_refresh(). service: a name, or NULL. */
void call_refresh(struct call *c, const char *service, observer_fn *fn);

/* Before the answer to a change that was accepted: it will be logged, with who made it, at info. */
void call_accepted(struct call *c, uint64_t generation);

/* Before the answer: the generation it tells about. */
void call_set_generation(struct call *c, uint64_t generation);

/*
 * For a GET of what the model says: sets the generation; true when it was answered
 * already, because the client has that generation (304).
 */
bool call_answered_unchanged(struct call *c);

/* "PUT /v1/services/web", for logs; buf is returned. */
#define CALL_WHAT_BYTES 160
const char *call_what(const struct call *c, char buf[CALL_WHAT_BYTES]);

#endif
