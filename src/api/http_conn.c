/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection. It is always in one of five states (enum conn_state), each with
 * the deadline that set_state() arms; bytes, writes and the end of the stream move it on.
 *
 * A connection may go away inside any function that reads, answers or asks a
 * stream for more, so such a call is always the last thing a callback does with it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/http_internal.h"
#include "base/log.h"
#include "base/mem.h"

/* Bodies being read may take this many times the largest body together; small ones always pass. */
#define BODIES_FACTOR    4
#define BODY_SMALL_BYTES (64u << 10)

static void conn_advance(struct conn *c);

static struct timeval from_ms(unsigned int ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

static unsigned int deadline_ms(const struct http_limits *l, enum conn_state state)
{
	switch (state) {
	case CONN_IDLE:
		return l->idle_timeout_ms;
	case CONN_READING:
		return l->request_timeout_ms;
	case CONN_LINGERING:
		return LINGER_MS;
	case CONN_HANDLING: /* the engine's time */
	case CONN_CLOSING:  /* the bufferevent's write timeout */
		break;
	}
	return 0;
}

static void set_state(struct conn *c, enum conn_state state)
{
	struct timeval tv = from_ms(deadline_ms(&c->server->limits, state));

	if (c->state == CONN_IDLE)
		TAILQ_REMOVE(&c->server->idle, c, idle);
	c->state = state;
	if (state == CONN_IDLE)
		TAILQ_INSERT_TAIL(&c->server->idle, c, idle);
	if (evutil_timerisset(&tv))
		evtimer_add(c->timer, &tv);
	else
		evtimer_del(c->timer);
}

static size_t output_bytes(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static size_t input_bytes(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_input(c->bev));
}

static void count_body(struct conn *c, size_t bytes)
{
	c->server->body_bytes += bytes - c->body_bytes;
	c->body_bytes = bytes;
}

/*
 * The last answer is written. To close now, with input unread, would cut off what
 * the client has not read yet (ECONNRESET): say that no more comes, and wait.
 */
static void conn_linger(struct conn *c)
{
	if (c->is_eof) {
		conn_free(c);
		return;
	}
	set_state(c, CONN_LINGERING);
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
}

static void conn_close(struct conn *c)
{
	set_state(c, CONN_CLOSING);
	conn_wake(c);
}

static void conn_refuse(struct conn *c, int status, const char *detail)
{
	log_debug("http", "uid %ld pid %ld: refused with %d: %s", c->uid, c->pid, status, detail);
	reply_refusal(c, status, detail);
	count_body(c, 0);
	conn_close(c);
}

void conn_wake(struct conn *c)
{
	static const struct timeval now = { 0, 0 };

	evtimer_add(c->turn, &now);
}

void conn_answered(struct conn *c, bool is_last)
{
	c->req = NULL;
	if (is_last || (c->is_eof && input_bytes(c) == 0)) {
		conn_close(c);
		return;
	}
	set_state(c, CONN_IDLE);
	if (input_bytes(c) > 0)
		conn_wake(c);
}

static void conn_dispatch(struct conn *c)
{
	struct http_request *req = mem_zalloc(sizeof(*req));
	const char *why;

	http_parse_take(c->parse, &req->msg);
	count_body(c, 0);
	req->uid = c->uid;
	req->pid = c->pid;
	req->headers = evbuffer_new();
	if (http_target_parse(req->msg.target, &req->target, &why)) {
		http_request_free(req);
		conn_refuse(c, 400, why);
		return;
	}
	req->conn = c;
	c->req = req;
	set_state(c, CONN_HANDLING);
	c->server->handler(req, c->server->arg);
}

static bool is_over_budget(const struct conn *c)
{
	const struct http_server *s = c->server;

	return c->body_bytes > BODY_SMALL_BYTES &&
	       s->body_bytes > BODIES_FACTOR * s->limits.body_max_bytes;
}

static void conn_feed(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer_iovec piece;
	const char *detail;
	size_t used;
	int status;

	while (evbuffer_peek(in, -1, NULL, &piece, 1) > 0) {
		enum http_parse_result r =
			http_parse_feed(c->parse, piece.iov_base, piece.iov_len, &used);

		count_body(c, http_parse_body_bytes(c->parse));
		evbuffer_drain(in, used);
		if (r == HTTP_PARSE_DONE) {
			conn_dispatch(c);
			return;
		}
		if (r == HTTP_PARSE_REFUSED) {
			status = http_parse_refusal(c->parse, &detail);
			conn_refuse(c, status, detail);
			return;
		}
		if (is_over_budget(c)) {
			conn_refuse(c, 503, "too many large requests at the same time");
			return;
		}
		if (r == HTTP_PARSE_CONTINUE)
			reply_continue(c);
	}
	if (c->is_eof)
		conn_free(c); /* in the middle of a request: there is nobody to answer */
}

/* Go on with what is here, as far as the state allows. */
static void conn_advance(struct conn *c)
{
	switch (c->state) {
	case CONN_IDLE:
		if (input_bytes(c) == 0 || output_bytes(c) > OUTPUT_LOW_BYTES)
			return;
		set_state(c, CONN_READING);
		conn_feed(c);
		return;
	case CONN_READING:
		conn_feed(c);
		return;
	case CONN_HANDLING:
		if (c->req->is_streaming && output_bytes(c) <= OUTPUT_LOW_BYTES)
			reply_more(c->req);
		return;
	case CONN_CLOSING:
		evbuffer_drain(bufferevent_get_input(c->bev), input_bytes(c));
		if (output_bytes(c) == 0)
			conn_linger(c);
		return;
	case CONN_LINGERING:
		evbuffer_drain(bufferevent_get_input(c->bev), input_bytes(c));
		return;
	}
}

static void turn_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	conn_advance(arg);
}

static void read_cb(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->state != CONN_HANDLING)
		conn_advance(c);
}

static void write_cb(struct bufferevent *bev, void *arg)
{
	(void)bev;
	conn_advance(arg);
}

/* The end of what the client sends is not yet the end of what it reads (shutdown(SHUT_WR)). */
static bool is_gone(const struct conn *c)
{
	struct pollfd p = { .fd = bufferevent_getfd(c->bev), .events = POLLOUT };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static void conn_eof(struct conn *c)
{
	c->is_eof = true;
	if (is_gone(c)) {
		conn_free(c);
		return;
	}
	switch (c->state) {
	case CONN_IDLE:
		if (input_bytes(c) == 0)
			conn_close(c); /* answers may still be on their way */
		return;
	case CONN_READING:
	case CONN_LINGERING:
		conn_free(c);
		return;
	case CONN_HANDLING:
	case CONN_CLOSING:
		return;
	}
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (what & BEV_EVENT_EOF) {
		conn_eof(c);
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		log_debug("http", "uid %ld pid %ld: does not read its answer: closed", c->uid,
			  c->pid);
	conn_free(c);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd, (void)what;
	if (c->state == CONN_READING)
		conn_refuse(c, 408, "the request was not complete in time");
	else
		conn_free(c);
}

/* SO_PEERGROUPS answers ERANGE with the size it needs. */
static void find_groups(struct conn *c, evutil_socket_t fd, gid_t own)
{
	socklen_t len = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) < 0 && errno != ERANGE)
		len = 0;
	c->groups = mem_alloc(sizeof(*c->groups) + len);
	c->groups[0] = own;
	c->n_groups = 1;
	if (len > 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, c->groups + 1, &len) == 0)
		c->n_groups += len / sizeof(*c->groups);
}

static void find_peer(struct conn *c, evutil_socket_t fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	c->uid = c->pid = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid == (uid_t)-1)
		return;
	c->uid = cred.uid;
	find_groups(c, fd, cred.gid);
	if (cred.pid > 0) /* 0: in a PID namespace that this one cannot see */
		c->pid = cred.pid;
}

void conn_new(struct http_server *s, evutil_socket_t fd)
{
	struct timeval write_timeout = from_ms(s->limits.idle_timeout_ms);
	struct conn *c = mem_zalloc(sizeof(*c));

	c->server = s;
	find_peer(c, fd);
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->timer = evtimer_new(s->base, timer_cb, c);
	c->turn = evtimer_new(s->base, turn_cb, c);
	c->parse = http_parse_new(s->limits.headers_max_bytes, s->limits.body_max_bytes);
	bufferevent_setcb(c->bev, read_cb, write_cb, event_cb, c);
	bufferevent_set_timeouts(c->bev, NULL, &write_timeout);
	bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_HIGH_BYTES);
	bufferevent_setwatermark(c->bev, EV_WRITE, OUTPUT_LOW_BYTES, 0);
	bufferevent_set_max_single_read(c->bev, SLICE_BYTES);
	bufferevent_set_max_single_write(c->bev, SLICE_BYTES);
	TAILQ_INSERT_TAIL(&s->conns, c, all);
	TAILQ_INSERT_TAIL(&s->idle, c, idle);
	s->n_conns++;
	set_state(c, CONN_IDLE);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (s->n_conns > s->limits.connections_max)
		conn_refuse(c, 503, "too many connections");
}

void conn_free(struct conn *c)
{
	struct http_server *s = c->server;
	struct http_request *req = c->req;

	if (c->state == CONN_IDLE)
		TAILQ_REMOVE(&s->idle, c, idle);
	TAILQ_REMOVE(&s->conns, c, all);
	s->n_conns--;
	count_body(c, 0);
	bufferevent_free(c->bev);
	event_free(c->timer);
	event_free(c->turn);
	http_parse_free(c->parse);
	free(c->groups);
	free(c);
	if (req)
		reply_abandon(req);
}
