/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What http.c (server), http_conn.c (connections) and http_reply.c (answers)
 * share. Nobody else includes it.
 */
#ifndef FNAT_API_HTTP_INTERNAL_H
#define FNAT_API_HTTP_INTERNAL_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <sys/queue.h>

#include "api/http.h"
#include "api/http_listen.h"
#include "api/http_parse.h"
#include "api/http_target.h"

/* Bytes of output above which a client gets nothing more to eat until it has taken some. */
#define OUTPUT_LOW_BYTES (64u << 10)
/* Input that waits while a request is with its handler. */
#define INPUT_HIGH_BYTES (64u << 10)
/* Input and output of one turn. */
#define SLICE_BYTES (64u << 10)
/* How long the last answer on a connection may take to be read before it is cut. */
#define LINGER_MS 1000

enum conn_state {
	CONN_IDLE,     /* between requests */
	CONN_READING,  /* a part of a request is here */
	CONN_HANDLING, /* a request is with its handler; what follows it waits */
	CONN_CLOSING,  /* the last answer is on its way; what still comes is thrown away */
	CONN_LINGERING /* it is sent; the client is given time to read it */
};

struct conn {
	struct http_server *server;
	TAILQ_ENTRY(conn) all, idle;
	enum conn_state state;
	bool is_eof; /* the client sends no more */
	struct bufferevent *bev;
	struct event *timer; /* deadline of the state */
	struct event *turn;  /* go on with what is here at the next turn of the loop */
	struct http_parse *parse;
	size_t body_bytes;        /* of the request being read, as counted in the server */
	struct http_request *req; /* CONN_HANDLING */
	long uid, pid;
	gid_t *groups; /* the peer's, its own first; owned */
	size_t n_groups;
};

TAILQ_HEAD(conn_list, conn);

struct http_server {
	struct event_base *base;
	struct http_limits limits;
	http_handler_fn *handler;
	void *arg;
	struct evconnlistener *listener;
	struct event *accept_again; /* after the process ran out of descriptors */
	struct unix_listener unix_listener;
	struct conn_list conns;
	struct conn_list idle; /* those in CONN_IDLE, longest first */
	unsigned int n_conns;
	size_t body_bytes; /* of all requests being read */
};

struct http_request {
	struct conn *conn; /* NULL: the client has left */
	struct http_message msg;
	struct http_target target;
	struct evbuffer *headers; /* of the reply */
	const struct http_stream *stream;
	void *stream_arg;
	bool is_streaming, is_chunked, has_no_body;
	long uid, pid;
};

/* http_conn.c */
void conn_new(struct http_server *s, evutil_socket_t fd);
/* Cuts the connection; a request still with its handler stays. */
void conn_free(struct conn *c);
/* Its request was answered. */
void conn_answered(struct conn *c, bool is_last);
void conn_wake(struct conn *c);

/* http_reply.c */
void http_request_free(struct http_request *req);
/* A refusal of the server's own, on a connection that has no request. */
void reply_refusal(struct conn *c, int status, const char *detail);
/* "HTTP/1.1 100 Continue" */
void reply_continue(struct conn *c);
/* Ask the stream for more where there is room. */
void reply_more(struct http_request *req);
/* The client left: the stream is told, the request is gone. */
void reply_abandon(struct http_request *req);

#endif
