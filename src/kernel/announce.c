/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel announces an address by itself only when its interface comes up. A packet socket
 * (packet(7)) that makes the link's header serves both families alike.
 */
#include "kernel/announce.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NA_BYTES    32 /* header, target, one option */
#define IPV6_BYTES  40
#define OPTION_TLLA 2    /* target link-layer address: RFC 4861, 4.6.1 */
#define NA_FLAGS    0xa0 /* router, override */
#define PAYLOAD_AT  4
#define NEXT_AT     6
#define HOPS_AT     7
#define SOURCE_AT   8
#define TARGET_AT   24

static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum16(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	return sum;
}

/* RFC 826: sender and target are the address itself; nobody has to answer. */
static size_t arp_packet(const struct addr *a, const uint8_t mac[6], uint8_t *out)
{
	memset(out, 0, 28);
	put16(out, 1); /* Ethernet */
	put16(out + 2, ETH_P_IP);
	out[4] = 6;
	out[5] = 4;
	put16(out + 6, 1); /* request */
	memcpy(out + 8, mac, 6);
	memcpy(out + 14, a->bytes, 4);
	memcpy(out + 24, a->bytes, 4);
	return 28;
}

static size_t na_packet(const struct addr *a, const uint8_t mac[6], uint8_t *out)
{
	uint8_t *na = out + IPV6_BYTES;
	uint32_t sum;

	memset(out, 0, IPV6_BYTES + NA_BYTES);
	out[0] = 0x60;
	put16(out + PAYLOAD_AT, NA_BYTES);
	out[NEXT_AT] = IPPROTO_ICMPV6;
	out[HOPS_AT] = 255;
	memcpy(out + SOURCE_AT, a->bytes, 16);
	memcpy(out + TARGET_AT, all_nodes, 16);
	na[0] = ND_NEIGHBOR_ADVERT;
	na[4] = NA_FLAGS;
	memcpy(na + 8, a->bytes, 16);
	na[24] = OPTION_TLLA;
	na[25] = 1;
	memcpy(na + 26, mac, 6);
	/* RFC 8200, 8.1: the addresses, the length and the protocol count as well. */
	sum = sum16(out + SOURCE_AT, 32, NA_BYTES + IPPROTO_ICMPV6);
	sum = sum16(na, NA_BYTES, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(na + 2, ~sum & 0xffff);
	return IPV6_BYTES + NA_BYTES;
}

size_t announce_packet(const struct addr *a, const uint8_t mac[6], uint8_t out[ANNOUNCE_BYTES_MAX])
{
	return a->family == AF_INET ? arp_packet(a, mac, out) : na_packet(a, mac, out);
}

int announce_open(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int announce_send(int fd, const struct addr *a, const struct link *link)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t multicast[6] = { 0x33, 0x33, 0, 0, 0, 1 }; /* all_nodes: RFC 2464 */
	bool is4 = a->family == AF_INET;
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(is4 ? ETH_P_ARP : ETH_P_IPV6),
				  .sll_ifindex = (int)link->index,
				  .sll_halen = 6 };
	uint8_t packet[ANNOUNCE_BYTES_MAX];
	size_t len = announce_packet(a, link->mac, packet);

	memcpy(to.sll_addr, is4 ? broadcast : multicast, 6);
	if (sendto(fd, packet, len, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}
