/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many new UDP flows through a balancer, and the servers that answer them.
 *
 *   udpflood echo ID PORT...
 *	answer every datagram with its first four bytes and the byte ID.
 *   udpflood flood DEVICE VIP:PORT SOURCE ADDRESSES FIRST FLOWS WINDOW
 *	one datagram a flow, flow number FIRST and on. SOURCE and the ADDRESSES - 1 addresses
 *	after it are the clients; they must be routed to DEVICE but assigned nowhere, so that no
 *	kernel answers for them. At most WINDOW flows wait for an answer at a time, so that no
 *	queue between here and the server overflows and a flow that is lost was lost by the
 *	balancer. A flow is lost when nothing comes for it within five seconds.
 *	Prints {"sent", "answered", "refused", "lost", "strange", "seconds", "cpu_seconds",
 *	"by": {ID: answers}}.
 *
 * Sockets of the kernel's would do 600,000 flows in minutes; this sends through a raw socket and
 * receives through a packet socket, and one flow costs it about a microsecond.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH          64
#define PORTS_A_SOURCE 10000
#define PORT_FIRST     2000
#define LOST_AFTER_NS  5000000000ull
#define BUFFER_BYTES   (64 << 20)

static void die(const char *what)
{
	fprintf(stderr, "udpflood: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void big_buffers(int fd)
{
	int size = BUFFER_BYTES;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

/* ---- echo */

struct mail {
	struct sockaddr_in peer[BATCH];
	uint8_t data[BATCH][64];
	struct iovec iov[BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control[BATCH];
	struct mmsghdr msg[BATCH];
};

static void mail_reset(struct mail *m)
{
	for (int i = 0; i < BATCH; i++) {
		m->iov[i] = (struct iovec){ m->data[i], sizeof(m->data[i]) };
		m->msg[i].msg_hdr = (struct msghdr){ .msg_name = &m->peer[i],
						     .msg_namelen = sizeof(m->peer[i]),
						     .msg_iov = &m->iov[i],
						     .msg_iovlen = 1,
						     .msg_control = &m->control[i],
						     .msg_controllen = sizeof(m->control[i]) };
	}
}

/* The answer comes from the address that was asked, whichever of the machine's that was. */
static void answer_from(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct in_pktinfo *info = c ? (struct in_pktinfo *)CMSG_DATA(c) : NULL;

	if (!info || c->cmsg_type != IP_PKTINFO)
		return;
	info->ipi_spec_dst = info->ipi_addr;
	info->ipi_ifindex = 0;
}

static void echo_once(int fd, uint8_t id)
{
	static struct mail m;
	int n;

	mail_reset(&m);
	n = recvmmsg(fd, m.msg, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		m.data[i][4] = id;
		m.iov[i].iov_len = 5;
		answer_from(&m.msg[i].msg_hdr);
	}
	for (int done = 0; done < n;) {
		int sent = sendmmsg(fd, m.msg + done, (unsigned int)(n - done), 0);

		/* An error that an earlier datagram left on the socket: try again. */
		done += sent > 0 ? sent : 0;
	}
}

static void __attribute__((noreturn)) echo(int argc, char **argv)
{
	struct pollfd fds[64];
	int n = 0;

	for (; n < argc - 3 && n < 64; n++) {
		struct sockaddr_in any = { .sin_family = AF_INET,
					   .sin_port = htons((uint16_t)atoi(argv[n + 3])) };

		fds[n] = (struct pollfd){ .fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN };
		big_buffers(fds[n].fd);
		setsockopt(fds[n].fd, IPPROTO_IP, IP_PKTINFO, &(int){ 1 }, sizeof(int));
		if (bind(fds[n].fd, (struct sockaddr *)&any, sizeof(any)) < 0)
			die("bind");
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(fds, (nfds_t)n, -1);
		for (int i = 0; i < n; i++) {
			if (fds[i].revents)
				echo_once(fds[i].fd, (uint8_t)atoi(argv[2]));
		}
	}
}

/* ---- flood */

enum flow_state { FLOW_FUTURE, FLOW_WAITS, FLOW_ANSWERED, FLOW_REFUSED, FLOW_LOST };

struct flow {
	uint64_t sent_ns;
	uint8_t state;
};

struct flood {
	int tx, rx;
	struct in_addr vip, source;
	uint16_t port;
	uint32_t n_sources, first, n, window;
	struct flow *flows;
	uint32_t next;   /* first flow not yet sent */
	uint32_t oldest; /* first flow that may still wait */
	uint32_t waiting;
	uint32_t count[FLOW_LOST + 1];
	uint32_t strange; /* answers to no flow that waits, or from elsewhere */
	uint32_t by[256];
};

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	uint32_t number;
} __attribute__((packed));

static in_addr_t flow_addr(const struct flood *f, uint32_t number)
{
	return htonl(ntohl(f->source.s_addr) + number / PORTS_A_SOURCE % f->n_sources);
}

static uint16_t flow_port(uint32_t number)
{
	return htons((uint16_t)(PORT_FIRST + number % PORTS_A_SOURCE));
}

static void fill_datagram(const struct flood *f, uint32_t number, struct datagram *d)
{
	/* The kernel fills in the IP checksum; a UDP checksum of zero is none (RFC 768). */
	*d = (struct datagram){
		.ip = { .version = 4,
			.ihl = 5,
			.tot_len = htons(sizeof(*d)),
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.saddr = flow_addr(f, number),
			.daddr = f->vip.s_addr },
		.udp = { .source = flow_port(number),
			 .dest = htons(f->port),
			 .len = htons(sizeof(d->udp) + sizeof(d->number)) },
		.number = htonl(number),
	};
}

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t m = a < b ? a : b;

	return m < c ? m : c;
}

static void send_some(struct flood *f)
{
	static struct datagram data[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr msg[BATCH];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = f->vip };
	uint32_t n = min3(BATCH, f->n - f->next, f->window - f->waiting);
	uint64_t now = now_ns();
	int sent;

	for (uint32_t i = 0; i < n; i++) {
		fill_datagram(f, f->first + f->next + i, &data[i]);
		iov[i] = (struct iovec){ &data[i], sizeof(data[i]) };
		msg[i].msg_hdr = (struct msghdr){ .msg_name = &to,
						  .msg_namelen = sizeof(to),
						  .msg_iov = &iov[i],
						  .msg_iovlen = 1 };
	}
	sent = n ? sendmmsg(f->tx, msg, n, 0) : 0;
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		die("sendmmsg");
	for (; sent > 0; sent--) {
		f->flows[f->next++] = (struct flow){ now, FLOW_WAITS };
		f->waiting++;
	}
}

static bool flow_settle(struct flood *f, uint32_t number, enum flow_state state)
{
	uint32_t i = number - f->first;

	if (i >= f->next || f->flows[i].state != FLOW_WAITS)
		return false;
	f->flows[i].state = (uint8_t)state;
	f->count[state]++;
	f->waiting--;
	return true;
}

static void take_answer(struct flood *f, const struct iphdr *ip, const uint8_t *p, size_t len)
{
	struct udphdr udp;
	uint32_t number;

	if (len < sizeof(udp) + 5)
		return;
	memcpy(&udp, p, sizeof(udp));
	memcpy(&number, p + sizeof(udp), sizeof(number));
	number = ntohl(number);
	if (ip->saddr == f->vip.s_addr && udp.source == htons(f->port) &&
	    ip->daddr == flow_addr(f, number) && udp.dest == flow_port(number) &&
	    flow_settle(f, number, FLOW_ANSWERED))
		f->by[p[sizeof(udp) + 4]]++;
	else
		f->strange++;
}

/* An ICMP error quotes at least the headers and 8 bytes: the number is in most; else by address. */
static void take_icmp(struct flood *f, const uint8_t *p, size_t len)
{
	struct datagram d;

	if (len < sizeof(struct icmphdr) + sizeof(d) || p[0] != ICMP_DEST_UNREACH)
		return;
	memcpy(&d, p + sizeof(struct icmphdr), sizeof(d));
	if (!flow_settle(f, ntohl(d.number), FLOW_REFUSED))
		f->strange++;
}

static bool is_ours(const struct flood *f, in_addr_t daddr)
{
	return ntohl(daddr) - ntohl(f->source.s_addr) < f->n_sources;
}

static void take_packet(struct flood *f, const uint8_t *p, size_t len)
{
	struct iphdr ip;
	size_t ihl;

	if (len < sizeof(ip))
		return;
	memcpy(&ip, p, sizeof(ip));
	ihl = ip.ihl * 4u;
	if (ip.version != 4 || ihl > len || !is_ours(f, ip.daddr))
		return;
	if (ip.protocol == IPPROTO_UDP)
		take_answer(f, &ip, p + ihl, len - ihl);
	else if (ip.protocol == IPPROTO_ICMP)
		take_icmp(f, p + ihl, len - ihl);
}

static void receive_some(struct flood *f)
{
	static uint8_t data[BATCH][256];
	static struct sockaddr_ll from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msg[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
		msg[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						  .msg_namelen = sizeof(from[i]),
						  .msg_iov = &iov[i],
						  .msg_iovlen = 1 };
	}
	n = recvmmsg(f->rx, msg, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		if (from[i].sll_pkttype != PACKET_OUTGOING)
			take_packet(f, data[i], msg[i].msg_len);
	}
}

static void give_up_old(struct flood *f)
{
	uint64_t now = now_ns();

	while (f->oldest < f->next) {
		const struct flow *w = &f->flows[f->oldest];

		if (w->state == FLOW_WAITS && now - w->sent_ns < LOST_AFTER_NS)
			return;
		flow_settle(f, f->first + f->oldest, FLOW_LOST);
		f->oldest++;
	}
}

static void flood_print(const struct flood *f, double seconds)
{
	const char *comma = "";

	printf("{\"sent\": %u, \"answered\": %u, \"refused\": %u, \"lost\": %u, \"strange\": %u, "
	       "\"seconds\": %.3f, \"cpu_seconds\": %.6f, \"by\": {",
	       f->next, f->count[FLOW_ANSWERED], f->count[FLOW_REFUSED], f->count[FLOW_LOST],
	       f->strange, seconds, (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
	for (int i = 0; i < 256; i++) {
		if (f->by[i]) {
			printf("%s\"%d\": %u", comma, i, f->by[i]);
			comma = ", ";
		}
	}
	printf("}}\n");
}

static void flood_open(struct flood *f, const char *device)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };

	ll.sll_ifindex = (int)if_nametoindex(device);
	if (!ll.sll_ifindex)
		die(device);
	f->tx = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	f->rx = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (f->tx < 0 || f->rx < 0)
		die("socket");
	big_buffers(f->tx);
	big_buffers(f->rx);
	if (bind(f->rx, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		die("bind");
}

static int flood(char **argv)
{
	struct flood f = { .n_sources = (uint32_t)atoi(argv[5]),
			   .first = (uint32_t)atoi(argv[6]),
			   .n = (uint32_t)atoi(argv[7]),
			   .window = (uint32_t)atoi(argv[8]) };
	char *colon = strchr(argv[3], ':');
	uint64_t start = now_ns();

	if (!colon)
		return 2;
	*colon = '\0';
	f.port = (uint16_t)atoi(colon + 1);
	if (!inet_aton(argv[3], &f.vip) || !inet_aton(argv[4], &f.source) || !f.n_sources)
		return 2;
	f.flows = calloc(f.n, sizeof(*f.flows));
	if (!f.flows)
		die("calloc");
	flood_open(&f, argv[2]);
	while (f.next < f.n || f.waiting) {
		struct pollfd pfd = { .fd = f.rx, .events = POLLIN };

		send_some(&f);
		if (f.waiting >= f.window || f.next == f.n)
			poll(&pfd, 1, 10);
		receive_some(&f);
		give_up_old(&f);
	}
	flood_print(&f, (double)(now_ns() - start) / 1e9);
	free(f.flows);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "echo"))
		echo(argc, argv);
	if (argc == 9 && !strcmp(argv[1], "flood"))
		return flood(argv);
	fprintf(stderr,
		"usage: udpflood echo ID PORT...\n"
		"       udpflood flood DEVICE VIP:PORT SOURCE ADDRESSES FIRST FLOWS WINDOW\n");
	return 2;
}
