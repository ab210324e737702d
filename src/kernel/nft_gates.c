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
	bool is_there, is_count;
	struct nft_gate_counts counts;
};

/* The counter behind `ct count` is of those that were turned away. */
static int read_expr(struct nftnl_expr *e, void *arg)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct reading *r = arg;

	r->is_count = r->is_count || strcmp(name, "connlimit") == 0;
	if (strcmp(name, "counter") != 0)
		return 0;
	r->is_there = true;
	*(r->is_count ? &r->counts.n_refused : &r->counts.n_tokens) =
		nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

static void on_rule(const struct nlmsghdr *nlh, void *arg)
{
	struct reading *r = arg;
	struct nftnl_rule *rule;

	r->is_count = false;
	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWRULE)
		return;
	rule = nftnl_rule_alloc();
	if (rule && nftnl_rule_nlmsg_parse(nlh, rule) == 0)
		nftnl_expr_foreach(rule, read_expr, r);
	if (rule)
		nftnl_rule_free(rule);
}

int nft_gate_counts(struct nft *nft, const char *chain, struct nft_gate_counts *out)
{
	struct reading r = { .is_there = false };
	char buf[NL_REQUEST_BYTES];
	struct nlmsghdr *nlh;
	int code;

	memset(buf, 0, sizeof(buf));
	nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, NFPROTO_INET, 0, 0);
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, nft->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
	code = nl_dump(&nft->nl, nlh, on_rule, &r);
	*out = r.counts;
	return code < 0 ? code : r.is_there ? 0 : -ENOENT;
}
