/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests and replies (RFC 792, RFC 4443). Pure. */
#ifndef FNAT_HEALTH_ICMP_MESSAGE_H
#define FNAT_HEALTH_ICMP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* What a request carries and its reply brings back. */
struct icmp_cookie {
	uint32_t index;
	uint64_t secret;
};

#define ICMP_MESSAGE_BYTES (8 + 16)

void icmp_request(uint8_t family, const struct icmp_cookie *cookie,
		  uint8_t out[ICMP_MESSAGE_BYTES]);

/* A reply as a socket gives it, for a raw IPv4 one with the IP header. False: it is none of ours.
 */
bool icmp_parse(const uint8_t *data, size_t len, int family, bool is_raw,
		struct icmp_cookie *cookie);

/* The control message for sendmsg() that sets the source address; returns its length. */
size_t icmp_source(const struct addr *source, char *buf);

#endif
