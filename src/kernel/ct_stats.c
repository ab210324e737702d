/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ct_stats.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "kernel/ct_request.h"

static void on_processor(const struct nlmsghdr *nlh, void *arg)
{
	struct ct_stats *out = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		uint32_t value;

		if (mnl_attr_get_payload_len(attr) != sizeof(value))
			continue;
		value = ntohl(mnl_attr_get_u32(attr));
		switch (mnl_attr_get_type(attr)) {
		case CTA_STATS_INSERT_FAILED:
			out->insert_failed += value;
			break;
		case CTA_STATS_DROP:
			out->drop += value;
			break;
		case CTA_STATS_EARLY_DROP:
			out->early_drop += value;
			break;
		}
	}
}

int ct_stats_read(struct nl *nl, struct ct_stats *out)
{
	char buf[NL_REQUEST_BYTES];

	*out = (struct ct_stats){ 0 };
	return nl_dump(nl, ct_request_start(buf, IPCTNL_MSG_CT_GET_STATS_CPU, AF_UNSPEC),
		       on_processor, out);
}
