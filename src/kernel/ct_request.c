/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ct_request.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

struct nlmsghdr *ct_request_start(char *buf, uint16_t type, uint8_t family)
{
	struct nlmsghdr *nlh;
	struct nfgenmsg *nfg;

	memset(buf, 0, NL_REQUEST_BYTES);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

static void put_address(struct nlmsghdr *nlh, uint16_t type4, uint16_t type6, const struct addr *a)
{
	mnl_attr_put(nlh, a->family == AF_INET6 ? type6 : type4, addr_len(a->family), a->bytes);
}

void ct_put_tuple(struct nlmsghdr *nlh, uint16_t type, uint8_t protocol, const struct flow_end *src,
		  const struct flow_end *dst)
{
	struct nlattr *tuple = mnl_attr_nest_start(nlh, type);
	struct nlattr *part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	put_address(nlh, CTA_IP_V4_SRC, CTA_IP_V6_SRC, &src->address);
	put_address(nlh, CTA_IP_V4_DST, CTA_IP_V6_DST, &dst->address);
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, protocol);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(src->port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(dst->port));
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, tuple);
}
