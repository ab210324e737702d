/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What checks cost the kernel alone: N addresses from FIRST on are asked every second for SECONDS,
 *with the system calls that this takes, and nothing else. The begin of each is spread over the
 *second.
 *
 *	asking tcp|fresh|udp|icmp FIRST PORT N SECONDS
 *
 * tcp: one socket an address, connected again and again; fresh: another socket each time; icmp: one
 * "ping" socket. Prints {"asked", "answered", "cpu_s", "seconds"}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
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

#define SECOND_NS   1000000000LL
#define EVENTS      256
#define KEPT_EVENTS (EPOLLIN | EPOLLOUT | EPOLLET)

struct asking {
	int epoll, ping;
	struct sockaddr_in *to;
	int *fds; /* by address; -1: none */
	uint64_t n, asked, answered;
};

struct kind {
	const char *name;
	void (*ask)(struct asking *a, uint32_t i);
	void (*answer)(struct asking *a, uint32_t i, uint32_t events);
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int watched_socket(struct asking *a, int type, int protocol, uint32_t events, uint32_t i)
{
	struct epoll_event event = { .events = events, .data.u32 = i };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, protocol);

	if (fd < 0 || epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("socket");
	return fd;
}

static void begin_connection(struct asking *a, uint32_t i, uint32_t events)
{
	if (a->fds[i] < 0)
		a->fds[i] = watched_socket(a, SOCK_STREAM, 0, events, i);
	if (connect(a->fds[i], (struct sockaddr *)&a->to[i], sizeof(a->to[i])) < 0 &&
	    errno != EINPROGRESS && errno != EALREADY && errno != EISCONN) /* not answered yet */
		die("connect");
}

static void ask_tcp(struct asking *a, uint32_t i)
{
	begin_connection(a, i, KEPT_EVENTS);
}

static void ask_fresh(struct asking *a, uint32_t i)
{
	begin_connection(a, i, EPOLLOUT);
}

static void answer_tcp(struct asking *a, uint32_t i, uint32_t events)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (events & (EPOLLERR | EPOLLHUP)) /* of having disconnected */
		return;
	connect(a->fds[i], &none, sizeof(none));
	a->answered++;
}

static void answer_fresh(struct asking *a, uint32_t i, uint32_t events)
{
	struct linger now = { .l_onoff = 1 };

	if (!(events & EPOLLERR))
		a->answered++;
	setsockopt(a->fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(a->fds[i]);
	a->fds[i] = -1;
}

static void ask_udp(struct asking *a, uint32_t i)
{
	if (a->fds[i] < 0) {
		a->fds[i] = watched_socket(a, SOCK_DGRAM, 0, EPOLLIN, i);
		if (connect(a->fds[i], (struct sockaddr *)&a->to[i], sizeof(a->to[i])) < 0)
			die("connect");
	}
	if (send(a->fds[i], "", 0, 0) < 0)
		die("send");
}

static void answer_udp(struct asking *a, uint32_t i, uint32_t events)
{
	char answer[64];

	(void)events;
	a->answered += recv(a->fds[i], answer, sizeof(answer), 0) >= 0;
}

static void ask_icmp(struct asking *a, uint32_t i)
{
	struct icmphdr request = { .type = ICMP_ECHO };

	if (a->ping < 0)
		a->ping = watched_socket(a, SOCK_DGRAM, IPPROTO_ICMP, EPOLLIN, 0);
	if (sendto(a->ping, &request, sizeof(request), 0, (struct sockaddr *)&a->to[i],
		   sizeof(a->to[i])) < 0)
		die("sendto");
}

static void answer_icmp(struct asking *a, uint32_t i, uint32_t events)
{
	char answer[64];

	(void)i;
	(void)events;
	while (recv(a->ping, answer, sizeof(answer), 0) >= 0)
		a->answered++;
}

static const struct kind kinds[] = {
	{ "tcp", ask_tcp, answer_tcp },
	{ "fresh", ask_fresh, answer_fresh },
	{ "udp", ask_udp, answer_udp },
	{ "icmp", ask_icmp, answer_icmp },
};

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void take_answers(struct asking *a, const struct kind *kind, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(a->epoll, events, EVENTS, wait_ms);

	for (int i = 0; i < n; i++)
		kind->answer(a, events[i].data.u32, events[i].events);
}

static void run(struct asking *a, const struct kind *kind, int seconds)
{
	int64_t begin = now_ns(CLOCK_MONOTONIC), elapsed;

	while ((elapsed = now_ns(CLOCK_MONOTONIC) - begin) < seconds * SECOND_NS) {
		uint64_t due = (uint64_t)(elapsed / 1000) * a->n / 1000000;

		while (a->asked < due)
			kind->ask(a, (uint32_t)(a->asked++ % a->n));
		take_answers(a, kind, 1);
	}
}

static void make_addresses(struct asking *a, const char *first, uint16_t port)
{
	struct in_addr from;

	if (inet_pton(AF_INET, first, &from) != 1)
		die(first);
	a->to = calloc(a->n, sizeof(*a->to));
	a->fds = calloc(a->n, sizeof(*a->fds));
	for (uint32_t i = 0; i < a->n; i++) {
		a->to[i].sin_family = AF_INET;
		a->to[i].sin_port = htons(port);
		a->to[i].sin_addr.s_addr = htonl(ntohl(from.s_addr) + i);
		a->fds[i] = -1;
	}
}

int main(int argc, char **argv)
{
	const struct kind *kind = argc == 6 ? kind_of(argv[1]) : NULL;
	struct asking a = { .ping = -1 };
	struct rlimit files;
	int64_t cpu;
	int seconds;

	if (!kind)
		return 2;
	a.n = strtoul(argv[4], NULL, 10);
	seconds = atoi(argv[5]);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	a.epoll = epoll_create1(0);
	make_addresses(&a, argv[2], (uint16_t)atoi(argv[3]));
	run(&a, kind, 2); /* sockets, routes, neighbours */
	a.asked = a.answered = 0;
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	run(&a, kind, seconds);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"asked\": %llu, \"answered\": %llu, \"cpu_s\": %.4f, \"seconds\": %d}\n",
	       (unsigned long long)a.asked, (unsigned long long)a.answered, (double)cpu / 1e9,
	       seconds);
	return 0;
}
