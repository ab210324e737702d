/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel is asked for each address instead of reading the tables: rules, several tables,
 * metrics and nexthop objects are its business, and a machine with a full routing table has a
 * million routes. An answer costs some microseconds.
 */
#include "kernel/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/netlink.h"

struct route {
	struct netlink netlink;
};

int route_open(struct route **out, struct err *err)
{
	struct route *r = mem_zalloc(sizeof(*r));
	int code = netlink_open(&r->netlink, NETLINK_ROUTE);

	if (code < 0) {
		free(r);
		return err_add(err, ERR_SYSTEM, code, NULL, "rtnetlink socket: %s",
			       strerror(-code));
	}
	*out = r;
	return 0;
}

void route_close(struct route *r)
{
	if (!r)
		return;
	netlink_close(&r->netlink);
	free(r);
}

static void attr_addr(const struct nlattr *attr, uint8_t family, struct addr *out)
{
	if (mnl_attr_get_payload_len(attr) != addr_len(family))
		return;
	*out = (struct addr){ .family = family };
	memcpy(out->bytes, mnl_attr_get_payload(attr), addr_len(family));
}

static enum route_kind kind_of(const struct rtmsg *rtm)
{
	switch (rtm->rtm_type) {
	case RTN_LOCAL:
		return ROUTE_LOCAL;
	case RTN_UNICAST:
		return ROUTE_UNICAST;
	case RTN_UNREACHABLE:
	case RTN_BLACKHOLE:
	case RTN_PROHIBIT:
	case RTN_THROW:
		return ROUTE_NONE;
	default:
		return ROUTE_OTHER;
	}
}

static uint32_t mtu_of(const struct nlattr *metrics)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			return mnl_attr_get_u32(attr);
	}
	return 0;
}

static int answer_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route_result *out = data;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	out->kind = kind_of(rtm);
	out->reason = out->kind == ROUTE_NONE ? ENETUNREACH : 0;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			if (!if_indextoname(mnl_attr_get_u32(attr), out->ifname))
				out->ifname[0] = '\0';
			break;
		case RTA_GATEWAY:
			attr_addr(attr, rtm->rtm_family, &out->gateway);
			break;
		case RTA_METRICS:
			out->mtu = mtu_of(attr);
			break;
		case RTA_PREFSRC:
			attr_addr(attr, rtm->rtm_family, &out->source);
			break;
		}
	}
	return MNL_CB_STOP;
}

/* The kernel answers with the error that a connect() would get. */
static bool is_no_route(int code)
{
	return code == -ENETUNREACH || code == -EHOSTUNREACH || code == -EACCES ||
	       code == -EINVAL || code == -EAGAIN;
}

int route_lookup(struct route *r, const struct addr *dst, struct route_result *out)
{
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = netlink_request(&r->netlink, buf, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int code;

	rtm->rtm_family = dst->family;
	rtm->rtm_dst_len = (unsigned char)(8 * addr_len(dst->family));
	mnl_attr_put(nlh, RTA_DST, addr_len(dst->family), dst->bytes);
	*out = (struct route_result){ .kind = ROUTE_NONE };
	code = netlink_transact(&r->netlink, nlh, answer_cb, out);
	if (!is_no_route(code))
		return code;
	*out = (struct route_result){ .kind = ROUTE_NONE, .reason = -code };
	return 0;
}

struct link_list {
	struct link *items;
	size_t n, cap;
};

/* The kinds of master that take a link's addresses away from it. A VRF does not. */
static bool is_port_kind(const struct nlattr *linkinfo)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, linkinfo)
	{
		const char *kind = mnl_attr_get_payload(attr);

		if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND &&
		    (!strcmp(kind, "bridge") || !strcmp(kind, "bond") || !strcmp(kind, "team")))
			return true;
	}
	return false;
}

static void take_mac(struct link *link, const struct ifinfomsg *ifi, const struct nlattr *attr)
{
	if (ifi->ifi_type != ARPHRD_ETHER || ifi->ifi_flags & IFF_NOARP ||
	    mnl_attr_get_payload_len(attr) != sizeof(link->mac))
		return;
	memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
	link->has_mac = true;
}

static int link_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link link = { .index = (unsigned int)ifi->ifi_index, .flags = ifi->ifi_flags };
	struct link_list *list = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			strncpy(link.name, mnl_attr_get_str(attr), sizeof(link.name) - 1);
		else if (mnl_attr_get_type(attr) == IFLA_ADDRESS)
			take_mac(&link, ifi, attr);
		else if (mnl_attr_get_type(attr) == IFLA_MTU)
			link.mtu = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			link.is_port = is_port_kind(attr);
	}
	VEC_PUSH(list->items, list->n, list->cap) = link;
	return MNL_CB_OK;
}

int route_links(struct route *r, struct link **out, size_t *n)
{
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = netlink_request(&r->netlink, buf, RTM_GETLINK, NLM_F_DUMP);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	struct link_list list = { 0 };
	int code;

	ifi->ifi_family = AF_UNSPEC;
	code = netlink_transact(&r->netlink, nlh, link_cb, &list);
	if (code < 0) {
		free(list.items);
		return code;
	}
	*out = list.items;
	*n = list.n;
	return 0;
}
