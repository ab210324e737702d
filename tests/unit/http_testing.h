/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HTTP server on a thread of its own, and clients of it that may block.
 */
#ifndef FNAT_TESTS_HTTP_TESTING_H
#define FNAT_TESTS_HTTP_TESTING_H

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "api/http.h"
#include "base/mem.h"
#include "suite.h"

#define STREAM_BYTES  (8u << 20)
#define STREAM_PIECE  (48u << 10)
#define ANSWER_MAX    (STREAM_BYTES * 2)
#define WAIT_MS       20000
#define OTHERS_MAX_MS 10

/* Server side. */

static struct {
	pthread_t thread;
	struct event_base *base;
	struct http_server *http;
	struct http_limits limits;
	char path[64];
	int stop_fd, ready_fd;
	struct http_request *held; /* GET /hold: answered by GET /release */
	int streams_done;          /* atomic */
	size_t high_water;         /* of a stream's pending bytes; atomic */
} srv;

struct stream {
	size_t sent;
};

static void stream_more(struct http_request *req, void *arg)
{
	static char piece[STREAM_PIECE];
	struct stream *s = arg;
	size_t pending = http_reply_pending(req);

	if (pending > __atomic_load_n(&srv.high_water, __ATOMIC_RELAXED))
		__atomic_store_n(&srv.high_water, pending, __ATOMIC_RELAXED);
	if (s->sent >= STREAM_BYTES) {
		http_reply_end(req);
		return;
	}
	memset(piece, 'x', sizeof(piece));
	http_reply_chunk(req, piece, sizeof(piece));
	s->sent += sizeof(piece);
}

static void stream_done(void *arg)
{
	free(arg);
	__atomic_add_fetch(&srv.streams_done, 1, __ATOMIC_RELAXED);
}

static const struct http_stream stream = { stream_more, stream_done };
static const struct http_stream quiet_stream = { NULL, stream_done };

static void later_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	http_reply(arg, 200, "text/plain", "later", 5);
}

static void echo(struct http_request *req)
{
	char text[512];
	size_t len, n = 0;
	long uid, pid;

	http_body(req, &len);
	http_peer(req, &uid, &pid);
	n += (size_t)snprintf(text, sizeof(text), "%s", http_method(req));
	for (size_t i = 0; i < http_n_segments(req); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " <%s>", http_segment(req, i));
	n += (size_t)snprintf(text + n, sizeof(text) - n, " q=%s x=%s body=%zu uid=%ld",
			      http_query(req, "q") ? http_query(req, "q") : "-",
			      http_header(req, "X-Test") ? http_header(req, "X-Test") : "-", len,
			      uid);
	http_set_header(req, "ETag", "\"17\"");
	http_reply(req, 200, "text/plain", text, n);
}

static void handle(struct http_request *req, void *arg)
{
	static const struct timeval soon = { 0, 20000 };
	const char *first = http_n_segments(req) ? http_segment(req, 0) : "";

	(void)arg;
	if (strcmp(first, "later") == 0) {
		event_base_once(srv.base, -1, EV_TIMEOUT, later_cb, req, &soon);
	} else if (strcmp(first, "hold") == 0) {
		srv.held = req;
	} else if (strcmp(first, "release") == 0) {
		if (srv.held)
			http_reply(srv.held, 200, "text/plain", "held", 4);
		http_reply(req, srv.held ? 200 : 404, NULL, NULL, 0);
		srv.held = NULL;
	} else if (strcmp(first, "stream") == 0) {
		http_reply_start(req, 200, "text/plain", &stream,
				 mem_zalloc(sizeof(struct stream)));
	} else if (strcmp(first, "quiet") == 0) {
		http_reply_start(req, 200, "text/plain", &quiet_stream, NULL);
	} else if (strcmp(first, "none") == 0) {
		http_reply(req, 204, NULL, NULL, 0);
	} else {
		echo(req);
	}
}

static void stop_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(arg);
}

static void *serve(void *arg)
{
	struct err err = ERR_INIT;
	struct event *stop;

	(void)arg;
	srv.base = event_base_new();
	srv.http = http_new(srv.base, &srv.limits, handle, NULL);
	ck_assert_int_eq(http_listen_unix(srv.http, srv.path, 0600, (gid_t)-1, &err), 0);
	stop = event_new(srv.base, srv.stop_fd, EV_READ, stop_cb, srv.base);
	event_add(stop, NULL);
	eventfd_write(srv.ready_fd, 1);
	event_base_dispatch(srv.base);
	event_free(stop);
	http_free(srv.http);
	if (srv.held)
		http_reply(srv.held, 200, NULL, NULL, 0); /* its connection is long gone */
	event_base_free(srv.base);
	return NULL;
}

static void start(struct http_limits limits)
{
	eventfd_t ready;

	memset(&srv, 0, sizeof(srv));
	srv.limits = limits;
	snprintf(srv.path, sizeof(srv.path), "/tmp/fnat-test-http-%d", getpid());
	srv.stop_fd = eventfd(0, EFD_CLOEXEC);
	srv.ready_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(pthread_create(&srv.thread, NULL, serve, NULL), 0);
	eventfd_read(srv.ready_fd, &ready);
}

static void start_default(void)
{
	start((struct http_limits){ 0 });
}

static void stop(void)
{
	eventfd_write(srv.stop_fd, 1);
	pthread_join(srv.thread, NULL);
	close(srv.stop_fd);
	close(srv.ready_fd);
	ck_assert_int_lt(access(srv.path, F_OK), 0);
}

/* Client side. */

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { WAIT_MS / 1000, 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", srv.path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

/* False when the server has closed. */
static bool say_n(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static void say(int fd, const char *text)
{
	ck_assert(say_n(fd, text, strlen(text)));
}

/* Everything until the server closes; static storage. */
static const char *hear_all(int fd)
{
	static char *text;
	size_t len = 0;
	ssize_t n;

	if (!text)
		text = mem_alloc(ANSWER_MAX + 1);
	while ((n = recv(fd, text + len, ANSWER_MAX - len, 0)) > 0)
		len += (size_t)n;
	ck_assert_msg(n == 0, "recv: %s after %zu bytes", strerror(errno), len);
	text[len] = '\0';
	close(fd);
	return text;
}

/* One answer with Content-Length (or without body); static storage. */
static const char *hear_one(int fd, bool is_head)
{
	static char text[65536];
	size_t len = 0, want = 0;
	char *end = NULL, *p;

	while (!end || len < want) {
		/* Byte by byte up to the end of the head, so that nothing of the next is eaten. */
		ssize_t n = recv(fd, text + len, end ? want - len : 1, 0);

		ck_assert_msg(n > 0, "closed after \"%.*s\"", (int)len, text);
		len += (size_t)n;
		text[len] = '\0';
		if (end || !(end = strstr(text, "\r\n\r\n")))
			continue;
		p = strstr(text, "Content-Length: ");
		want = len + (p && !is_head ? strtoul(p + 16, NULL, 10) : 0);
	}
	return text;
}

static const char *ask(const char *request)
{
	int fd = dial();

	say(fd, request);
	shutdown(fd, SHUT_WR);
	return hear_all(fd);
}

#define assert_has(text, what) ck_assert_msg(strstr(text, what), "no \"%s\" in: %.600s", what, text)

static void assert_problem(const char *answer, int status)
{
	char line[32], member[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	snprintf(member, sizeof(member), "\"status\":%d", status);
	assert_has(answer, line);
	assert_has(answer, "Content-Type: application/problem+json\r\n");
	assert_has(answer, member);
	assert_has(answer, "Connection: close\r\n");
}

/* How much longer everything may take, by the variable of libcheck that says it of timeouts. */
static double patience(void)
{
	const char *factor = getenv("CK_TIMEOUT_MULTIPLIER");

	return factor ? atof(factor) : 1;
}

/* How long the longest of some simple requests takes meanwhile. */
static void assert_others_served(void)
{
	double worst = 0, best = 1e9;
	int fd = dial();

	for (int i = 0; i < 20; i++) {
		double before = now_ms(), took;

		say(fd, "GET /ping HTTP/1.1\r\n\r\n");
		assert_has(hear_one(fd, false), "200 OK");
		took = now_ms() - before;
		worst = took > worst ? took : worst;
		best = took < best ? took : best;
	}
	close(fd);
	/* A loaded machine may stall this process itself: the best says what the server does. */
	ck_assert_msg(best < OTHERS_MAX_MS * patience(), "best %f ms, worst %f ms", best, worst);
}

#endif
