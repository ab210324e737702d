/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends UDP packets of many flows as fast as one core can, from a packet
 * socket, so that sockets and routing of the sending side cost next to
 * nothing: no packaged generator makes new flows at this rate.
 *
 * On a veth pair the receiving side is worked off in the sender's own
 * context (softirq on the same core), so that the elapsed time is the cost of
 * the whole path. Prints one JSON line: packets sent and nanoseconds, CPU time too.
 *
 * Formats: RFC 791, RFC 768, packet(7).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH      64
#define FIRST_PORT 10000u
#define N_PORTS    50000u

struct options {
	const char *device;
	struct ether_addr to;
	struct in_addr first_source, destination;
	uint16_t port;
	uint32_t flows, repeat, payload, first_flow;
};

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	char payload[1400];
} __attribute__((packed));

static void die(const char *what)
{
	fprintf(stderr, "flowgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint16_t ip_checksum(const void *ip)
{
	uint16_t words[sizeof(struct iphdr) / 2];
	uint32_t sum = 0;

	memcpy(words, ip, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void frame_init(struct frame *f, const struct options *o)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->eth.ether_dhost, &o->to, ETH_ALEN);
	f->eth.ether_shost[0] = 2;
	f->eth.ether_type = htons(ETHERTYPE_IP);
	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_UDP;
	f->ip.tot_len = htons((uint16_t)(sizeof(f->ip) + sizeof(f->udp) + o->payload));
	f->ip.daddr = o->destination.s_addr;
	f->udp.dest = htons(o->port);
	f->udp.len = htons((uint16_t)(sizeof(f->udp) + o->payload));
}

/* Flow number n: addresses vary slowest, so that each has all its ports. UDP checksum 0: none. */
static void frame_set_flow(struct frame *f, const struct options *o, uint32_t n)
{
	f->ip.saddr = htonl(ntohl(o->first_source.s_addr) + n / N_PORTS);
	f->udp.source = htons((uint16_t)(FIRST_PORT + n % N_PORTS));
	f->ip.check = 0;
	f->ip.check = ip_checksum(&f->ip);
}

static int open_device(const char *device)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex(device) };
	int one = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die(device);
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die("PACKET_QDISC_BYPASS");
	return fd;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t send_all(int fd, const struct options *o)
{
	static struct frame frames[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	uint64_t sent = 0, total = (uint64_t)o->flows * o->repeat;
	size_t len = offsetof(struct frame, payload) + o->payload;

	for (int i = 0; i < BATCH; i++) {
		frame_init(&frames[i], o);
		parts[i] = (struct iovec){ &frames[i], len };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	while (sent < total) {
		unsigned int n = total - sent < BATCH ? (unsigned int)(total - sent) : BATCH;
		int done;

		for (unsigned int i = 0; i < n; i++)
			frame_set_flow(&frames[i], o,
				       o->first_flow + (uint32_t)((sent + i) % o->flows));
		done = sendmmsg(fd, messages, n, 0);
		if (done < 0 && errno != ENOBUFS && errno != EINTR)
			die("send");
		if (done > 0)
			sent += (uint64_t)done;
	}
	return sent;
}

static uint32_t number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n > UINT32_MAX) {
		fprintf(stderr, "flowgen: %s: a whole number is expected\n", text);
		exit(2);
	}
	return (uint32_t)n;
}

static void usage(void)
{
	fputs("usage: flowgen --device DEV --to MAC --source FIRST_ADDRESS --destination ADDRESS\n"
	      "               --port PORT --flows N [--repeat N] [--payload BYTES] [--first-flow "
	      "N]\n",
	      stderr);
	exit(2);
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option longopts[] = {
		{ "device", 1, NULL, 'd' },     { "to", 1, NULL, 't' },
		{ "source", 1, NULL, 's' },     { "destination", 1, NULL, 'a' },
		{ "port", 1, NULL, 'p' },       { "flows", 1, NULL, 'f' },
		{ "repeat", 1, NULL, 'r' },     { "payload", 1, NULL, 'l' },
		{ "first-flow", 1, NULL, 'n' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->device = optarg;
			break;
		case 't':
			if (!ether_aton_r(optarg, &o->to))
				usage();
			break;
		case 's':
			if (!inet_aton(optarg, &o->first_source))
				usage();
			break;
		case 'a':
			if (!inet_aton(optarg, &o->destination))
				usage();
			break;
		case 'p':
			o->port = (uint16_t)number(optarg);
			break;
		case 'f':
			o->flows = number(optarg);
			break;
		case 'r':
			o->repeat = number(optarg);
			break;
		case 'l':
			o->payload = number(optarg);
			break;
		case 'n':
			o->first_flow = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (!o->device || !o->flows || !o->port ||
	    o->payload > sizeof(((struct frame *)0)->payload))
		usage();
}

int main(int argc, char **argv)
{
	struct options o = { .repeat = 1 };
	uint64_t wall, cpu, sent;
	int fd;

	parse(argc, argv, &o);
	fd = open_device(o.device);
	wall = clock_ns(CLOCK_MONOTONIC);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	sent = send_all(fd, &o);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = clock_ns(CLOCK_MONOTONIC) - wall;
	printf("{\"packets\":%llu,\"ns\":%llu,\"cpu_ns\":%llu}\n", (unsigned long long)sent,
	       (unsigned long long)wall, (unsigned long long)cpu);
	return 0;
}
