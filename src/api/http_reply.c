/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers. The head is written when the status is known, and the body goes
 * straight to the connection's output. A stream is asked for its next piece only when
 * the output has run low, so that an answer of any size takes bounded memory.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api/http_internal.h"
#include "api/problem.h"

void http_set_header(struct http_request *req, const char *name, const char *value)
{
	assert(!strpbrk(value, "\r\n"));
	evbuffer_add_printf(req->headers, "%s: %s\r\n", name, value);
}

void http_request_free(struct http_request *req)
{
	http_message_fini(&req->msg);
	http_target_fini(&req->target);
	evbuffer_free(req->headers);
	free(req);
}

static void add_status_line(struct evbuffer *out, int status)
{
	static const char format[] = "%a, %d %b %Y %H:%M:%S GMT"; /* RFC 9110, 5.6.7 */
	time_t now = time(NULL);
	char date[40];
	struct tm tm;

	strftime(date, sizeof(date), format, gmtime_r(&now, &tm));
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status),
			    date);
}

static bool status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

static bool is_last(const struct http_request *req)
{
	return !req->msg.is_keep_alive;
}

static void add_connection(struct evbuffer *out, const struct http_request *req)
{
	if (is_last(req))
		evbuffer_add_printf(out, "Connection: close\r\n");
	else if (req->msg.minor == 0)
		evbuffer_add_printf(out, "Connection: keep-alive\r\n");
}

/* The bufferevent writes what is put there. */
static struct evbuffer *output_of(const struct conn *c)
{
	if (!(bufferevent_get_enabled(c->bev) & EV_WRITE))
		bufferevent_enable(c->bev, EV_WRITE);
	return bufferevent_get_output(c->bev);
}

/*
 * Where an answer goes that is all there. If nothing waits before it, it is not the bufferevent
 * that writes it, but answer_end(), at once: a round of the loop less to wait for, and the kernel
 * need not be told twice what to poll for.
 */
static struct evbuffer *answer_begin(const struct conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	if (evbuffer_get_length(out) == 0)
		bufferevent_disable(c->bev, EV_WRITE);
	return out;
}

static void answer_end(const struct conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	if (bufferevent_get_enabled(c->bev) & EV_WRITE)
		return;
	evbuffer_unfreeze(out, 1); /* a bufferevent keeps others from draining it */
	evbuffer_write_atmost(out, bufferevent_getfd(c->bev), SLICE_BYTES);
	evbuffer_freeze(out, 1);
	if (evbuffer_get_length(out) > 0) /* the client is slow, or gone: it finds out which */
		bufferevent_enable(c->bev, EV_WRITE);
}

static bool is_head(const struct http_request *req)
{
	return strcmp(req->msg.method, "HEAD") == 0;
}

/* All of an answer but the body. False when the body must not follow. */
static bool add_head(struct evbuffer *out, struct http_request *req, int status,
		     const char *content_type, size_t len)
{
	add_status_line(out, status);
	if (content_type && status_has_body(status))
		evbuffer_add_printf(out, "Content-Type: %s\r\n", content_type);
	if (status_has_body(status))
		evbuffer_add_printf(out, "Content-Length: %zu\r\n", len);
	evbuffer_add_buffer(out, req->headers);
	add_connection(out, req);
	evbuffer_add(out, "\r\n", 2);
	return status_has_body(status) && !is_head(req);
}

static void finish(struct http_request *req)
{
	struct conn *c = req->conn;
	bool last = is_last(req);

	http_request_free(req);
	if (c)
		conn_answered(c, last);
}

void http_reply(struct http_request *req, int status, const char *content_type, const char *body,
		size_t len)
{
	struct evbuffer *out;

	if (req->conn) {
		out = answer_begin(req->conn);
		if (add_head(out, req, status, content_type, len) && len > 0)
			evbuffer_add(out, body, len);
		answer_end(req->conn);
	}
	finish(req);
}

static void free_cb(const void *data, size_t len, void *arg)
{
	(void)data, (void)len;
	free(arg);
}

void http_reply_take(struct http_request *req, int status, const char *content_type, char *body,
		     size_t len)
{
	struct evbuffer *out;

	if (req->conn) {
		out = answer_begin(req->conn);
		if (add_head(out, req, status, content_type, len) && len > 0 &&
		    evbuffer_add_reference(out, body, len, free_cb, body) == 0)
			body = NULL;
		answer_end(req->conn);
	}
	free(body);
	finish(req);
}

void http_reply_start(struct http_request *req, int status, const char *content_type,
		      const struct http_stream *stream, void *arg)
{
	struct evbuffer *out;

	req->stream = stream;
	req->stream_arg = arg;
	req->is_streaming = true;
	if (!req->conn) {
		reply_abandon(req);
		return;
	}
	req->is_chunked = req->msg.minor > 0;
	if (!req->is_chunked)
		req->msg.is_keep_alive =
			false; /* the end of the connection is the end of the body */
	out = output_of(req->conn);
	add_status_line(out, status);
	evbuffer_add_printf(out, "Content-Type: %s\r\n", content_type);
	if (req->is_chunked)
		evbuffer_add_printf(out, "Transfer-Encoding: chunked\r\n");
	evbuffer_add_buffer(out, req->headers);
	add_connection(out, req);
	evbuffer_add(out, "\r\n", 2);
	req->has_no_body = is_head(req);
	if (req->has_no_body)
		http_reply_end(req);
	else
		conn_wake(req->conn);
}

void http_reply_chunk(struct http_request *req, const char *data, size_t len)
{
	struct evbuffer *out = output_of(req->conn);

	if (len == 0)
		return; /* an empty chunk would be the end */
	if (req->is_chunked)
		evbuffer_add_printf(out, "%zx\r\n", len);
	evbuffer_add(out, data, len);
	if (req->is_chunked)
		evbuffer_add(out, "\r\n", 2);
}

void http_reply_resume(struct http_request *req)
{
	conn_wake(req->conn);
}

void http_reply_end(struct http_request *req)
{
	if (req->is_chunked && !req->has_no_body)
		evbuffer_add(output_of(req->conn), "0\r\n\r\n", 5);
	req->stream->done(req->stream_arg);
	finish(req);
}

size_t http_reply_pending(const struct http_request *req)
{
	return evbuffer_get_length(bufferevent_get_output(req->conn->bev));
}

void reply_more(struct http_request *req)
{
	if (req->stream->more)
		req->stream->more(req, req->stream_arg);
}

void reply_abandon(struct http_request *req)
{
	req->conn = NULL;
	if (!req->is_streaming)
		return; /* its handler will answer, to nobody */
	req->stream->done(req->stream_arg);
	http_request_free(req);
}

void reply_refusal(struct conn *c, int status, const char *detail)
{
	struct evbuffer *out = output_of(c);
	size_t len;
	char *text = problem_body(status, detail, &len);

	add_status_line(out, status);
	evbuffer_add_printf(out,
			    "Content-Type: " PROBLEM_TYPE "\r\nContent-Length: %zu\r\n"
			    "%sConnection: close\r\n\r\n",
			    len, status == 503 ? "Retry-After: 1\r\n" : "");
	evbuffer_add(out, text, len);
	free(text);
}

void reply_continue(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	evbuffer_add(output_of(c), text, sizeof(text) - 1);
}
