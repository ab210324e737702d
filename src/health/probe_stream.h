/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conversation in text over TCP, for types of probes that work that way: a connection, and what
 * the peer says gathered until a line is complete. Each check has a connection of its own, which
 * is closed with a reset.
 */
#ifndef FNAT_HEALTH_PROBE_STREAM_H
#define FNAT_HEALTH_PROBE_STREAM_H

#include <event2/event_struct.h>

#include "health/probe.h"

/* What is gathered: no line may be longer. */
#define STREAM_BYTES 1024

struct stream;

struct stream_kind {
	/* The connection is there; NULL: nothing to do but to listen. False: it has ended. */
	bool (*connected)(struct stream *s);
	/* There is more in s->data, or the peer is finished (s->is_over). False: it has ended, and
	 * s may be gone. */
	bool (*arrived)(struct stream *s);
};

/* First in the struct of a type. */
struct stream {
	struct probe probe;
	struct event event;
	int fd;
	const struct stream_kind *kind;
	bool is_over; /* nothing more will come */
	size_t n;
	char data[STREAM_BYTES];
};

/* struct probe_type.start() and cancel() of these. */
void stream_start(struct stream *s, const struct stream_kind *kind);
void stream_cancel(struct probe *p);

/* False: it could not be sent, and the probe has ended. What is sent fits in the socket's buffer.
 */
bool stream_send(struct stream *s, const char *text, size_t len);
/* The first so many bytes of data were understood. */
void stream_drop(struct stream *s, size_t len);
/* The connection is closed, the probe has ended. Returns false, for those who return it. */
bool stream_done(struct stream *s, enum probe_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
