/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/connections: from conntrack to the client by way of a thread (lister.h). The loop only hands
 * on what that has made, a piece for each time the client has taken the one before; a job that is
 * at the thread belongs to the thread.
 *
 * The first piece is made before the answer begins, so that a kernel that refuses is an answer of
 * its own. A walk that counts or deletes goes on by itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/lister.h"
#include "api/query.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/sysctl.h"

#define WALKS_MAX  8 /* at a time */
#define LINES_TYPE "application/x-ndjson"

struct walk {
	struct api *api;
	struct lister *lister;
	enum lister_job job;
	struct call *call;        /* until the answer begins */
	struct http_request *req; /* of a list that has begun; NULL: the client has left */
	bool is_working;          /* at the thread */
	bool is_streaming;
};

static void walk_free(struct walk *w)
{
	w->api->n_walks--;
	lister_free(w->lister);
	free(w);
}

static void work_cb(void *arg)
{
	struct walk *w = arg;

	lister_work(w->lister);
}

static void worked_cb(void *arg);

static void walk_on(struct walk *w)
{
	w->is_working = true;
	worker_run(w->api->lister, work_cb, worked_cb, w);
}

/* What went wrong after the answer has begun: the last line. */
static void give_last_line(const struct walk *w, const struct err *err)
{
	char *text;

	if (!err)
		return;
	log_warn("api", "connections: the list ends early: %s", err_text(err));
	text = mem_printf("{\"error\":\"%s\"}\n", err_text(err));
	http_reply_chunk(w->req, text, strlen(text));
	free(text);
}

static void give_piece(struct walk *w)
{
	size_t len;
	const char *text = lister_text(w->lister, &len);

	http_reply_chunk(w->req, text, len);
	if (lister_is_over(w->lister)) {
		give_last_line(w, lister_err(w->lister));
		http_reply_end(w->req);
	} else if (len == 0) {
		walk_on(w);
	}
}

static void more(struct http_request *req, void *arg)
{
	struct walk *w = arg;

	if (w->is_working)
		return;
	if (!w->req) { /* the first piece waits */
		w->req = req;
		give_piece(w);
		return;
	}
	walk_on(w);
}

static void done(void *arg)
{
	struct walk *w = arg;

	w->req = NULL;
	w->is_streaming = false;
	if (!w->is_working)
		walk_free(w);
}

static void begin_stream(struct walk *w)
{
	static const struct http_stream stream = { more, done };
	struct call *c = w->call;

	w->call = NULL;
	w->is_streaming = true;
	http_set_header(c->req, "Cache-Control", "no-store");
	call_answer_stream(c, LINES_TYPE, &stream, w);
}

static void log_deleted(const struct call *c, uint64_t n)
{
	char what[CALL_WHAT_BYTES];
	long uid, pid;

	http_peer(c->req, &uid, &pid);
	log_info("api", "uid %ld pid %ld: %s -> %" PRIu64 " connections deleted", uid, pid,
		 call_what(c, what), n);
}

static void answer(struct walk *w)
{
	const struct err *err = lister_err(w->lister);
	struct call *c = w->call;
	uint64_t n = lister_count(w->lister);

	if (w->job == LISTER_DELETE)
		log_deleted(c, n);
	if (err)
		call_answer_err(c, err);
	else
		call_answer_json(c, 200,
				 json_pack("{s:I}",
					   w->job == LISTER_DELETE ? "deleted" : "connections",
					   (json_int_t)n));
	walk_free(w);
}

/* The daemon stops: what is not done yet is not done. */
static void give_up(struct walk *w)
{
	if (w->call)
		call_answer_problem(w->call, 503, "fnatd is stopping; ask again later");
	w->call = NULL;
	if (!w->is_streaming)
		walk_free(w);
}

static void worked_cb(void *arg)
{
	struct walk *w = arg;

	w->is_working = false;
	if (w->api->is_closing)
		give_up(w);
	else if (w->call && (w->job != LISTER_LIST || lister_err(w->lister)))
		lister_is_over(w->lister) ? answer(w) : walk_on(w);
	else if (w->call)
		begin_stream(w);
	else if (w->req)
		give_piece(w);
	else
		walk_free(w); /* the client has left */
}

/* The conditions; false when the call was answered. */
static bool read_filter(struct call *c, struct flow_filter *out)
{
	struct err err = ERR_INIT;
	const char *name, *value;
	int code = 0;

	for (size_t i = 0; code == 0 && (name = flow_filter_name(i)); i++) {
		value = http_query(c->req, name);
		code = value ? flow_filter_set(out, name, value, &err) : 0;
	}
	if (code < 0)
		call_answer_err(c, &err);
	err_fini(&err);
	return code == 0;
}

/* Nobody would find out why nothing fits. */
static bool refused_age(struct call *c, const struct flow_filter *f)
{
	long value = 0;

	if (!f->has_min_age && !f->has_max_age)
		return false;
	if (sysctl_read("net/netfilter/nf_conntrack_timestamp", &value) == 0 && value != 0)
		return false;
	call_answer_problem(
		c, 409,
		"the age of connections is not known: "
		"net.netfilter.nf_conntrack_timestamp is 0; with `sysctl -w "
		"net.netfilter.nf_conntrack_timestamp=1` it is, of those that begin from "
		"then on");
	return true;
}

static bool refused_names(struct call *c, const struct flow_filter *f)
{
	const struct service *s =
		f->service ? model_service(engine_model(c->engine), f->service) : NULL;

	if (f->service && !s)
		call_answer_problem(c, 404, "service \"%.100s\": no such service", f->service);
	else if (s && f->backend && !f->backend_at.address.family &&
		 !service_backend(s, f->backend))
		call_answer_problem(c, 404, "service \"%s\": backend \"%.100s\": no such backend",
				    s->name, f->backend);
	else
		return false;
	return true;
}

static bool refused_walk(struct call *c)
{
	if (c->api->n_walks < WALKS_MAX)
		return false;
	call_answer_problem(c, 503,
			    "%d clients read or delete connections already; ask again later",
			    WALKS_MAX);
	return true;
}

static void start(struct call *c, enum lister_job job, const struct flow_filter *f, uint64_t max)
{
	const struct model *m = engine_model(c->engine);
	struct walk *w;

	if (refused_names(c, f) || refused_age(c, f) || refused_walk(c))
		return;
	w = mem_zalloc(sizeof(*w));
	w->api = c->api;
	w->api->n_walks++;
	w->call = c;
	w->job = job;
	w->lister = lister_new(job, f,
			       f->service ? listener_map_of_service(model_service(m, f->service))
					  : listener_map_of_model(m),
			       max);
	walk_on(w);
}

static bool has_condition(const struct call *c)
{
	const char *name;

	for (size_t i = 0; (name = flow_filter_name(i)); i++)
		if (http_query(c->req, name))
			return true;
	return false;
}

void connections_get(struct call *c)
{
	struct flow_filter filter = { .protocol = 0 };
	bool is_count;
	uint64_t max;

	if (!query_flag(c, "count", &is_count) ||
	    !query_number(c, "max", UINT64_MAX, 1, INT64_MAX, &max) || !read_filter(c, &filter))
		return;
	start(c, is_count ? LISTER_COUNT : LISTER_LIST, &filter, max);
}

void connections_delete(struct call *c)
{
	struct flow_filter filter = { .protocol = 0 };
	bool is_all;

	if (!query_flag(c, "all", &is_all) || !read_filter(c, &filter))
		return;
	if (!is_all && !has_condition(c)) {
		call_answer_problem(c, 400,
				    "which connections? Give a condition, such as service=web; "
				    "all=1 deletes all of all services");
		return;
	}
	if (is_all && has_condition(c)) {
		call_answer_problem(c, 400, "all=1 goes with no condition");
		return;
	}
	start(c, LISTER_DELETE, &filter, UINT64_MAX);
}
