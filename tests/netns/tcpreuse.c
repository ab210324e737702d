/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that use their ports again as fast as they can.
 *
 *   tcpreuse SERVER PORT SOURCE ADDRESSES PORTS SECONDS
 *
 * SOURCE and the ADDRESSES - 1 addresses after it (assigned here) each use PORTS fixed ports of
 * their own, each port for one connection after the other: connect, one HTTP request, read until
 * the server closes. The server closes first, so it holds each connection in TIME_WAIT while the
 * next one with the same port comes: a balancer that gives a client's port to another client makes
 * that one wait for a second (a SYN dropped because its timestamp is older, RFC 7323 section 5).
 * Prints {"connections", "failed", "delayed" (0.5 s or more), "slowest_ms"}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT_FIRST  10000
#define DELAYED_NS  500000000ull
#define GIVE_UP_NS  10000000000ull
#define EVENTS      256
#define MAX_CLIENTS 50000

struct client {
	struct sockaddr_in local;
	int fd;
	uint64_t start_ns;
	bool is_connected, has_data;
};

struct run {
	struct sockaddr_in server;
	int epoll;
	struct client *clients;
	uint32_t n, open;
	bool is_over;
	uint64_t connections, failed, delayed, slowest_ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void fail(struct run *r, const char *what)
{
	if (!r->failed++)
		fprintf(stderr, "tcpreuse: %s: %s\n", what, strerror(errno));
}

static void client_close(struct run *r, struct client *c)
{
	close(c->fd);
	c->fd = -1;
	r->open--;
}

/* SO_REUSEADDR lets the port be bound while its last connection is in LAST_ACK. */
static void client_start(struct run *r, struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	int one = 1;

	c->is_connected = c->has_data = false;
	c->start_ns = now_ns();
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r->open++;
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(c->fd, (struct sockaddr *)&c->local, sizeof(c->local)) < 0) {
		fail(r, "bind");
		client_close(r, c);
		return;
	}
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &ev);
	if (connect(c->fd, (struct sockaddr *)&r->server, sizeof(r->server)) < 0 &&
	    errno != EINPROGRESS) {
		/* The last connection waits for its final ACK: not the balancer's matter. */
		if (errno != EADDRNOTAVAIL)
			fail(r, "connect");
		client_close(r, c);
	}
}

static void client_connected(struct run *r, struct client *c)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	uint64_t took = now_ns() - c->start_ns;

	c->is_connected = true;
	if (took > r->slowest_ns)
		r->slowest_ns = took;
	if (took >= DELAYED_NS)
		r->delayed++;
	if (send(c->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		fail(r, "send");
}

/* True when the connection is over. */
static bool client_read(struct run *r, struct client *c)
{
	char buf[4096];
	ssize_t len;

	while ((len = recv(c->fd, buf, sizeof(buf), 0)) > 0)
		c->has_data = true;
	if (len < 0 && errno == EAGAIN)
		return false;
	if (len < 0 || !c->has_data)
		fail(r, "recv");
	else
		r->connections++;
	return true;
}

static void client_event(struct run *r, struct client *c, uint32_t events)
{
	bool is_over = false;

	if (!c->is_connected && events & (EPOLLERR | EPOLLHUP)) {
		socklen_t len = sizeof(errno);

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &errno, &len);
		fail(r, "connect");
		is_over = true;
	} else {
		if (!c->is_connected && events & EPOLLOUT)
			client_connected(r, c);
		if (c->is_connected && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			is_over = client_read(r, c);
	}
	if (is_over)
		client_close(r, c);
}

static void restart_idle(struct run *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		if (r->clients[i].fd < 0)
			client_start(r, &r->clients[i]);
	}
}

static void loop(struct run *r, double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), now;

	while ((now = now_ns()) < end || (r->open && now < end + GIVE_UP_NS)) {
		struct epoll_event ev[EVENTS];
		int n;

		if (now < end && r->open < r->n)
			restart_idle(r);
		n = epoll_wait(r->epoll, ev, EVENTS, 10);
		for (int i = 0; i < n; i++)
			client_event(r, ev[i].data.ptr, ev[i].events);
	}
	r->failed += r->open;
}

static int usage(void)
{
	fprintf(stderr, "usage: tcpreuse SERVER PORT SOURCE ADDRESSES PORTS SECONDS\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct run r = { .server = { .sin_family = AF_INET }, .epoll = epoll_create1(0) };
	struct in_addr source;
	uint32_t ports;

	if (argc != 7 || !inet_aton(argv[1], &r.server.sin_addr) || !inet_aton(argv[3], &source))
		return usage();
	r.server.sin_port = htons((uint16_t)atoi(argv[2]));
	ports = (uint32_t)atoi(argv[5]);
	r.n = (uint32_t)atoi(argv[4]) * ports;
	if (!r.n || r.n > MAX_CLIENTS)
		return usage();
	r.clients = calloc(r.n, sizeof(*r.clients));
	if (!r.clients)
		return 2;
	for (uint32_t i = 0; i < r.n; i++) {
		r.clients[i].fd = -1;
		r.clients[i].local = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons((uint16_t)(PORT_FIRST + i)),
			.sin_addr.s_addr = htonl(ntohl(source.s_addr) + i / ports),
		};
	}
	loop(&r, atof(argv[6]));
	printf("{\"connections\": %llu, \"failed\": %llu, \"delayed\": %llu, \"slowest_ms\": "
	       "%.1f}\n",
	       (unsigned long long)r.connections, (unsigned long long)r.failed,
	       (unsigned long long)r.delayed, (double)r.slowest_ns / 1e6);
	free(r.clients);
	return 0;
}
