/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New TCP connections at a steady rate, whatever becomes of those before.
 *
 *   tcpconnect SERVER PORT RATE SECONDS TIMEOUT_MS
 *
 * A connection that is made is reset at once. A line "go" is printed when the first ones were
 * made, and in the end {"started", "connected", "slow" (of these, 0.5 s or more), "refused",
 * "timed_out", "failed" (otherwise), "slowest_ms"}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_OPEN 65536 /* file descriptors */
#define EVENTS   256
#define SLOW_NS  500000000ull
#define GO_AFTER 100

struct run {
	struct sockaddr_in server;
	int epoll;
	uint64_t timeout_ns;
	uint64_t begun_ns[MAX_OPEN]; /* by file descriptor; 0: not open */
	uint64_t started, connected, slow, refused, timed_out, failed, slowest_ns;
	/* Those under way, the oldest first. */
	struct {
		int fd;
		uint64_t begun_ns;
	} queue[1 << 20];
	size_t first, last;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void end(struct run *r, int fd)
{
	const struct linger reset = { .l_onoff = 1 };

	r->begun_ns[fd] = 0;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void start(struct run *r)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = { .events = EPOLLOUT, .data.fd = fd };

	r->started++;
	if (fd < 0 || fd >= MAX_OPEN) {
		perror("socket");
		exit(1);
	}
	r->begun_ns[fd] = now_ns();
	if (connect(fd, (struct sockaddr *)&r->server, sizeof(r->server)) < 0 &&
	    errno != EINPROGRESS) {
		if (!r->failed++)
			perror("connect");
		end(r, fd);
		return;
	}
	r->queue[r->last].fd = fd;
	r->queue[r->last++].begun_ns = r->begun_ns[fd];
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void ended(struct run *r, int fd)
{
	uint64_t took_ns = now_ns() - r->begun_ns[fd];
	socklen_t len = sizeof(int);
	int code = 0;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
	r->connected += code == 0;
	r->slow += code == 0 && took_ns >= SLOW_NS;
	r->refused += code == ECONNREFUSED;
	r->failed += code != 0 && code != ECONNREFUSED;
	if (code == 0 && took_ns > r->slowest_ns)
		r->slowest_ns = took_ns;
	if (r->connected == GO_AFTER && code == 0)
		puts("go");
	end(r, fd);
}

static void expire(struct run *r)
{
	for (; r->first < r->last; r->first++) {
		int fd = r->queue[r->first].fd;

		if (r->begun_ns[fd] != r->queue[r->first].begun_ns) /* over */
			continue;
		if (now_ns() - r->begun_ns[fd] < r->timeout_ns)
			return;
		r->timed_out++;
		end(r, fd);
	}
}

static void wait_some(struct run *r)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(r->epoll, events, EVENTS, 1);

	for (int i = 0; i < n; i++)
		ended(r, events[i].data.fd);
	expire(r);
}

int main(int argc, char **argv)
{
	const struct rlimit files = { MAX_OPEN, MAX_OPEN };
	static struct run r;
	uint64_t rate, seconds, t0;

	if (argc != 6)
		return 2;
	setrlimit(RLIMIT_NOFILE, &files);
	r.server.sin_family = AF_INET;
	inet_pton(AF_INET, argv[1], &r.server.sin_addr);
	r.server.sin_port = htons((uint16_t)atoi(argv[2]));
	rate = strtoull(argv[3], NULL, 10);
	seconds = strtoull(argv[4], NULL, 10);
	r.timeout_ns = strtoull(argv[5], NULL, 10) * 1000000;
	r.epoll = epoll_create1(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	t0 = now_ns();
	while (r.started < rate * seconds || r.first < r.last) {
		uint64_t due = (now_ns() - t0) * rate / 1000000000u;

		for (; r.started < due && r.started < rate * seconds; start(&r))
			;
		wait_some(&r);
	}
	printf("{\"started\": %llu, \"connected\": %llu, \"slow\": %llu, \"refused\": %llu, "
	       "\"timed_out\": %llu, \"failed\": %llu, \"slowest_ms\": %llu}\n",
	       (unsigned long long)r.started, (unsigned long long)r.connected,
	       (unsigned long long)r.slow, (unsigned long long)r.refused,
	       (unsigned long long)r.timed_out, (unsigned long long)r.failed,
	       (unsigned long long)r.slowest_ns / 1000000);
	return 0;
}
