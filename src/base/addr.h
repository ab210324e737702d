/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP addresses of both families as plain values, and ranges of them.
 */
#ifndef FNAT_BASE_ADDR_H
#define FNAT_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 20 bytes. bytes[] is in network order; an IPv4 address uses the first four, the rest are zero. */
struct addr {
	uint8_t bytes[16];
	uint8_t family; /* AF_INET, AF_INET6, or AF_UNSPEC for none */
	uint8_t zero[3];
};

/* Longest text of an address, with the final NUL. */
#define ADDR_STRLEN 46

/* lo <= hi, both of one family, both part of the range. */
struct addr_range {
	struct addr lo, hi;
};

/* Text as inet_pton(3) takes it. 0 or -EINVAL; *out is untouched then. */
int addr_parse(const char *text, struct addr *out);

/* Returns buf. IPv6 as RFC 5952 wants it (inet_ntop). */
const char *addr_format(const struct addr *a, char buf[ADDR_STRLEN]);

/* Bytes of an address of this family: 4 or 16. */
static inline size_t addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

/* Order by family, then bytes: <0, 0, >0. */
int addr_cmp(const struct addr *a, const struct addr *b);
static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

/* 0.0.0.0, ::, multicast, limited broadcast: what cannot be a host's address. */
bool addr_is_unicast(const struct addr *a);

/* ::ffff:192.0.2.1 and the like: an IPv4 address in IPv6's clothes (RFC 4291, 2.5.5.2). */
bool addr_is_v4_mapped(const struct addr *a);

/* The address n after a (wraps at the end of the family). */
struct addr addr_add(const struct addr *a, uint64_t n);

/*
 * "10.0.0.1", "10.0.0.1-10.0.0.9" or "10.0.0.0/28" (all addresses of the
 * prefix, host bits must be zero). 0, -EINVAL (not of that form, or first
 * after last), or -EDOM (host bits set in a prefix).
 */
int addr_range_parse(const char *text, struct addr_range *out);

/* "A", or "A-B". buf holds 2 * ADDR_STRLEN bytes; returns buf. */
const char *addr_range_format(const struct addr_range *r, char buf[2 * ADDR_STRLEN]);

/* Number of addresses; UINT64_MAX where it is more than that. */
uint64_t addr_range_count(const struct addr_range *r);

bool addr_range_contains(const struct addr_range *r, const struct addr *a);
bool addr_range_overlaps(const struct addr_range *a, const struct addr_range *b);

#endif
