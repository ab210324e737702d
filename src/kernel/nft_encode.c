/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A million elements go in one batch, so an element is written straight into the buffer, about
 * 110 bytes of attributes and nothing allocated. Tables, chains and rules are few and go through
 * libnftnl. Consecutive operations of one kind on one map share a message as long as their nested
 * attribute stays below 64 KiB (its length has 16 bits); the order of operations is never changed.
 *
 * Maps and chains are added exclusively (NLM_F_EXCL): the kernel would keep what is in the map, and
 * append the chain's rules a second time. That surprise must be an error, upon which the table is
 * read again. An element that is there already with the same data is none; with other data the
 * kernel refuses it anyway.
 */
#include "kernel/nft_encode.h"

#include <arpa/inet.h>
#include <assert.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_cttimeout.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/nft_elem.h"
#include "kernel/nft_rule.h"
#include "kernel/nft_udata.h"

/* Room made before any message is begun; the largest is one full of elements. */
#define MESSAGE_BYTES 131072
#define NEST_BYTES    (UINT16_MAX - NFT_ELEM_BYTES)

/* In linux/netfilter/nf_tables.h since 6.3. */
#define MSG_DESTROYSETELEM 30

static const struct hook_spec hook_specs[] = {
	[HOOK_NAT_PREROUTING] = { "nat", NF_INET_PRE_ROUTING, -100 },
	[HOOK_NAT_OUTPUT] = { "nat", NF_INET_LOCAL_OUT, -100 },
	[HOOK_NAT_POSTROUTING] = { "nat", NF_INET_POST_ROUTING, 100 },
	[HOOK_GUARD_INPUT] = { "filter", NF_INET_LOCAL_IN, -10 },
	[HOOK_GUARD_FORWARD] = { "filter", NF_INET_FORWARD, -10 },
};

const struct hook_spec *nft_hook_spec(uint8_t hook)
{
	assert(hook < sizeof(hook_specs) / sizeof(hook_specs[0]));
	return hook == HOOK_NONE ? NULL : &hook_specs[hook];
}

void batch_fini(struct batch *b)
{
	free(b->bytes);
	free(b->first_op);
	memset(b, 0, sizeof(*b));
}

static void *reserve(struct batch *b)
{
	if (b->cap - b->len < MESSAGE_BYTES) {
		b->cap = b->cap ? b->cap * 2 : 2 * MESSAGE_BYTES;
		b->bytes = mem_realloc(b->bytes, b->cap, 1);
	}
	/* libmnl leaves the padding between attributes as it is. */
	if (b->zeroed < b->len + MESSAGE_BYTES) {
		memset(b->bytes + b->zeroed, 0, b->len + MESSAGE_BYTES - b->zeroed);
		b->zeroed = b->len + MESSAGE_BYTES;
	}
	return b->bytes + b->len;
}

/* A message of op number `op`; written by the caller, then message_end(). */
static struct nlmsghdr *message_start(struct batch *b, uint16_t type, uint16_t flags, size_t op)
{
	char *at = reserve(b);

	VEC_PUSH(b->first_op, b->n, b->cap_first) = op;
	return nftnl_nlmsg_build_hdr(at, type, NFPROTO_INET, flags, b->seq + (uint32_t)b->n);
}

static void message_end(struct batch *b, const struct nlmsghdr *nlh)
{
	b->last = b->len;
	b->len += MNL_ALIGN(nlh->nlmsg_len);
}

void batch_begin(struct batch *b, uint32_t seq)
{
	struct nlmsghdr *nlh;

	b->len = b->n = b->last = 0;
	b->seq = seq + 1;
	nlh = nftnl_batch_begin(reserve(b), b->seq);
	b->len = MNL_ALIGN(nlh->nlmsg_len);
}

uint32_t batch_end_dry(struct batch *b)
{
	struct nlmsghdr *last = (struct nlmsghdr *)(b->bytes + b->last);

	assert(b->n > 0);
	last->nlmsg_flags |= NLM_F_ACK;
	return b->seq + (uint32_t)b->n;
}

uint32_t batch_end(struct batch *b)
{
	uint32_t last = batch_end_dry(b);
	struct nlmsghdr *end;

	end = nftnl_batch_end(reserve(b), last + 1);
	b->len += MNL_ALIGN(end->nlmsg_len);
	return last;
}

/*
 * Always the first message of a batch that changes the table. The echo that it asks for is the
 * number of the new generation: nf_tables_gen_notify() looks at the flags of the message after
 * batch-begin. (It would also be the table itself, in the commit that makes it.)
 */
void batch_add_table(struct batch *b, const char *table, uint32_t flags)
{
	uint16_t echo = b->n == 0 ? NLM_F_ECHO : 0;
	struct nlmsghdr *nlh = message_start(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | echo, BATCH_NO_OP);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
	message_end(b, nlh);
}

void batch_del_table(struct batch *b, const char *table)
{
	struct nlmsghdr *nlh = message_start(b, NFT_MSG_DELTABLE, 0, BATCH_NO_OP);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	message_end(b, nlh);
}

/* Attributes of a timeout's data: linux/netfilter/nfnetlink_cttimeout.h, CTA_TIMEOUT_UDP_*. */
static void put_timeout(struct nlmsghdr *nlh, const struct map_ref *m)
{
	uint32_t seconds = htonl(m->shard - 1u);
	struct nlattr *policy;

	mnl_attr_put_u8(nlh, NFTA_CT_TIMEOUT_L4PROTO, IPPROTO_UDP);
	policy = mnl_attr_nest_start(nlh, NFTA_CT_TIMEOUT_DATA);
	mnl_attr_put_u32(nlh, CTA_TIMEOUT_UDP_UNREPLIED, seconds);
	mnl_attr_put_u32(nlh, CTA_TIMEOUT_UDP_REPLIED, seconds);
	mnl_attr_nest_end(nlh, policy);
}

static struct nlmsghdr *object_start(struct batch *b, const char *table, uint16_t type,
				     uint16_t flags, const struct map_ref *m, size_t op)
{
	struct nlmsghdr *nlh = message_start(b, type, flags, op);
	bool is_timeout = m->kind == MAP_TIMEOUT;
	char name[NFT_NAME_BYTES];

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, map_name(m, name));
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE,
			 htonl(is_timeout ? NFT_OBJECT_CT_TIMEOUT : NFT_OBJECT_COUNTER));
	return nlh;
}

static void add_object(struct batch *b, const char *table, const struct map_ref *m, size_t op)
{
	struct nlmsghdr *nlh =
		object_start(b, table, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, m, op);
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);

	if (m->kind == MAP_TIMEOUT)
		put_timeout(nlh, m);
	mnl_attr_nest_end(nlh, data);
	message_end(b, nlh);
}

static void del_object(struct batch *b, const char *table, const struct map_ref *m, size_t op)
{
	message_end(b, object_start(b, table, NFT_MSG_DELOBJ, 0, m, op));
}

static void add_map(struct batch *b, const char *table, const struct map_ref *m, size_t op)
{
	struct nlmsghdr *nlh = message_start(b, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, op);
	struct map_spec spec = nft_map_spec(m);
	uint8_t udata[NFT_UDATA_MAX];
	size_t udata_len = nft_udata_set(m, udata);
	char name[NFT_NAME_BYTES];

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, map_name(m, name));
	mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htonl(spec.flags));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htonl(spec.key_type));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(spec.key_len));
	if (spec.flags & NFT_SET_MAP) {
		mnl_attr_put_u32(nlh, NFTA_SET_DATA_TYPE, htonl(spec.data_type));
		mnl_attr_put_u32(nlh, NFTA_SET_DATA_LEN, htonl(spec.data_len));
	}
	if (spec.declared_size) {
		struct nlattr *desc = mnl_attr_nest_start(nlh, NFTA_SET_DESC);

		mnl_attr_put_u32(nlh, NFTA_SET_DESC_SIZE, htonl(spec.declared_size));
		mnl_attr_nest_end(nlh, desc);
	}
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl((uint32_t)b->n));
	mnl_attr_put(nlh, NFTA_SET_USERDATA, udata_len, udata);
	message_end(b, nlh);
}

static bool is_handle(const char *name)
{
	return strncmp(name, NFT_HANDLE_PREFIX, strlen(NFT_HANDLE_PREFIX)) == 0;
}

/* By name, or by handle where the name says so. */
static void put_name(struct nlmsghdr *nlh, const char *name, uint16_t name_attr,
		     uint16_t handle_attr)
{
	const char *number = name + strlen(NFT_HANDLE_PREFIX);

	if (is_handle(name))
		mnl_attr_put_u64(nlh, handle_attr, htobe64(strtoull(number, NULL, 10)));
	else
		mnl_attr_put_strz(nlh, name_attr, name);
}

static void del_map(struct batch *b, const char *table, const struct map_ref *m, size_t op)
{
	struct nlmsghdr *nlh = message_start(b, NFT_MSG_DELSET, 0, op);
	char name[NFT_NAME_BYTES];

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, table);
	put_name(nlh, map_name(m, name), NFTA_SET_NAME, NFTA_SET_HANDLE);
	message_end(b, nlh);
}

static void put_hook(struct nlmsghdr *nlh, const struct hook_spec *hook)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);

	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(hook->number));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)hook->priority));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, hook->type);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
}

static void add_rules(struct batch *b, const char *table, const struct chain *c, size_t op)
{
	for (unsigned int i = 0; i < c->n_rules; i++) {
		struct nlmsghdr *nlh =
			message_start(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, op);
		struct nftnl_rule *rule = nft_rule_new(table, c->name, &c->rules[i]);

		nftnl_rule_nlmsg_build_payload(nlh, rule);
		nftnl_rule_free(rule);
		message_end(b, nlh);
	}
}

static void add_chain(struct batch *b, const char *table, const struct chain *c, size_t op)
{
	struct nlmsghdr *nlh = message_start(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, op);
	const struct hook_spec *hook = nft_hook_spec(c->hook);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, c->name);
	if (hook)
		put_hook(nlh, hook);
	message_end(b, nlh);
	add_rules(b, table, c, op);
}

/*
 * All rules of the chain at once: a DELRULE without handle. A chain that is known by its handle
 * only cannot be named here; its rules go with it.
 */
static void set_chain(struct batch *b, const char *table, const struct chain *c, size_t op)
{
	struct nlmsghdr *nlh;

	if (is_handle(c->name))
		return;
	nlh = message_start(b, NFT_MSG_DELRULE, 0, op);
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, c->name);
	message_end(b, nlh);
	add_rules(b, table, c, op);
}

static void del_chain(struct batch *b, const char *table, const struct chain *c, size_t op)
{
	struct nlmsghdr *nlh = message_start(b, NFT_MSG_DELCHAIN, 0, op);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, table);
	put_name(nlh, c->name, NFTA_CHAIN_NAME, NFTA_CHAIN_HANDLE);
	message_end(b, nlh);
}

/* The elements of ops[0 ...] that fit into one message; returns how many. */
static size_t put_elems(struct batch *b, const char *table, const struct op_list *ops, size_t first)
{
	const struct op *op = &ops->items[first];
	bool is_add = op->kind == OP_ADD_ELEM;
	struct nlmsghdr *nlh = message_start(b, is_add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
					     is_add ? NLM_F_CREATE : 0, first);
	char name[NFT_NAME_BYTES];
	struct nlattr *list;
	const char *start;
	size_t n = 0;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, map_name(&op->elem.map, name));
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	start = (const char *)list;
	do
		nft_elem_put(nlh, &op[n++].elem, is_add);
	while (first + n < ops->n && op[n].kind == op->kind &&
	       (const char *)mnl_nlmsg_get_payload_tail(nlh) - start < NEST_BYTES &&
	       map_cmp(&op[n].elem.map, &op->elem.map) == 0);
	mnl_attr_nest_end(nlh, list);
	message_end(b, nlh);
	return n;
}

void batch_del_elems(struct batch *b, const char *table, const struct elem *elems, size_t n,
		     bool is_lenient)
{
	uint16_t type = is_lenient ? MSG_DESTROYSETELEM : NFT_MSG_DELSETELEM;

	for (size_t i = 0; i < n;) {
		struct nlmsghdr *nlh = message_start(b, type, 0, BATCH_NO_OP);
		char name[NFT_NAME_BYTES];
		struct nlattr *list;

		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, map_name(&elems[i].map, name));
		list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		do
			nft_elem_put(nlh, &elems[i++], false);
		while (i < n && (const char *)mnl_nlmsg_get_payload_tail(nlh) - (const char *)list <
					NEST_BYTES);
		mnl_attr_nest_end(nlh, list);
		message_end(b, nlh);
	}
}

/* Writes ops[i] (and elements that follow); returns how many operations that were. */
static size_t add_op(struct batch *b, const char *table, const struct op_list *ops, size_t i)
{
	const struct op *op = &ops->items[i];

	switch ((enum op_kind)op->kind) {
	case OP_ADD_MAP:
		(map_has_elements(&op->map) ? add_map : add_object)(b, table, &op->map, i);
		break;
	case OP_ADD_CHAIN:
		add_chain(b, table, op->chain, i);
		break;
	case OP_SET_CHAIN:
		set_chain(b, table, op->chain, i);
		break;
	case OP_ADD_ELEM:
	case OP_DEL_ELEM:
		return put_elems(b, table, ops, i);
	case OP_DEL_CHAIN:
		del_chain(b, table, op->chain, i);
		break;
	case OP_DEL_MAP:
		(map_has_elements(&op->map) ? del_map : del_object)(b, table, &op->map, i);
		break;
	}
	return 1;
}

void batch_add_ops(struct batch *b, const char *table, const struct op_list *ops)
{
	for (size_t i = 0; i < ops->n;)
		i += add_op(b, table, ops, i);
}

static const struct nlmsghdr *find_message(const struct batch *b, uint32_t seq)
{
	int left = (int)b->len;
	const struct nlmsghdr *nlh = (const void *)b->bytes;

	while (mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_seq != seq)
		nlh = mnl_nlmsg_next(nlh, &left);
	return mnl_nlmsg_ok(nlh, left) ? nlh : NULL;
}

/* How many elements stand before the attribute at this offset of the message. */
static size_t elems_before(const struct nlmsghdr *nlh, uint32_t offset)
{
	const struct nlattr *list, *elem;
	size_t n = 0;

	mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, list)
		{
			const char *end = (const char *)elem + elem->nla_len;

			if (end > (const char *)nlh + offset)
				return n;
			n++;
		}
	}
	return 0;
}

size_t batch_find_op(const struct batch *b, uint32_t seq, uint32_t offset)
{
	size_t i = seq - b->seq - 1;
	const struct nlmsghdr *nlh;
	size_t op;

	if (seq == b->seq || i >= b->n || b->first_op[i] == BATCH_NO_OP)
		return BATCH_NO_OP;
	op = b->first_op[i];
	nlh = find_message(b, seq);
	if (!nlh || offset == 0)
		return op;
	switch (NFNL_MSG_TYPE(nlh->nlmsg_type)) {
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		return op + elems_before(nlh, offset);
	}
	return op;
}
