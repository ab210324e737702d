/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server: sockets are libevent's bufferevents, the wire format is
 * http-parser's. Why neither evhttp nor libmicrohttpd: see http_parse.c.
 *
 * A client can cost the others little: each connection gets a slice of input per
 * turn of the loop, one request at a time; its next request is not looked at while
 * it leaves answers unread; every state of a connection has a deadline; and what
 * all connections hold together is bounded by connections_max and BODIES_FACTOR.
 */
#include "api/http.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/http_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define ACCEPT_PAUSE_MS 100
#define TCP_BACKLOG     128

/* A connection above the limit still gets its 503, but there is an end to that too. */
#define CONNECTIONS_REFUSED_MAX 64

static void accept_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
		      int len, void *arg)
{
	struct http_server *s = arg;

	(void)listener, (void)sa, (void)len;
	if (s->n_conns >= s->limits.connections_max && !TAILQ_EMPTY(&s->idle))
		conn_free(TAILQ_FIRST(&s->idle));
	if (s->n_conns >= s->limits.connections_max + CONNECTIONS_REFUSED_MAX) {
		evutil_closesocket(fd);
		return;
	}
	conn_new(s, fd);
}

/* Out of descriptors or memory: the listener would report it on each turn of the loop. */
static void accept_error_cb(struct evconnlistener *listener, void *arg)
{
	struct http_server *s = arg;
	struct timeval pause = { 0, ACCEPT_PAUSE_MS * 1000 };

	log_warn("http", "cannot accept a connection: %s", strerror(errno));
	if (!TAILQ_EMPTY(&s->idle))
		conn_free(TAILQ_FIRST(&s->idle));
	evconnlistener_disable(listener);
	evtimer_add(s->accept_again, &pause);
}

static void accept_again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	(void)fd, (void)what;
	if (s->listener)
		evconnlistener_enable(s->listener);
}

static struct http_limits with_defaults(struct http_limits l)
{
	if (!l.body_max_bytes)
		l.body_max_bytes = HTTP_BODY_MAX_DEFAULT;
	if (!l.headers_max_bytes)
		l.headers_max_bytes = HTTP_HEADERS_MAX_DEFAULT;
	if (!l.connections_max)
		l.connections_max = HTTP_CONNECTIONS_MAX_DEFAULT;
	if (!l.request_timeout_ms)
		l.request_timeout_ms = HTTP_REQUEST_TIMEOUT_MS_DEFAULT;
	if (!l.idle_timeout_ms)
		l.idle_timeout_ms = HTTP_IDLE_TIMEOUT_MS_DEFAULT;
	return l;
}

/* A client that left between two reads is found out by a write: that is EPIPE, not the end. */
static void ignore_sigpipe(void)
{
	struct sigaction now;

	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

struct http_server *http_new(struct event_base *base, const struct http_limits *limits,
			     http_handler_fn *handler, void *arg)
{
	struct http_server *s = mem_zalloc(sizeof(*s));

	ignore_sigpipe();
	s->base = base;
	s->limits = with_defaults(*limits);
	s->handler = handler;
	s->arg = arg;
	s->unix_listener.fd = -1;
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->idle);
	s->accept_again = evtimer_new(base, accept_again_cb, s);
	return s;
}

int http_listen_unix(struct http_server *s, const char *socket_path, mode_t mode, gid_t gid,
		     struct err *err)
{
	int rc = unix_listener_open(socket_path, mode, gid, &s->unix_listener, err);

	if (rc == 0)
		rc = http_listen_fd(s, s->unix_listener.fd, err);
	if (rc)
		unix_listener_remove(&s->unix_listener);
	return rc;
}

int http_listen_fd(struct http_server *s, int fd, struct err *err)
{
	int is_listening = 0;
	socklen_t len = sizeof(is_listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) < 0 || !is_listening) {
		close(fd);
		return err_add(err, ERR_INVALID, -EINVAL, NULL,
			       "descriptor %d: expected a stream socket that listens (for systemd: "
			       "ListenStream=, Accept=no)",
			       fd);
	}
	evutil_make_socket_nonblocking(fd);
	s->listener = evconnlistener_new(s->base, accept_cb, s,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!s->listener) {
		close(fd);
		return err_add(err, ERR_SYSTEM, -EIO, NULL, "socket %d: cannot listen", fd);
	}
	evconnlistener_set_error_cb(s->listener, accept_error_cb);
	return 0;
}

int http_listen_tcp(struct http_server *s, const char *address, struct err *err)
{
	struct sockaddr_storage sa;
	int len = sizeof(sa), fd = -1;

	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&sa, &len) < 0)
		return err_add(err, ERR_INVALID, -EINVAL, NULL,
			       "%s: expected ADDRESS:PORT, as 127.0.0.1:9800 or [::1]:9800",
			       address);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || evutil_make_listen_socket_reuseable(fd) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, (socklen_t)len) < 0 || listen(fd, TCP_BACKLOG) < 0) {
		int code = -errno;

		if (fd >= 0)
			close(fd);
		return err_add(err, ERR_SYSTEM, code, NULL, "%s: cannot listen: %s", address,
			       strerror(-code));
	}
	return http_listen_fd(s, fd, err);
}

/* The loop does not run any more: what answers are left are written here. */
static void flush_answers(struct http_server *s, uint64_t until_ms)
{
	struct conn *c;

	TAILQ_FOREACH(c, &s->conns, all)
	{
		struct evbuffer *out = bufferevent_get_output(c->bev);
		evutil_socket_t fd = bufferevent_getfd(c->bev);

		bufferevent_disable(c->bev, EV_READ | EV_WRITE);
		evbuffer_unfreeze(out, 1); /* a bufferevent keeps others from draining it */
		while (evbuffer_get_length(out) > 0 && clock_mono_ms() < until_ms) {
			struct timespec pause = { 0, 1000000 };

			if (evbuffer_write(out, fd) >= 0)
				continue;
			if (errno != EAGAIN && errno != EINTR)
				break;
			nanosleep(&pause, NULL);
		}
	}
}

void http_free(struct http_server *s)
{
	if (!s)
		return;
	if (s->listener)
		evconnlistener_free(s->listener);
	unix_listener_remove(&s->unix_listener);
	event_free(s->accept_again);
	flush_answers(s, clock_mono_ms() + 1000);
	while (!TAILQ_EMPTY(&s->conns))
		conn_free(TAILQ_FIRST(&s->conns));
	free(s);
}

unsigned int http_n_connections(const struct http_server *s)
{
	return s->n_conns;
}

const char *http_method(const struct http_request *req)
{
	return req->msg.method;
}

const char *http_target(const struct http_request *req)
{
	return req->msg.target;
}

size_t http_n_segments(const struct http_request *req)
{
	return req->target.n_segments;
}

const char *http_segment(const struct http_request *req, size_t i)
{
	return req->target.segments[i];
}

const char *http_query(const struct http_request *req, const char *name)
{
	for (size_t i = 0; i < req->target.n_queries; i++)
		if (strcmp(req->target.queries[i].name, name) == 0)
			return req->target.queries[i].value;
	return NULL;
}

const char *http_query_name(const struct http_request *req, size_t i)
{
	return i < req->target.n_queries ? req->target.queries[i].name : NULL;
}

const char *http_header(const struct http_request *req, const char *name)
{
	return http_message_field(&req->msg, name);
}

const char *http_body(const struct http_request *req, size_t *len)
{
	*len = req->msg.body_len;
	return req->msg.body;
}

char *http_body_take(struct http_request *req, size_t *len)
{
	char *body = req->msg.body;

	*len = req->msg.body_len;
	req->msg.body = NULL;
	req->msg.body_len = req->msg.body_cap = 0;
	return body;
}

bool http_peer_is_member(const struct http_request *req, gid_t gid)
{
	if (!req->conn || gid == (gid_t)-1)
		return false;
	for (size_t i = 0; i < req->conn->n_groups; i++)
		if (req->conn->groups[i] == gid)
			return true;
	return false;
}

void http_peer(const struct http_request *req, long *uid, long *pid)
{
	*uid = req->uid;
	*pid = req->pid;
}
