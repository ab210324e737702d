/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/events: one JSON line an event (or, to a client that asks for it, server-sent
 * events as the HTML standard, section 9.2, has them), for as long as the client stays.
 *
 * The ring of events is the only buffer: a reader takes from it what its
 * connection has room for. One that is so slow that the ring has moved on
 * is told so, as its last event, and dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/query.h"
#include "base/mem.h"
#include "engine/events.h"

#define PIECE_BYTES (32u << 10)

struct follower {
	struct events *events;
	struct events_listener *listener;
	struct http_request *req;
	uint64_t last; /* number of the last event it has */
	bool is_sse;
};

static void give_line(const struct follower *f, const struct event_line *line)
{
	char *text = f->is_sse
			     ? mem_printf("id: %llu\nevent: %s\ndata: %s\n\n",
					  (unsigned long long)line->number, line->type, line->json)
			     : mem_printf("%s\n", line->json);

	http_reply_chunk(f->req, text, strlen(text));
	free(text);
}

static void give_last_line(const struct follower *f)
{
	static const char json[] =
		"{\"type\":\"dropped\",\"reason\":\"too slow, or too long away: events were "
		"missed; read the configuration again\"}";
	struct event_line line = { .number = f->last, .type = "dropped", .json = json };

	give_line(f, &line);
}

static void more(struct http_request *req, void *arg)
{
	struct follower *f = arg;
	struct event_line line;
	size_t given = 0;

	f->req = req;
	while (given < PIECE_BYTES && events_next(f->events, f->last, &line)) {
		if (line.is_gap) {
			give_last_line(f);
			http_reply_end(req);
			return;
		}
		give_line(f, &line);
		f->last = line.number;
		given += line.len;
	}
	if (given >= PIECE_BYTES)
		http_reply_resume(req);
}

static void event_added(void *arg)
{
	struct follower *f = arg;

	if (f->req)
		http_reply_resume(f->req);
}

static void done(void *arg)
{
	struct follower *f = arg;

	events_unlisten(f->events, f->listener);
	free(f);
}

/* Where to begin: since=, or what an event source sends when it comes back, or now. */
static bool find_start(struct call *c, uint64_t *last)
{
	const char *resumed = http_header(c->req, "Last-Event-ID");
	uint64_t now = events_last(engine_events(c->engine));

	if (!http_query(c->req, "since") && resumed) {
		*last = strtoull(resumed, NULL, 10);
		return true;
	}
	return query_number(c, "since", now, 0, INT64_MAX, last);
}

void events_get(struct call *c)
{
	static const struct http_stream stream = { more, done };
	const char *accept = http_header(c->req, "Accept");
	struct follower *f;
	uint64_t last;

	if (!find_start(c, &last))
		return;
	f = mem_zalloc(sizeof(*f));
	f->events = engine_events(c->engine);
	f->last = last;
	f->is_sse = accept && strstr(accept, "text/event-stream");
	f->listener = events_listen(f->events, event_added, f);
	http_set_header(c->req, "Cache-Control", "no-store");
	call_answer_stream(c, f->is_sse ? "text/event-stream" : "application/x-ndjson", &stream, f);
}
