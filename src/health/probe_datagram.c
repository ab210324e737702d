/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket is connected, so that the kernel sorts the answers, takes only those of the backend,
 * and reports an ICMP error as one of the socket's. After a question that had no answer the next
 * one gets a new socket, and with that another port: what may still come for the old one is not
 * taken for its answer. Nor is one kept while there are too many.
 */
#include "health/probe_datagram.h"

#include <errno.h>

#include "health/probe_socket.h"

static void close_socket(struct datagram *d)
{
	if (!d->fd)
		return;
	event_del(&d->event);
	probe_close(&d->probe, d->fd - 1);
	d->fd = 0;
}

static void failed(struct datagram *d, const char *what, int code)
{
	close_socket(d);
	probe_done_errno(&d->probe, what, code);
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct datagram *d = arg;
	uint8_t answer[DATAGRAM_BYTES];
	ssize_t len = recv((int)fd, answer, sizeof(answer), 0);

	(void)what;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!d->probe.is_running) { /* late, or an error that nobody waits for */
		if (len < 0)
			close_socket(d);
		return;
	}
	if (len < 0)
		failed(d, "receive", errno);
	else
		d->answer(d, answer, (size_t)len);
}

static bool open_socket(struct datagram *d)
{
	int fd = probe_connect(&d->probe, SOCK_DGRAM);

	if (fd < 0)
		return false;
	d->fd = fd + 1;
	event_assign(&d->event, prober_base(d->probe.prober), fd, EV_READ | EV_PERSIST, readable_cb,
		     d);
	event_add(&d->event, NULL);
	return true;
}

/* A socket that was kept may not do any more (its source address has gone); a new one will tell
 * why. */
void datagram_ask(struct datagram *d, const void *question, size_t len, datagram_answer_fn *answer)
{
	d->answer = answer;
	d->probe.stage = "waiting for a reply";
	if (d->fd && send(d->fd - 1, question, len, 0) >= 0)
		return;
	close_socket(d);
	if (open_socket(d) && send(d->fd - 1, question, len, 0) < 0)
		failed(d, "send", errno);
}

void datagram_answered(struct datagram *d)
{
	if (!probe_may_keep(&d->probe))
		close_socket(d);
}

void datagram_cancel(struct probe *p)
{
	close_socket((struct datagram *)p);
}

void datagram_fini(struct probe *p)
{
	close_socket((struct datagram *)p);
}
