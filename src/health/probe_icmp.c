/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icmp: an echo request, and its reply. All probes share one socket a family. An unprivileged
 * "ping" socket where the system allows that (net.ipv4.ping_group_range), else a raw one, which
 * takes CAP_NET_RAW. What is in the payload says which probe a reply is for, and, being hard
 * to guess, that it is a reply.
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "health/icmp_message.h"
#include "health/probe_socket.h"
#include "health/probe_types.h"

/* Replies that are taken at a time, before the loop serves others. */
#define REPLIES_PER_ROUND 256
#define RECEIVE_BYTES     (1 << 20)

struct ping {
	struct probe probe;
	struct icmp_cookie cookie; /* of the request that is open */
};

struct shared {
	struct event *event;
	int fd; /* as fd + 1; 0: none */
	bool is_raw;
};

struct icmp_shared {
	struct shared v4, v6;
	struct ping **open; /* by cookie.index; NULL: free */
	uint32_t n, cap, last;
	uint64_t random;
};

static struct ping *take_open(struct icmp_shared *s, const struct icmp_cookie *cookie)
{
	struct ping *i = cookie->index < s->cap ? s->open[cookie->index] : NULL;

	if (!i || i->cookie.secret != cookie->secret)
		return NULL;
	return i;
}

static void forget(struct icmp_shared *s, struct ping *i)
{
	s->open[i->cookie.index] = NULL;
	s->n--;
}

/* A free index; the last used ones are left alone as long as possible. */
static uint32_t free_index(struct icmp_shared *s)
{
	if (2 * s->n >= s->cap) {
		uint32_t cap = s->cap ? 2 * s->cap : 64;

		s->open = mem_realloc(s->open, cap, sizeof(struct ping *));
		memset(s->open + s->cap, 0, (cap - s->cap) * sizeof(struct ping *));
		s->cap = cap;
	}
	do
		s->last = (s->last + 1) % s->cap;
	while (s->open[s->last]);
	return s->last;
}

static void reply_cb(evutil_socket_t fd, short what, void *arg)
{
	struct icmp_shared *s = arg;

	(void)what;
	for (unsigned int i = 0; i < REPLIES_PER_ROUND; i++) {
		const struct shared *side = (int)fd == s->v4.fd - 1 ? &s->v4 : &s->v6;
		struct sockaddr_storage from = { 0 };
		socklen_t from_len = sizeof(from);
		struct icmp_cookie cookie;
		uint8_t reply[ICMP_MESSAGE_BYTES + 64];
		struct ping *probe;
		struct addr address;
		ssize_t len = recvfrom((int)fd, reply, sizeof(reply), 0, (struct sockaddr *)&from,
				       &from_len);

		if (len < 0)
			return;
		if (!icmp_parse(reply, (size_t)len, from.ss_family, side->is_raw, &cookie))
			continue;
		probe = take_open(s, &cookie);
		address = probe_address(&from);
		if (!probe || !addr_equal(&address, &probe->probe.target.address))
			continue;
		forget(s, probe);
		probe_done(&probe->probe, PROBE_OK, "reply");
	}
}

/* Only replies, so that a raw socket does not wake for what others do. */
static void filter_replies(int fd, int family)
{
	uint32_t filter = ~(1u << ICMP_ECHOREPLY);
	struct icmp6_filter filter6;

	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	if (family == AF_INET)
		setsockopt(fd, SOL_RAW, 1 /* ICMP_FILTER, linux/icmp.h */, &filter, sizeof(filter));
	else
		setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6));
}

/* False: errno says why. */
static bool open_side(struct icmp_shared *s, struct shared *side, int family,
		      struct event_base *base)
{
	int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, size = RECEIVE_BYTES;
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(family, SOCK_DGRAM | flags, protocol);

	side->is_raw = fd < 0;
	if (fd < 0)
		fd = socket(family, SOCK_RAW | flags, protocol);
	if (fd < 0)
		return false;
	if (side->is_raw)
		filter_replies(fd, family);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	side->fd = fd + 1;
	side->event = event_new(base, fd, EV_READ | EV_PERSIST, reply_cb, s);
	event_add(side->event, NULL);
	return true;
}

static void *icmp_open(struct prober *r)
{
	struct icmp_shared *s = mem_zalloc(sizeof(*s));

	(void)r;
	if (getrandom(&s->random, sizeof(s->random), 0) < 0)
		s->random = clock_mono_us();
	return s;
}

static void close_side(struct shared *side)
{
	if (!side->fd)
		return;
	event_free(side->event);
	close(side->fd - 1);
}

static void icmp_close(void *shared)
{
	struct icmp_shared *s = shared;

	close_side(&s->v4);
	close_side(&s->v6);
	free(s->open);
	free(s);
}

/* 0 or an errno. */
static int send_request(const struct shared *side, const struct probe *p, const void *message,
			size_t len)
{
	struct sockaddr_storage name;
	struct iovec iov = { .iov_base = (void *)message, .iov_len = len };
	union {
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct msghdr msg = { .msg_name = &name,
			      .msg_namelen = probe_sockaddr(&p->target.address, 0, &name),
			      .msg_iov = &iov,
			      .msg_iovlen = 1 };

	if (p->source.family != AF_UNSPEC) {
		msg.msg_control = control.buf;
		msg.msg_controllen = icmp_source(&p->source, control.buf);
	}
	return sendmsg(side->fd - 1, &msg, 0) < 0 ? errno : 0;
}

static void icmp_start(struct probe *p)
{
	struct icmp_shared *s = probe_shared(p);
	struct ping *i = (struct ping *)p;
	uint8_t message[ICMP_MESSAGE_BYTES], family = p->target.address.family;
	struct shared *side = family == AF_INET ? &s->v4 : &s->v6;
	int code;

	if (!side->fd && !open_side(s, side, family, prober_base(p->prober))) {
		probe_done(p, PROBE_UNDONE,
			   "no socket for ICMP: %s; let fnatd's group ping "
			   "(net.ipv4.ping_group_range), or give it CAP_NET_RAW",
			   strerror(errno));
		return;
	}
	i->cookie.index = free_index(s);
	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	i->cookie.secret = s->random >> 16 ^ (uint64_t)(uintptr_t)i;
	icmp_request(family, &i->cookie, message);
	s->open[i->cookie.index] = i;
	s->n++;
	p->stage = "waiting for a reply";
	code = send_request(side, p, message, sizeof(message));
	if (code) {
		forget(s, i);
		probe_done_errno(p, "send", code);
	}
}

static void icmp_cancel(struct probe *p)
{
	forget(probe_shared(p), (struct ping *)p);
}

const struct probe_type probe_icmp = {
	.name = "icmp",
	.bytes = sizeof(struct ping),
	.start = icmp_start,
	.cancel = icmp_cancel,
	.open = icmp_open,
	.close = icmp_close,
};
