/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HTTP/1.1 server for a handful of trusted clients: an orchestrator, an
 * operator, a metrics scraper. Neutral: nothing here tells which library does it
 * (http_parse.c and http_conn.c know, and say why).
 *
 * What the server refuses by itself (bad syntax, too large, too slow, ...) is
 * answered with problem+json, like everything else.
 */
#ifndef FNAT_API_HTTP_H
#define FNAT_API_HTTP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct http_server;
struct http_request;

#define HTTP_BODY_MAX_DEFAULT           (16u << 20)
#define HTTP_HEADERS_MAX_DEFAULT        (32u << 10)
#define HTTP_CONNECTIONS_MAX_DEFAULT    1024u
#define HTTP_REQUEST_TIMEOUT_MS_DEFAULT 30000u
#define HTTP_IDLE_TIMEOUT_MS_DEFAULT    300000u

/* 0 stands for the default. */
struct http_limits {
	size_t body_max_bytes;    /* over: 413 */
	size_t headers_max_bytes; /* request line and header fields; over: 431, or 414 */
	/* Over: the connection idle for longest goes; 503 when none is idle. */
	unsigned int connections_max;
	unsigned int request_timeout_ms; /* first byte of a request to its last; over: 408 */
	/* A connection without a request, or that takes nothing of its answer: closed. */
	unsigned int idle_timeout_ms;
};

/*
 * Called on the loop for each request; must end, now or later, in one
 * http_reply(), http_reply_take() or http_reply_start().
 */
typedef void http_handler_fn(struct http_request *req, void *arg);

/* Ignores SIGPIPE in the process, unless somebody handles it. */
struct http_server *http_new(struct event_base *base, const struct http_limits *limits,
			     http_handler_fn *handler, void *arg);

/*
 * Listen on a Unix socket (a stale socket file is replaced; mode and group as
 * given, gid -1: leave). ERR_CONFLICT when a live daemon answers there.
 */
int http_listen_unix(struct http_server *s, const char *socket_path, mode_t mode, gid_t gid,
		     struct err *err);

/* Likewise on TCP: "127.0.0.1:9800", "[::1]:9800". */
int http_listen_tcp(struct http_server *s, const char *address, struct err *err);

/* Likewise on a socket that listens already (systemd.socket(5)); fd is taken. */
int http_listen_fd(struct http_server *s, int fd, struct err *err);

/*
 * Stops accepting, lets answers on their way finish for up to a second (blocking), removes the
 * socket. Requests that are still with a handler stay valid until answered; the answer is lost.
 */
void http_free(struct http_server *s);

/* Connections open now, for the status. */
unsigned int http_n_connections(const struct http_server *s);

/* All borrowed until the reply. Method in capitals; path percent-decoded segment by segment. */
const char *http_method(const struct http_request *req);
/* As it came, printable ASCII: for the log. */
const char *http_target(const struct http_request *req);
size_t http_n_segments(const struct http_request *req);
const char *http_segment(const struct http_request *req, size_t i);
/* Value of a query parameter ("" when it has none), NULL when absent; the first of several. */
const char *http_query(const struct http_request *req, const char *name);
/* Name of query parameter i, NULL after the last. */
const char *http_query_name(const struct http_request *req, size_t i);
/* Value of a header field (any case), NULL when absent. Several are joined by ", ". */
const char *http_header(const struct http_request *req, const char *name);
const char *http_body(const struct http_request *req, size_t *len);
/* The body becomes the caller's, to free(); NULL when there is none. */
char *http_body_take(struct http_request *req, size_t *len);
/* SO_PEERCRED of the connection; -1 where unknown. */
void http_peer(const struct http_request *req, long *uid, long *pid);
/* Is gid the peer's group, or one of its supplementary groups? Only while the handler runs. */
bool http_peer_is_member(const struct http_request *req, gid_t gid);

/* Before the reply. No CR or LF in it. */
void http_set_header(struct http_request *req, const char *name, const char *value);

/* body may be NULL. Copies it. req is gone afterwards. Fine when the client has left meanwhile. */
void http_reply(struct http_request *req, int status, const char *content_type, const char *body,
		size_t len);
/* The same; body is malloc()ed and taken over. */
void http_reply_take(struct http_request *req, int status, const char *content_type, char *body,
		     size_t len);

/*
 * A reply whose length is not known when it begins, or that is too large to be
 * made at once.
 */
struct http_stream {
	/*
	 * The client has taken most of what was given: give a piece more with
	 * http_reply_chunk() (milliseconds of work at most), or http_reply_end(); or
	 * nothing, and http_reply_resume() when there is something. May be NULL.
	 */
	void (*more)(struct http_request *req, void *arg);
	/*
	 * Exactly once: the reply ended (http_reply_end()), the client left, or it
	 * wants no body (HEAD). Frees what arg owns. req is gone.
	 */
	void (*done)(void *arg);
};

/* Sends the head. The last thing a handler does: may call done() before it returns. */
void http_reply_start(struct http_request *req, int status, const char *content_type,
		      const struct http_stream *stream, void *arg);
/* len 0 is fine. Copies. */
void http_reply_chunk(struct http_request *req, const char *data, size_t len);
/* Have more() called again, on a later turn of the loop. */
void http_reply_resume(struct http_request *req);
/* Calls done(). */
void http_reply_end(struct http_request *req);
/* Bytes given that the client has not taken: how a stream notices a slow reader. */
size_t http_reply_pending(const struct http_request *req);

#endif
