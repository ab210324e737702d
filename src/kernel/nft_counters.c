/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dump that a change interrupts may tell one twice, or not at all, so it is made again. But where
 * changes come faster than a dump takes (30 ms for 10,000 counters), all of them are interrupted.
 * What is told of each is true nevertheless, and what is missing is read the next time.
 */
#include "kernel/nft_counters.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/program.h"

#define READ_TRIES 3

void nft_counters_fini(struct nft_counters *c)
{
	free(c->items);
	*c = (struct nft_counters){ 0 };
}

static void add(struct nft_counters *c, struct nftnl_obj *o)
{
	char pool[NFT_NAME_BYTES];
	struct map_ref map;

	if (map_parse(nftnl_obj_get_str(o, NFTNL_OBJ_NAME), &map, pool) < 0 ||
	    map.kind != MAP_OVERFLOWED)
		return;
	VEC_PUSH(c->items, c->n, c->cap) = (struct nft_counter){
		.own = map.shard,
		.handle = nftnl_obj_get_u64(o, NFTNL_OBJ_HANDLE),
		.packets = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS),
	};
}

static void on_object(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_obj *o;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWOBJ)
		return;
	o = nftnl_obj_alloc();
	if (o && nftnl_obj_nlmsg_parse(nlh, o) == 0 &&
	    nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER)
		add(arg, o);
	if (o)
		nftnl_obj_free(o);
}

int nft_counters_read(struct nl *nl, const char *table, struct nft_counters *out)
{
	char buf[NL_REQUEST_BYTES];
	int code = -EINTR;

	*out = (struct nft_counters){ 0 };
	for (int i = 0; i < READ_TRIES && code == -EINTR; i++) {
		struct nlmsghdr *nlh;

		memset(buf, 0, sizeof(buf));
		nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETOBJ, NFPROTO_INET, 0, 0);
		mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table);
		mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
		out->n = 0;
		code = nl_dump(nl, nlh, on_object, out);
	}
	if (code == -EINTR)
		code = 0;
	if (code < 0)
		nft_counters_fini(out);
	return code;
}
