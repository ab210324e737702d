/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel fills in the identifier of a ping socket, and the checksum but for raw IPv4.
 * Computing it always does no harm.
 */
#include "health/icmp_message.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>

#define MAGIC 0x666e6174u /* "fnat" */

static void put(uint8_t *out, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(value >> 8 * (n - 1 - i));
}

static uint64_t get(const uint8_t *in, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | in[i];
	return value;
}

/* RFC 1071; len is even. */
static uint16_t checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)get(data + i, 2);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void icmp_request(uint8_t family, const struct icmp_cookie *cookie, uint8_t out[ICMP_MESSAGE_BYTES])
{
	memset(out, 0, ICMP_MESSAGE_BYTES);
	out[0] = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	put(out + 4, cookie->secret, 2); /* identifier */
	put(out + 6, cookie->index, 2);  /* sequence number */
	put(out + 8, MAGIC, 4);
	put(out + 12, cookie->index, 4);
	put(out + 16, cookie->secret, 8);
	put(out + 2, checksum(out, ICMP_MESSAGE_BYTES), 2);
}

bool icmp_parse(const uint8_t *data, size_t len, int family, bool is_raw,
		struct icmp_cookie *cookie)
{
	size_t skip = family == AF_INET && is_raw && len > 0 ? (size_t)(data[0] & 0xf) * 4 : 0;

	if (len < skip + ICMP_MESSAGE_BYTES)
		return false;
	data += skip;
	if (data[0] != (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) ||
	    get(data + 8, 4) != MAGIC)
		return false;
	cookie->index = (uint32_t)get(data + 12, 4);
	cookie->secret = get(data + 16, 8);
	return true;
}

size_t icmp_source(const struct addr *source, char *buf)
{
	struct cmsghdr *c = (struct cmsghdr *)buf;
	struct in_pktinfo info = { 0 };
	struct in6_pktinfo info6 = { 0 };

	if (source->family == AF_INET) {
		memcpy(&info.ipi_spec_dst, source->bytes, 4);
		*c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	memcpy(&info6.ipi6_addr, source->bytes, 16);
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(info6)), IPPROTO_IPV6, IPV6_PKTINFO };
	memcpy(CMSG_DATA(c), &info6, sizeof(info6));
	return CMSG_SPACE(sizeof(info6));
}
