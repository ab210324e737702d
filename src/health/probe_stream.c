/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a peer sends is taken into a buffer of fixed size, and a line that does not fit is no line:
 * a peer that never stops costs nobody more than that, and is stopped by the check's timeout.
 */
#include "health/probe_stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "health/probe_socket.h"

static void close_socket(struct stream *s)
{
	event_del(&s->event);
	probe_abort(&s->probe, s->fd);
}

void stream_cancel(struct probe *p)
{
	close_socket((struct stream *)p);
}

static bool failed(struct stream *s, const char *what, int code)
{
	close_socket(s);
	probe_done_errno(&s->probe, what, code);
	return false;
}

bool stream_done(struct stream *s, enum probe_result result, const char *fmt, ...)
{
	char reason[PROBE_REASON_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	close_socket(s);
	probe_done(&s->probe, result, "%s", reason);
	return false;
}

bool stream_send(struct stream *s, const char *text, size_t len)
{
	ssize_t n = send(s->fd, text, len, MSG_NOSIGNAL);

	if (n == (ssize_t)len)
		return true;
	return failed(s, "send", n < 0 ? errno : ENOBUFS);
}

void stream_drop(struct stream *s, size_t len)
{
	s->n -= len;
	memmove(s->data, s->data + len, s->n);
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	ssize_t n = recv((int)fd, s->data + s->n, sizeof(s->data) - s->n, 0);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		failed(s, "receive", errno);
		return;
	}
	s->is_over = n == 0;
	s->n += (size_t)n;
	if (s->kind->arrived(s) && s->n == sizeof(s->data))
		stream_done(s, PROBE_FAILED, "a line of more than %d bytes", STREAM_BYTES);
}

static void connected_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	int code = probe_connect_error((int)fd);

	(void)what;
	if (code) {
		failed(s, "connect", code);
		return;
	}
	s->probe.stage = "waiting for the answer";
	event_assign(&s->event, prober_base(s->probe.prober), fd, EV_READ | EV_PERSIST, readable_cb,
		     s);
	event_add(&s->event, NULL);
	if (s->kind->connected)
		s->kind->connected(s);
}

void stream_start(struct stream *s, const struct stream_kind *kind)
{
	s->fd = probe_connect(&s->probe, SOCK_STREAM);
	if (s->fd < 0)
		return;
	s->kind = kind;
	s->n = 0;
	s->is_over = false;
	s->probe.stage = "connecting";
	event_assign(&s->event, prober_base(s->probe.prober), s->fd, EV_WRITE, connected_cb, s);
	event_add(&s->event, NULL);
}
