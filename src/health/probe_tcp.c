/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp: a connection is accepted. That is all it shows: a process that hangs still has a kernel
 * that accepts, until its backlog is full.
 *
 * Most of what a check costs is the kernel's: a socket is made, watched, connected, closed. So a
 * backend keeps its socket, and epoll its entry. connect(2) to AF_UNSPEC resets the connection,
 * which leaves no TIME_WAIT, and gives the local address and port back; what is left is as good
 * as new, and edges are all that is seen of it.
 */
#include <event2/event_struct.h>

#include "health/probe_socket.h"
#include "health/probe_types.h"

struct tcp {
	struct probe probe;
	struct event event;
	int fd; /* as fd + 1; 0: none is open */
};

static void close_socket(struct tcp *t)
{
	if (!t->fd)
		return;
	event_del(&t->event);
	probe_abort(&t->probe, t->fd - 1);
	t->fd = 0;
}

/* The connection goes, the socket may stay. */
static void disconnect(struct tcp *t)
{
	if (!probe_may_keep(&t->probe) || !probe_disconnect(t->fd - 1))
		close_socket(t);
}

static void tcp_stop(struct probe *p)
{
	close_socket((struct tcp *)p);
}

static void tcp_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	struct probe *p = &t->probe;
	int code = 0;

	if (!p->is_running) /* an edge of having disconnected */
		return;
	/* Writable, and no more than that: neither an error nor an end, so nobody need be asked. */
	if (what & EV_READ)
		code = probe_connect_error(fd);
	if (code == 0 && what & EV_READ && !probe_is_connected(fd))
		return;
	if (code) {
		close_socket(t);
		probe_done_errno(p, "connect", code);
		return;
	}
	disconnect(t);
	probe_done(p, PROBE_OK, "connected");
}

static bool connect_anew(struct tcp *t)
{
	int fd = probe_connect(&t->probe, SOCK_STREAM);

	if (fd < 0)
		return false;
	t->fd = fd + 1;
	event_assign(&t->event, prober_base(t->probe.prober), fd,
		     EV_READ | EV_WRITE | EV_ET | EV_PERSIST, tcp_cb, t);
	event_add(&t->event, NULL);
	return true;
}

/* One that was kept may not do any more (its source address has gone); a new one will tell why. */
static void tcp_start(struct probe *p)
{
	struct tcp *t = (struct tcp *)p;

	p->stage = "connecting";
	if (t->fd && probe_reconnect(p, t->fd - 1))
		return;
	close_socket(t);
	connect_anew(t);
}

const struct probe_type probe_tcp = {
	.name = "tcp",
	.bytes = sizeof(struct tcp),
	.start = tcp_start,
	.cancel = tcp_stop,
	.fini = tcp_stop,
};
