/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read whole each time: a machine has few addresses beside those of its pools, and what was
 * remembered would have to be kept up with what others do.
 */
#include "kernel/address.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11 /* linux/if_addr.h since 5.18 */
#endif

struct address_found {
	struct interface_address *items;
	size_t n, cap;
};

static void take_address(const struct nlattr *attr, uint8_t family, struct addr *out)
{
	if (mnl_attr_get_payload_len(attr) != addr_len(family))
		return;
	*out = (struct addr){ .family = family };
	memcpy(out->bytes, mnl_attr_get_payload(attr), addr_len(family));
}

static int address_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct interface_address a = { .prefix = ifa->ifa_prefixlen,
				       .flags = ifa->ifa_flags,
				       .ifindex = ifa->ifa_index };
	struct address_found *found = data;
	const struct nlattr *attr;
	bool is_local = false;

	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL: /* else IFA_ADDRESS is the own address, too */
			take_address(attr, ifa->ifa_family, &a.address);
			is_local = true;
			break;
		case IFA_ADDRESS:
			if (!is_local)
				take_address(attr, ifa->ifa_family, &a.address);
			break;
		case IFA_FLAGS:
			a.flags = mnl_attr_get_u32(attr);
			break;
		case IFA_PROTO:
			a.protocol = mnl_attr_get_u8(attr);
			break;
		}
	}
	if (a.address.family)
		VEC_PUSH(found->items, found->n, found->cap) = a;
	return MNL_CB_OK;
}

int address_list(struct netlink *nl, struct interface_address **out, size_t *n)
{
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = netlink_request(nl, buf, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	struct address_found found = { 0 };
	int code;

	ifa->ifa_family = AF_UNSPEC;
	code = netlink_transact(nl, nlh, address_cb, &found);
	if (code < 0) {
		free(found.items);
		return code;
	}
	*out = found.items;
	*n = found.n;
	return 0;
}

bool address_shares(const struct addr *a, const struct addr *b, uint8_t prefix)
{
	size_t bytes = prefix / 8, bits = prefix % 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits);

	if (a->family != b->family || memcmp(a->bytes, b->bytes, bytes) != 0)
		return false;
	return bits == 0 || ((a->bytes[bytes] ^ b->bytes[bytes]) & mask) == 0;
}

uint8_t address_protocol(const char *table)
{
	unsigned int sum = 0;

	if (!strcmp(table, "fnat"))
		return ADDRESS_PROTOCOL;
	for (; *table; table++)
		sum = sum * 31 + (unsigned char)*table;
	return (uint8_t)(ADDRESS_PROTOCOL - 50 + sum % 50);
}

static struct nlmsghdr *address_request(struct netlink *nl, char *buf, uint16_t type,
					uint16_t flags, const struct interface_address *a)
{
	struct nlmsghdr *nlh = netlink_request(nl, buf, type, NLM_F_ACK | flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	size_t len = addr_len(a->address.family);

	ifa->ifa_family = a->address.family;
	ifa->ifa_prefixlen = a->prefix;
	ifa->ifa_index = a->ifindex;
	mnl_attr_put(nlh, IFA_LOCAL, len, a->address.bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, len, a->address.bytes);
	return nlh;
}

int address_add(struct netlink *nl, const struct addr *a, unsigned int ifindex, uint8_t protocol)
{
	const struct ifa_cacheinfo deprecated = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };
	struct interface_address ia = { .address = *a,
					.prefix = (uint8_t)(8 * addr_len(a->family)),
					.ifindex = ifindex };
	uint32_t flags = IFA_F_NOPREFIXROUTE;
	struct nlmsghdr *nlh;
	char buf[512] = { 0 };

	nlh = address_request(nl, buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &ia);
	if (a->family == AF_INET6) {
		flags |= IFA_F_NODAD;
		mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(deprecated), &deprecated);
	}
	mnl_attr_put_u32(nlh, IFA_FLAGS, flags);
	mnl_attr_put_u8(nlh, IFA_PROTO, protocol);
	return netlink_transact(nl, nlh, NULL, NULL);
}

int address_delete(struct netlink *nl, const struct interface_address *a)
{
	char buf[512] = { 0 };

	return netlink_transact(nl, address_request(nl, buf, RTM_DELADDR, 0, a), NULL, NULL);
}
