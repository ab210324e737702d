/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements to attributes and back. Both directions stand in one file, so that a change of a map's
 * layout is a change here. By hand with libmnl, because libnftnl makes a heap object of each.
 *
 * What comes back was not necessarily written by fnat. An element whose key can be told but whose
 * value fnat would not have written gets a comment that fnat never writes: then it differs from
 * any wanted element, and the difference deletes it.
 */
#include "kernel/nft_elem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/nft_udata.h"

#define KEY_BYTES 28
static const char POOL_PREFIX[] = "pool-";

/* nft's datatype numbers, packed six bits each in a concatenation (nft's datatype.h). */
enum { TYPE_INTEGER = 4, TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_PROTOCOL = 12, TYPE_SERVICE = 13 };
#define TYPE2(a, b) ((uint32_t)(a) << 6 | (b))

struct map_spec nft_map_spec(const struct map_ref *m)
{
	bool is_v4 = m->family == AF_INET;
	uint32_t address = is_v4 ? TYPE_IPV4 : TYPE_IPV6, len = is_v4 ? 4 : 16;
	uint32_t listener = TYPE2(TYPE2(address, TYPE_PROTOCOL), TYPE_SERVICE);

	switch ((enum map_kind)m->kind) {
	case MAP_CLIENTS:
		return (struct map_spec){ .flags = NFT_SET_EVAL,
					  .key_type = address,
					  .key_len = len,
					  .size = map_size(m) };
	case MAP_BEGUN:
		return (struct map_spec){ .flags = NFT_SET_EVAL,
					  .key_type = m->is_address ? address
								    : TYPE2(address, TYPE_SERVICE),
					  .key_len = m->is_address ? len : len + 4,
					  .size = map_size(m) };
	case MAP_ALL:
		return (struct map_spec){ .flags = NFT_SET_EVAL,
					  .key_type = TYPE_INTEGER,
					  .key_len = 4,
					  .size = map_size(m) };
	case MAP_ADDRESSES:
		return (struct map_spec){ .key_type = address, .key_len = len };
	case MAP_SERVICES:
	case MAP_SNAT:
		return (struct map_spec){
			NFT_SET_MAP, listener, len + 8, NFT_DATA_VERDICT, 0, 0, 0
		};
	case MAP_POOL:
		return (struct map_spec){ NFT_SET_MAP, TYPE_INTEGER, 4, address, len, 0, 0 };
	case MAP_SLOTS:
		return (struct map_spec){ NFT_SET_MAP,
					  TYPE2(listener, TYPE_INTEGER),
					  len + 12,
					  TYPE2(address, TYPE_SERVICE),
					  len + 4,
					  0,
					  0 };
	case MAP_DETOUR:
		return (struct map_spec){
			NFT_SET_MAP, TYPE2(listener, TYPE_INTEGER), len + 12, address, len, 0, 0
		};
	case MAP_GATES:
		return (struct map_spec){ NFT_SET_MAP,
					  TYPE2(listener, TYPE_INTEGER),
					  len + 12,
					  NFT_DATA_VERDICT,
					  0,
					  0,
					  0 };
	case MAP_PINS:
	case MAP_STICKY:
		return (struct map_spec){
			.flags = m->kind == MAP_STICKY
					 ? NFT_SET_MAP | NFT_SET_TIMEOUT | NFT_SET_EVAL
					 : NFT_SET_MAP,
			.key_type = address,
			.key_len = len,
			.data_type = m->is_address ? address : TYPE2(address, TYPE_SERVICE),
			.data_len = m->is_address ? len : len + 4,
			.size = m->kind == MAP_STICKY ? map_size(m) : 0,
			.declared_size = m->kind == MAP_STICKY && m->bits ? map_size(m) : 0,
		};
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_FOREIGN:
		break;
	}
	assert(!"the declaration of a foreign map is not known");
	return (struct map_spec){ 0 };
}

/* address . protocol . port (. slot), each padded to words. */
static size_t put_listener(const struct elem *e, bool has_slot, uint8_t key[KEY_BYTES])
{
	size_t n = addr_len(e->address.family);
	uint16_t port = htons(e->port);

	memset(key, 0, KEY_BYTES);
	memcpy(key, e->address.bytes, n);
	key[n] = e->protocol;
	memcpy(key + n + 4, &port, sizeof(port));
	n += 8;
	if (!has_slot)
		return n;
	memcpy(key + n, &e->slot, sizeof(e->slot)); /* host byte order, as numgen leaves it */
	return n + sizeof(e->slot);
}

/* address (. port) */
static size_t put_end(const struct elem *e, uint8_t key[KEY_BYTES])
{
	size_t n = addr_len(e->address.family);
	uint16_t port = htons(e->port);

	memset(key, 0, KEY_BYTES);
	memcpy(key, e->address.bytes, n);
	memcpy(key + n, &port, sizeof(port));
	return e->map.is_address ? n : n + 4;
}

static size_t elem_key(const struct elem *e, uint8_t key[KEY_BYTES])
{
	switch ((enum map_kind)e->map.kind) {
	case MAP_BEGUN:
		return put_end(e, key);
	case MAP_ADDRESSES:
	case MAP_PINS:
	case MAP_STICKY:
	case MAP_CLIENTS:
		memcpy(key, e->address.bytes, addr_len(e->address.family));
		return addr_len(e->address.family);
	case MAP_SERVICES:
	case MAP_SNAT:
		return put_listener(e, false, key);
	case MAP_SLOTS:
	case MAP_DETOUR:
	case MAP_GATES:
		return put_listener(e, true, key);
	case MAP_POOL:
	case MAP_ALL:
		memcpy(key, &e->slot, sizeof(e->slot));
		return sizeof(e->slot);
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_FOREIGN:
		break;
	}
	assert(!"elements of a foreign map are not touched");
	return 0;
}

/* What stands for the element that matches everything else ("*"): see nft_read.c. */
static bool is_catchall(const struct elem *e)
{
	return e->map.kind == MAP_POOL ? e->slot == UINT32_MAX : e->address.family == AF_UNSPEC;
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

static void put_verdict(struct nlmsghdr *nlh, int verdict_code, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)verdict_code));
	mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

static void put_goto(struct nlmsghdr *nlh, const char *chain)
{
	put_verdict(nlh, NFT_GOTO, chain);
}

static void put_pool_chain(struct nlmsghdr *nlh, const char *pool)
{
	char name[NFT_NAME_BYTES];
	size_t len = strnlen(pool, sizeof(name) - sizeof(POOL_PREFIX));

	memcpy(name, POOL_PREFIX, sizeof(POOL_PREFIX) - 1);
	memcpy(name + sizeof(POOL_PREFIX) - 1, pool, len);
	name[sizeof(POOL_PREFIX) - 1 + len] = '\0';
	put_goto(nlh, name);
}

static void put_backend(struct nlmsghdr *nlh, const struct elem *e)
{
	size_t n = addr_len(e->to.family);
	uint16_t port = htons(e->to_port);
	uint8_t value[20] = { 0 };

	memcpy(value, e->to.bytes, n);
	memcpy(value + n, &port, sizeof(port));
	put_value(nlh, NFTA_SET_ELEM_DATA, value, e->map.is_address ? n : n + 4);
}

static void put_data(struct nlmsghdr *nlh, const struct elem *e)
{
	struct gate gate = elem_gate(e);
	char name[NFT_NAME_BYTES];

	switch ((enum map_kind)e->map.kind) {
	case MAP_ADDRESSES:
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_CLIENTS:
	case MAP_ALL:
	case MAP_BEGUN:
	case MAP_FOREIGN:
		break;
	case MAP_GATES:
		put_verdict(nlh, NFT_JUMP, gate_name(&gate, name));
		break;
	case MAP_SERVICES:
		put_goto(nlh, program_name(&e->program, name));
		break;
	case MAP_SNAT:
		if (e->program.own)
			put_goto(nlh, new_chain_name(e->program.own, name));
		else
			put_pool_chain(nlh, e->pool);
		break;
	case MAP_POOL:
	case MAP_DETOUR:
		put_value(nlh, NFTA_SET_ELEM_DATA, e->to.bytes, addr_len(e->to.family));
		break;
	case MAP_SLOTS:
	case MAP_PINS:
	case MAP_STICKY:
		put_backend(nlh, e);
		break;
	}
}

static void put_comment(struct nlmsghdr *nlh, const char *comment)
{
	uint8_t udata[NFT_UDATA_MAX];
	size_t len = nft_udata_comment(comment, udata);

	if (len > 0)
		mnl_attr_put(nlh, NFTA_SET_ELEM_USERDATA, len, udata);
}

void nft_elem_put(struct nlmsghdr *nlh, const struct elem *e, bool is_add)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	uint8_t key[KEY_BYTES];

	if (!is_add && is_catchall(e)) {
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_CATCHALL));
	} else {
		size_t len = elem_key(e, key);

		put_value(nlh, NFTA_SET_ELEM_KEY, key, len);
	}
	if (is_add) {
		put_data(nlh, e);
		if (e->comment)
			put_comment(nlh, e->comment);
	}
	mnl_attr_nest_end(nlh, nest);
}

struct bytes {
	const uint8_t *at;
	size_t len;
};

/* The attributes of one element, as they are. */
struct raw {
	struct bytes key, value, udata;
	uint32_t flags, verdict;
	const char *chain;
	struct elem_state state;
	bool has_more; /* a counter, ... */
};

static struct bytes payload(const struct nlattr *attr)
{
	return (struct bytes){ mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr) };
}

static uint32_t get_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) < 4 ? 0 : ntohl(mnl_attr_get_u32(attr));
}

static uint64_t get_u64(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) < 8 ? 0 : be64toh(mnl_attr_get_u64(attr));
}

static void read_verdict(const struct nlattr *verdict, struct raw *out)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, verdict)
	{
		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE)
			out->verdict = get_u32(attr);
		else if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN &&
			 mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			out->chain = mnl_attr_get_str(attr);
	}
}

static void read_data(const struct nlattr *data, struct bytes *value, struct raw *out)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data)
	{
		if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE)
			*value = payload(attr);
		else if (mnl_attr_get_type(attr) == NFTA_DATA_VERDICT)
			read_verdict(attr, out);
	}
}

/* Of a counter. Others have numbers of their own under that type, which nobody looks at. */
static void read_expr(const struct nlattr *expr, struct elem_state *out)
{
	const struct nlattr *attr, *of;

	mnl_attr_for_each_nested(attr, expr)
	{
		if (mnl_attr_get_type(attr) != NFTA_EXPR_DATA)
			continue;
		mnl_attr_for_each_nested(of, attr)
		{
			if (mnl_attr_get_type(of) == NFTA_COUNTER_PACKETS)
				out->packets = get_u64(of);
		}
	}
}

static void read_attrs(const struct nlattr *elem, struct raw *out)
{
	const struct nlattr *attr;

	memset(out, 0, sizeof(*out));
	mnl_attr_for_each_nested(attr, elem)
	{
		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_KEY:
			read_data(attr, &out->key, out);
			break;
		case NFTA_SET_ELEM_DATA:
			read_data(attr, &out->value, out);
			break;
		case NFTA_SET_ELEM_USERDATA:
			out->udata = payload(attr);
			break;
		case NFTA_SET_ELEM_FLAGS:
			out->flags = get_u32(attr);
			break;
		case NFTA_SET_ELEM_EXPIRATION:
			out->state.expires_ms = get_u64(attr);
			break;
		case NFTA_SET_ELEM_EXPR:
			read_expr(attr, &out->state);
			out->has_more = true;
			break;
		case NFTA_SET_ELEM_TIMEOUT: /* nothing that is listed here has one for ever */
		case NFTA_SET_ELEM_PAD:
			break;
		default:
			out->has_more = true;
		}
	}
}

static void get_address(struct addr *out, uint8_t family, const uint8_t *bytes)
{
	out->family = family;
	memcpy(out->bytes, bytes, addr_len(family));
}

static uint16_t get_port(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void get_listener(const uint8_t *key, struct elem *out)
{
	size_t n = addr_len(out->map.family);

	get_address(&out->address, out->map.family, key);
	out->protocol = key[n];
	out->port = get_port(key + n + 4);
}

/* The catch-all element has no key; see is_catchall(). */
static bool get_key(const struct raw *raw, size_t key_len, struct elem *out)
{
	size_t n = addr_len(out->map.family);

	if (raw->flags & NFT_SET_ELEM_CATCHALL) {
		out->slot = out->map.kind == MAP_POOL ? UINT32_MAX : 0;
		return true;
	}
	if (raw->key.len != key_len)
		return false;
	switch ((enum map_kind)out->map.kind) {
	case MAP_ADDRESSES:
	case MAP_PINS:
	case MAP_STICKY:
	case MAP_CLIENTS:
		get_address(&out->address, out->map.family, raw->key.at);
		return true;
	case MAP_BEGUN:
		get_address(&out->address, out->map.family, raw->key.at);
		if (!out->map.is_address)
			out->port = get_port(raw->key.at + n);
		return true;
	case MAP_SLOTS:
	case MAP_DETOUR:
	case MAP_GATES:
		memcpy(&out->slot, raw->key.at + n + 8, sizeof(out->slot));
		get_listener(raw->key.at, out);
		return true;
	case MAP_SERVICES:
	case MAP_SNAT:
		get_listener(raw->key.at, out);
		return true;
	case MAP_POOL:
	case MAP_ALL:
		memcpy(&out->slot, raw->key.at, sizeof(out->slot));
		return true;
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_FOREIGN:
		break;
	}
	return false;
}

/* Copy of the chain's name that an element goes to, or NULL. */
static const char *get_goto(const struct raw *raw, char name[NFT_NAME_BYTES])
{
	if (raw->verdict != (uint32_t)NFT_GOTO || !raw->chain ||
	    strlen(raw->chain) >= NFT_NAME_BYTES)
		return NULL;
	return strcpy(name, raw->chain);
}

static bool get_program(const struct raw *raw, struct elem *out, char name[NFT_NAME_BYTES])
{
	if (get_goto(raw, name) && program_parse(name, &out->program) == 0)
		return true;
	out->program = (struct program){ .kind = PROGRAM_DROP };
	return false;
}

static bool get_gate(const struct raw *raw, struct elem *out)
{
	struct gate gate;

	if (raw->verdict != (uint32_t)NFT_JUMP || !raw->chain ||
	    gate_parse(raw->chain, &gate) < 0 || gate.own != out->map.shard)
		return false;
	out->to = gate.to;
	out->to_port = gate.port;
	out->max = gate.max;
	out->tokens = gate.tokens;
	out->room = gate.room;
	out->epoch = gate.epoch;
	return true;
}

/* "new-5" */
static bool get_new(const char *name, uint16_t *own)
{
	char again[NFT_NAME_BYTES];

	if (strncmp(name, "new-", 4) != 0)
		return false;
	*own = (uint16_t)strtoul(name + 4, NULL, 10);
	return *own && strcmp(new_chain_name(*own, again), name) == 0;
}

static bool get_pool(const struct raw *raw, struct elem *out, char name[NFT_NAME_BYTES])
{
	size_t n = sizeof(POOL_PREFIX) - 1;

	out->pool_verdict = 1;
	out->pool = "";
	if (!get_goto(raw, name))
		return false;
	if (get_new(name, &out->program.own)) {
		out->pool = NULL;
		return true;
	}
	if (strncmp(name, POOL_PREFIX, n) != 0)
		return false;
	out->pool = name + n;
	return true;
}

/* False: not a value that fnat writes. */
static bool get_data(const struct raw *raw, size_t data_len, struct elem *out,
		     char name[NFT_NAME_BYTES])
{
	if (raw->value.len != data_len)
		return false;
	switch ((enum map_kind)out->map.kind) {
	case MAP_ADDRESSES:
	case MAP_CLIENTS:
	case MAP_ALL:
	case MAP_BEGUN:
		return true;
	case MAP_SERVICES:
		return get_program(raw, out, name);
	case MAP_SNAT:
		return get_pool(raw, out, name);
	case MAP_GATES:
		return get_gate(raw, out);
	case MAP_SLOTS:
	case MAP_PINS:
	case MAP_STICKY:
		if (!out->map.is_address)
			out->to_port = get_port(raw->value.at + addr_len(out->map.family));
		get_address(&out->to, out->map.family, raw->value.at);
		return true;
	case MAP_POOL:
	case MAP_DETOUR:
		get_address(&out->to, out->map.family, raw->value.at);
		return true;
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_FOREIGN:
		break;
	}
	return false;
}

int nft_elem_get(const struct nlattr *attr, const struct map_ref *map, const struct map_spec *spec,
		 struct elem *out, char name[NFT_NAME_BYTES], struct elem_state *state)
{
	struct raw raw;

	read_attrs(attr, &raw);
	memset(out, 0, sizeof(*out));
	out->map = *map;
	if (!get_key(&raw, spec->key_len, out))
		return -EINVAL;
	if (raw.udata.at)
		out->comment = nft_udata_get_comment(raw.udata.at, raw.udata.len);
	if (state)
		*state = raw.state;
	if (!get_data(&raw, spec->data_len, out, name) || raw.has_more || raw.flags)
		out->comment = NFT_FOREIGN_COMMENT;
	return 0;
}

void nft_elem_each(const struct nlmsghdr *nlh, nft_elem_fn *fn, void *arg)
{
	const struct nlattr *list, *elem;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWSETELEM)
		return;
	mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, list) fn(elem, arg);
	}
}
