/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a request to its route. What can be refused without knowing the resource is
 * refused here: no such path, method, query parameter, or a precondition that cannot be
 * read.
 */
#include "api/api.h"

#include <stdlib.h>
#include <string.h>

#include "api/answerer.h"
#include "api/call.h"
#include "api/edit.h"
#include "api/handlers.h"
#include "api/origin.h"
#include "api/query.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/suggest.h"

#define SEGMENTS_MAX 8 /* more than any route has */

static void refuse_route(struct call *c, enum route_match match, const char *const *segments,
			 size_t n_segments)
{
	char allow[ROUTE_ALLOW_BYTES];

	if (match == ROUTE_NO_PATH) {
		call_answer_problem(c, 404, "%s: no such path", http_target(c->req));
		return;
	}
	http_set_header(c->req, "Allow", route_allow(segments, n_segments, allow));
	if (strcmp(http_method(c->req), "OPTIONS") == 0)
		call_answer_empty(c, 204);
	else
		call_answer_problem(c, 405, "%s is not allowed here; allowed are %s",
				    http_method(c->req), allow);
}

static bool refused_query(struct call *c)
{
	const char *name;

	for (size_t i = 0; (name = http_query_name(c->req, i)); i++) {
		struct suggest near = suggest_for(name);

		if (route_takes(c->route, name))
			continue;
		if (route_takes(c->route, "dry_run"))
			suggest_offer(&near, "dry_run");
		call_answer_problem(c, 400, "query parameter \"%.100s\": %s%s%s", name,
				    near.best ? "did you mean \"" : "not known here",
				    near.best ? near.best : "", near.best ? "\"?" : "");
		return true;
	}
	return false;
}

static bool refused_dry_run(struct call *c)
{
	return !query_flag(c, "dry_run", &c->is_dry_run);
}

static bool refused_precondition(struct call *c, const char *name, struct precondition *out)
{
	const char *header = http_header(c->req, name);

	if (precondition_parse(header, out) == 0)
		return false;
	call_answer_problem(c, 400, "%s: %.100s: expected a generation in double quotes, or *",
			    name, header);
	return true;
}

/* The route, or NULL when the call was answered. */
static const struct route *find_route(struct call *c)
{
	const char *segments[SEGMENTS_MAX];
	size_t n = http_n_segments(c->req);
	enum route_match match = ROUTE_NO_PATH;

	for (size_t i = 0; i < n && i < SEGMENTS_MAX; i++)
		segments[i] = http_segment(c->req, i);
	if (n <= SEGMENTS_MAX)
		match = route_find(http_method(c->req), segments, n, &c->route, c->names);
	if (match == ROUTE_FOUND)
		return c->route;
	refuse_route(c, match, segments, n);
	return NULL;
}

static struct call *call_new(struct http_request *req, struct api *a)
{
	struct call *c = mem_zalloc(sizeof(*c));

	c->api = a;
	c->engine = a->engine;
	c->health = a->health;
	c->observer = a->observer;
	c->balancer = a->balancer;
	c->limiter = a->limiter;
	c->tally = a->tally;
	c->drainer = a->drainer;
	c->overlay = a->overlay;
	c->budget = a->budget;
	c->session_log = a->session_log;
	c->table = a->table;
	c->req = req;
	return c;
}

static bool refused_access(struct call *c)
{
	bool is_write = strcmp(c->route->method, "GET") != 0;
	long uid, pid;

	if (access_is_allowed(&c->api->access, c->req, is_write))
		return false;
	http_peer(c->req, &uid, &pid);
	call_answer_problem(c, 403,
			    "user %ld may not %s here; root and members of the group "
			    "fnatd was given (--group) may",
			    uid, is_write ? "change anything" : "read");
	return true;
}

static void handle(struct http_request *req, void *arg)
{
	struct call *c = call_new(req, arg);

	if (!find_route(c) || refused_access(c) || refused_query(c) || refused_dry_run(c) ||
	    refused_precondition(c, "If-Match", &c->if_match) ||
	    refused_precondition(c, "If-None-Match", &c->if_none_match))
		return;
	if (c->route->edit)
		edit_start(c);
	else
		c->route->handle(c);
}

/* Anybody can connect to a TCP port: what is there tells no secrets and changes nothing. */
static void handle_status(struct http_request *req, void *arg)
{
	struct call *c = call_new(req, arg);

	if (!find_route(c))
		return;
	if (c->route->handle != status_get && c->route->handle != metrics_get)
		call_answer_problem(c, 403,
				    "only /v1/status and /metrics are served here; the "
				    "rest is on the Unix socket");
	else if (!refused_query(c))
		c->route->handle(c);
}

static int listen_all(struct api *a, const struct api_options *opt, struct err *err)
{
	int rc = access_init(&a->access, opt->group, opt->read_group, err);

	if (rc == 0 && opt->socket_fd)
		rc = http_listen_fd(a->http, opt->socket_fd, err);
	else if (rc == 0)
		rc = http_listen_unix(a->http, opt->socket_path, access_socket_mode(&a->access),
				      a->access.writers, err);
	if (rc || !opt->status_address)
		return rc;
	a->status_http = http_new(a->base, &opt->limits, handle_status, a);
	return http_listen_tcp(a->status_http, opt->status_address, err);
}

int api_new(struct event_base *base, struct engine *e, const struct api_options *opt,
	    struct api **out, struct err *err)
{
	struct api *a = mem_zalloc(sizeof(*a));
	int rc;

	a->base = base;
	a->engine = e;
	a->health = opt->health;
	a->observer = opt->observer;
	a->balancer = opt->balancer;
	a->limiter = opt->limiter;
	a->tally = opt->tally;
	a->drainer = opt->drainer;
	a->overlay = opt->overlay;
	a->budget = opt->budget;
	a->session_log = opt->session_log;
	a->table = mem_strdup(opt->table ? opt->table : "fnat");
	a->worker = worker_new(base);
	a->lister = worker_new(base);
	a->origin = origin_new();
	a->http = http_new(base, &opt->limits, handle, a);
	a->started_ns = clock_mono_ns();
	rc = listen_all(a, opt, err);
	if (rc == 0 && opt->origin_address)
		rc = answerer_new(base, e, a->origin, opt->origin_address, opt->origin_allow,
				  &a->answerer, err);
	if (rc) {
		api_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	a->is_closing = true;
	answerer_free(a->answerer);
	worker_free(a->worker);
	worker_free(a->lister);
	http_free(a->http);
	http_free(a->status_http);
	origin_free(a->origin);
	free(a->table);
	free(a);
}
