/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp: a connection is accepted. That is all it shows: a process that hangs still has a kernel
 * that accepts, until its backlog is full.
 */
#include <event2/event_struct.h>

#include "health/probe_socket.h"
#include "health/probe_types.h"

struct tcp {
	struct probe probe;
	struct event event;
	int fd;
};

static void tcp_stop(struct probe *p)
{
	struct tcp *t = (struct tcp *)p;

	event_del(&t->event);
	probe_close_reset(t->fd);
}

static void tcp_cb(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;
	int code = probe_connect_error(fd);

	(void)what;
	tcp_stop(p);
	if (code)
		probe_done_errno(p, "connect", code);
	else
		probe_done(p, PROBE_OK, "connected");
}

static void tcp_start(struct probe *p)
{
	struct tcp *t = (struct tcp *)p;

	t->fd = probe_connect(p, SOCK_STREAM);
	if (t->fd < 0)
		return;
	p->stage = "connecting";
	event_assign(&t->event, prober_base(p->prober), t->fd, EV_WRITE, tcp_cb, t);
	event_add(&t->event, NULL);
}

const struct probe_type probe_tcp = {
	.name = "tcp",
	.bytes = sizeof(struct tcp),
	.start = tcp_start,
	.cancel = tcp_stop,
};
