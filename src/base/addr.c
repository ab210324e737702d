/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses stay bytes in network order: comparing them is memcmp(), hashing them is hashing
 * bytes, and arithmetic (which only pools need) is done with a carry, the same for 4 and 16 bytes.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct addr) == 20, "hashed as raw bytes: no padding");

int addr_parse(const char *text, struct addr *out)
{
	struct addr a = { 0 };

	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = AF_INET6;
	else
		return -EINVAL;
	*out = a;
	return 0;
}

static char *put_decimal(char *to, unsigned int n)
{
	if (n >= 100)
		*to++ = (char)('0' + n / 100);
	if (n >= 10)
		*to++ = (char)('0' + n / 10 % 10);
	*to++ = (char)('0' + n % 10);
	return to;
}

/* By hand: inet_ntop() prints with sprintf(), half of the time that a document of addresses takes.
 */
static const char *ipv4_format(const uint8_t *bytes, char *buf)
{
	char *to = buf;

	for (size_t i = 0; i < 4; i++) {
		to = put_decimal(to, bytes[i]);
		*to++ = i < 3 ? '.' : '\0';
	}
	return buf;
}

const char *addr_format(const struct addr *a, char buf[ADDR_STRLEN])
{
	if (a->family == AF_INET)
		return ipv4_format(a->bytes, buf);
	if (!inet_ntop(a->family, a->bytes, buf, ADDR_STRLEN))
		snprintf(buf, ADDR_STRLEN, "none");
	return buf;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_is_unicast(const struct addr *a)
{
	static const uint8_t zero[16], broadcast[4] = { 255, 255, 255, 255 };
	size_t len = addr_len(a->family);

	if (a->family == AF_UNSPEC || memcmp(a->bytes, zero, len) == 0)
		return false;
	if (a->family == AF_INET6)
		return a->bytes[0] != 0xff;
	return (a->bytes[0] & 0xf0) != 0xe0 && memcmp(a->bytes, broadcast, len) != 0;
}

bool addr_is_v4_mapped(const struct addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return a->family == AF_INET6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

struct addr addr_add(const struct addr *a, uint64_t n)
{
	struct addr sum = *a;
	unsigned int carry = 0;

	for (size_t i = addr_len(a->family); i-- > 0; n >>= 8) {
		carry += sum.bytes[i] + (unsigned int)(n & 0xff);
		sum.bytes[i] = carry & 0xff;
		carry >>= 8;
	}
	return sum;
}

/* Decimal digits only, as prefixes are written: strtoul() would take " +08" too. */
static int prefix_len_parse(const char *text, unsigned int max, unsigned int *out)
{
	unsigned int n = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = 10 * n + (unsigned int)(*text - '0');
		if (n > max)
			return -EINVAL;
	}
	*out = n;
	return 0;
}

static int prefix_parse(const char *first, const char *len_text, struct addr_range *out)
{
	struct addr_range r;
	unsigned int len;
	int host_bits = 0;

	if (addr_parse(first, &r.lo) < 0 ||
	    prefix_len_parse(len_text, 8 * addr_len(r.lo.family), &len) < 0)
		return -EINVAL;
	r.hi = r.lo;
	for (size_t i = 0; i < addr_len(r.lo.family); i++) {
		unsigned int net_bits = len > 8 * i ? len - 8 * i : 0;
		uint8_t host = net_bits >= 8 ? 0 : 0xff >> net_bits;

		host_bits |= r.lo.bytes[i] & host;
		r.hi.bytes[i] |= host;
	}
	if (host_bits)
		return -EDOM;
	*out = r;
	return 0;
}

static int from_to_parse(const char *first, const char *last, struct addr_range *out)
{
	struct addr_range r;

	if (addr_parse(first, &r.lo) < 0 || addr_parse(last, &r.hi) < 0 ||
	    r.lo.family != r.hi.family || addr_cmp(&r.lo, &r.hi) > 0)
		return -EINVAL;
	*out = r;
	return 0;
}

int addr_range_parse(const char *text, struct addr_range *out)
{
	char first[ADDR_STRLEN];
	size_t len = strcspn(text, "-/");

	if (len >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, len);
	first[len] = '\0';
	switch (text[len]) {
	case '/':
		return prefix_parse(first, text + len + 1, out);
	case '-':
		return from_to_parse(first, text + len + 1, out);
	default:
		return from_to_parse(first, first, out);
	}
}

const char *addr_range_format(const struct addr_range *r, char buf[2 * ADDR_STRLEN])
{
	size_t len;

	addr_format(&r->lo, buf);
	if (!addr_equal(&r->lo, &r->hi)) {
		len = strlen(buf);
		buf[len] = '-';
		addr_format(&r->hi, buf + len + 1);
	}
	return buf;
}

uint64_t addr_range_count(const struct addr_range *r)
{
	size_t len = addr_len(r->lo.family);
	uint64_t low = 0;
	int high = 0, borrow = 0;

	for (size_t i = len; i-- > 0;) {
		int d = r->hi.bytes[i] - r->lo.bytes[i] - borrow;

		borrow = d < 0;
		if (len - 1 - i < 8)
			low |= (uint64_t)(d & 0xff) << (8 * (len - 1 - i));
		else
			high |= d & 0xff;
	}
	return high || low == UINT64_MAX ? UINT64_MAX : low + 1;
}

bool addr_range_contains(const struct addr_range *r, const struct addr *a)
{
	return addr_cmp(&r->lo, a) <= 0 && addr_cmp(a, &r->hi) <= 0;
}

bool addr_range_overlaps(const struct addr_range *a, const struct addr_range *b)
{
	return addr_cmp(&a->lo, &b->hi) <= 0 && addr_cmp(&b->lo, &a->hi) <= 0;
}
