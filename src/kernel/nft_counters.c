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
#include <libnftnl/set.h>
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

/* n: of what was found, back at 0 for each try. */
static int dump(struct nl *nl, const struct nlmsghdr *request, nl_message_fn *fn, void *arg,
		size_t *n)
{
	union {
		struct nlmsghdr header;
		char bytes[NL_REQUEST_BYTES];
	} buf;
	int code = -EINTR;

	for (int i = 0; i < READ_TRIES && code == -EINTR; i++) {
		memcpy(&buf, request, request->nlmsg_len);
		*n = 0;
		code = nl_dump(nl, &buf.header, fn, arg);
	}
	return code == -EINTR ? 0 : code;
}

int nft_counters_read(struct nl *nl, const char *table, struct nft_counters *out)
{
	char buf[NL_REQUEST_BYTES] = { 0 };
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETOBJ, NFPROTO_INET, 0, 0);
	int code;

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	*out = (struct nft_counters){ 0 };
	code = dump(nl, nlh, on_object, out, &out->n);
	if (code < 0)
		nft_counters_fini(out);
	return code;
}

/* --- sets that count what began ------------------------------------------------------------ */

void nft_begun_sets_fini(struct nft_begun_sets *s)
{
	free(s->items);
	*s = (struct nft_begun_sets){ 0 };
}

static void add_set(struct nft_begun_sets *sets, const struct nftnl_set *s)
{
	char pool[NFT_NAME_BYTES];
	struct map_ref map;

	if (map_parse(nftnl_set_get_str(s, NFTNL_SET_NAME), &map, pool) < 0 ||
	    map.kind != MAP_BEGUN)
		return;
	VEC_PUSH(sets->items, sets->n, sets->cap) = (struct nft_begun_set){
		.own = map.shard,
		.family = map.family,
		.handle = nftnl_set_get_u64(s, NFTNL_SET_HANDLE),
	};
}

static void on_set(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_set *s;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWSET)
		return;
	s = nftnl_set_alloc();
	if (s && nftnl_set_nlmsg_parse(nlh, s) == 0)
		add_set(arg, s);
	if (s)
		nftnl_set_free(s);
}

static int set_cmp(const void *a, const void *b)
{
	const struct nft_begun_set *x = a, *y = b;

	return x->own != y->own ? (int)x->own - (int)y->own : (int)x->family - (int)y->family;
}

int nft_begun_sets_read(struct nl *nl, const char *table, struct nft_begun_sets *out)
{
	char buf[NL_REQUEST_BYTES] = { 0 };
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSET, NFPROTO_INET, 0, 0);
	int code;

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, table);
	*out = (struct nft_begun_sets){ 0 };
	code = dump(nl, nlh, on_set, out, &out->n);
	if (code < 0)
		nft_begun_sets_fini(out);
	if (out->n > 0)
		qsort(out->items, out->n, sizeof(*out->items), set_cmp);
	return code;
}

uint64_t nft_begun_handle(const struct nft_begun_sets *s, uint16_t own, uint8_t family)
{
	const struct nft_begun_set key = { .own = own, .family = family }, *found = NULL;

	if (s->n > 0)
		found = bsearch(&key, s->items, s->n, sizeof(key), set_cmp);
	return found ? found->handle : 0;
}
