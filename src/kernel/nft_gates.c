/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_gates.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "kernel/nft_priv.h"

struct reading {
	bool is_there;
	uint64_t packets;
};

static int read_expr(struct nftnl_expr *e, void *arg)
{
	struct reading *r = arg;

	if (strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "counter") == 0) {
		r->is_there = true;
		r->packets = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	}
	return 0;
}

static void on_rule(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_rule *rule;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWRULE)
		return;
	rule = nftnl_rule_alloc();
	if (rule && nftnl_rule_nlmsg_parse(nlh, rule) == 0)
		nftnl_expr_foreach(rule, read_expr, arg);
	if (rule)
		nftnl_rule_free(rule);
}

int nft_gate_refused(struct nft *nft, const char *chain, uint64_t *out)
{
	struct reading r = { .packets = 0 };
	char buf[NL_REQUEST_BYTES];
	struct nlmsghdr *nlh;
	int code;

	memset(buf, 0, sizeof(buf));
	nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, NFPROTO_INET, 0, 0);
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, nft->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
	code = nl_dump(&nft->nl, nlh, on_rule, &r);
	*out = r.packets;
	return code < 0 ? code : r.is_there ? 0 : -ENOENT;
}
