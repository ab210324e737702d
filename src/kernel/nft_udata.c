/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Without this a slot's key would list as nothing: nft cannot tell the type of
 * an integer made by numgen from the key's type id, and would print it byte
 * swapped or not at all. The byte strings made here are those of nft 1.0.6 for
 * the same declarations; newer ones read them too.
 */
#include "kernel/nft_udata.h"

#include <assert.h>
#include <libnftnl/udata.h>
#include <string.h>
#include <sys/socket.h>

/* nft's enum byteorder. */
enum { ORDER_NONE = 0, ORDER_HOST = 1, ORDER_NETWORK = 2 };

/* nft's enum expr_types, as stored in user data. */
enum { EXPR_VERDICT = 1, EXPR_PAYLOAD = 7, EXPR_META = 9, EXPR_CONCAT = 13, EXPR_NUMGEN = 23 };

/* nft's enum proto_desc_id, and the number of the header's field. */
enum { DESC_TH = 11, DESC_IP = 12, DESC_IP6 = 13 };
enum { TH_DPORT = 2, IP_SADDR = 11, IP_DADDR = 12, IP6_SADDR = 8, IP6_DADDR = 9 };

#define META_L4PROTO  16 /* NFT_META_L4PROTO */
#define NUMGEN_MODULO 65536

static void put_u32(struct nftnl_udata_buf *buf, uint8_t type, uint32_t value)
{
	bool fits = nftnl_udata_put_u32(buf, type, value);

	assert(fits);
	(void)fits;
}

/* Every expression is { number of the kind, data of that kind }, inside an attribute `type`. */
static void put_payload(struct nftnl_udata_buf *buf, uint8_t type, uint32_t desc, uint32_t field)
{
	struct nftnl_udata *expr = nftnl_udata_nest_start(buf, type);
	struct nftnl_udata *data;

	put_u32(buf, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_PAYLOAD);
	data = nftnl_udata_nest_start(buf, NFTNL_UDATA_SET_TYPEOF_DATA);
	put_u32(buf, 0, desc);
	put_u32(buf, 1, field);
	nftnl_udata_nest_end(buf, data);
	nftnl_udata_nest_end(buf, expr);
}

static void put_l4proto(struct nftnl_udata_buf *buf, uint8_t type)
{
	struct nftnl_udata *expr = nftnl_udata_nest_start(buf, type);
	struct nftnl_udata *data;

	put_u32(buf, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_META);
	data = nftnl_udata_nest_start(buf, NFTNL_UDATA_SET_TYPEOF_DATA);
	put_u32(buf, 0, META_L4PROTO);
	nftnl_udata_nest_end(buf, data);
	nftnl_udata_nest_end(buf, expr);
}

static void put_numgen(struct nftnl_udata_buf *buf, uint8_t type)
{
	struct nftnl_udata *expr = nftnl_udata_nest_start(buf, type);
	struct nftnl_udata *data;

	put_u32(buf, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_NUMGEN);
	data = nftnl_udata_nest_start(buf, NFTNL_UDATA_SET_TYPEOF_DATA);
	put_u32(buf, 0, 0); /* NFT_NG_INCREMENTAL */
	put_u32(buf, 1, NUMGEN_MODULO);
	put_u32(buf, 2, 0); /* offset */
	nftnl_udata_nest_end(buf, data);
	nftnl_udata_nest_end(buf, expr);
}

struct concat {
	struct nftnl_udata *expr, *data;
};

static struct concat concat_start(struct nftnl_udata_buf *buf, uint8_t type)
{
	struct concat c = { .expr = nftnl_udata_nest_start(buf, type) };

	put_u32(buf, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_CONCAT);
	c.data = nftnl_udata_nest_start(buf, NFTNL_UDATA_SET_TYPEOF_DATA);
	return c;
}

static void concat_end(struct nftnl_udata_buf *buf, struct concat c)
{
	nftnl_udata_nest_end(buf, c.data);
	nftnl_udata_nest_end(buf, c.expr);
}

static void put_address(struct nftnl_udata_buf *buf, uint8_t type, uint8_t family, bool is_source)
{
	if (family == AF_INET)
		put_payload(buf, type, DESC_IP, is_source ? IP_SADDR : IP_DADDR);
	else
		put_payload(buf, type, DESC_IP6, is_source ? IP6_SADDR : IP6_DADDR);
}

/* typeof ip daddr . meta l4proto . th dport . numgen inc mod 65536 */
static void put_listener_slot(struct nftnl_udata_buf *buf, uint8_t family)
{
	struct concat c = concat_start(buf, NFTNL_UDATA_SET_KEY_TYPEOF);

	put_address(buf, 0, family, false);
	put_l4proto(buf, 1);
	put_payload(buf, 2, DESC_TH, TH_DPORT);
	put_numgen(buf, 3);
	concat_end(buf, c);
}

/* ... : ip daddr . th dport */
static void put_slots(struct nftnl_udata_buf *buf, uint8_t family)
{
	struct concat c;

	put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_NONE);
	put_u32(buf, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_NONE);
	put_listener_slot(buf, family);
	c = concat_start(buf, NFTNL_UDATA_SET_DATA_TYPEOF);
	put_address(buf, 0, family, false);
	put_payload(buf, 1, DESC_TH, TH_DPORT);
	concat_end(buf, c);
}

/* ... : ip saddr */
static void put_detours(struct nftnl_udata_buf *buf, uint8_t family)
{
	put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_NONE);
	put_u32(buf, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_NETWORK);
	put_listener_slot(buf, family);
	put_address(buf, NFTNL_UDATA_SET_DATA_TYPEOF, family, true);
}

/* typeof numgen inc mod 65536 : ip saddr */
static void put_pool(struct nftnl_udata_buf *buf, uint8_t family)
{
	put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_HOST);
	put_u32(buf, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_NETWORK);
	put_numgen(buf, NFTNL_UDATA_SET_KEY_TYPEOF);
	put_address(buf, NFTNL_UDATA_SET_DATA_TYPEOF, family, true);
}

/* typeof ip saddr : ip daddr . th dport */
static void put_clients(struct nftnl_udata_buf *buf, uint8_t family, bool is_address)
{
	struct concat c;

	put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_NETWORK);
	put_u32(buf, NFTNL_UDATA_SET_DATABYTEORDER, is_address ? ORDER_NETWORK : ORDER_NONE);
	put_address(buf, NFTNL_UDATA_SET_KEY_TYPEOF, family, true);
	if (is_address) {
		put_address(buf, NFTNL_UDATA_SET_DATA_TYPEOF, family, false);
		return;
	}
	c = concat_start(buf, NFTNL_UDATA_SET_DATA_TYPEOF);
	put_address(buf, 0, family, false);
	put_payload(buf, 1, DESC_TH, TH_DPORT);
	concat_end(buf, c);
}

/* typeof ip daddr . th dport */
static void put_backends(struct nftnl_udata_buf *buf, uint8_t family)
{
	struct concat c = concat_start(buf, NFTNL_UDATA_SET_KEY_TYPEOF);

	put_address(buf, 0, family, false);
	put_payload(buf, 1, DESC_TH, TH_DPORT);
	concat_end(buf, c);
}

/* ... : verdict */
static void put_gates(struct nftnl_udata_buf *buf, uint8_t family)
{
	struct nftnl_udata *expr;

	put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_NONE);
	put_u32(buf, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_NONE);
	put_listener_slot(buf, family);
	expr = nftnl_udata_nest_start(buf, NFTNL_UDATA_SET_DATA_TYPEOF);
	put_u32(buf, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_VERDICT);
	nftnl_udata_nest_end(buf, nftnl_udata_nest_start(buf, NFTNL_UDATA_SET_TYPEOF_DATA));
	nftnl_udata_nest_end(buf, expr);
}

/* type ipv4_addr . inet_proto . inet_service : verdict. nft adds an empty concatenation. */
static void put_verdicts(struct nftnl_udata_buf *buf)
{
	put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_NONE);
	put_u32(buf, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_NONE);
	concat_end(buf, concat_start(buf, NFTNL_UDATA_SET_KEY_TYPEOF));
}

static void put_map(struct nftnl_udata_buf *buf, const struct map_ref *m)
{
	switch ((enum map_kind)m->kind) {
	case MAP_ALL:
		put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_HOST);
		put_numgen(buf, NFTNL_UDATA_SET_KEY_TYPEOF);
		return;
	case MAP_ADDRESSES:
	case MAP_CLIENTS:
		put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_NETWORK);
		return;
	case MAP_BEGUN:
		put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER,
			m->is_address ? ORDER_NETWORK : ORDER_NONE);
		if (!m->is_address)
			put_backends(buf, m->family);
		return;
	case MAP_SERVICES:
	case MAP_SNAT:
		put_verdicts(buf);
		break;
	case MAP_POOL:
		put_pool(buf, m->family);
		break;
	case MAP_SLOTS:
		put_slots(buf, m->family);
		break;
	case MAP_DETOUR:
		put_detours(buf, m->family);
		break;
	case MAP_GATES:
		put_gates(buf, m->family);
		break;
	case MAP_PINS:
	case MAP_STICKY:
		put_clients(buf, m->family, m->is_address);
		break;
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_FOREIGN:
		assert(!"a foreign map is never made");
	}
	put_u32(buf, NFTNL_UDATA_SET_DATA_INTERVAL, 0);
}

size_t nft_udata_set(const struct map_ref *m, uint8_t out[NFT_UDATA_MAX])
{
	struct nftnl_udata_buf *buf = nftnl_udata_buf_alloc(NFT_UDATA_MAX);
	size_t len;

	assert(buf);
	put_map(buf, m);
	len = nftnl_udata_buf_len(buf);
	memcpy(out, nftnl_udata_buf_data(buf), len);
	nftnl_udata_buf_free(buf);
	return len;
}

size_t nft_udata_comment(const char *comment, uint8_t out[NFT_UDATA_MAX])
{
	size_t len = strlen(comment) + 1;

	/* Type, length and value of one byte each; nft itself stops at 128. */
	if (len > NFT_UDATA_MAX - 3)
		return 0;
	out[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
	out[1] = (uint8_t)len;
	memcpy(out + 2, comment, len);
	return len + 2;
}

const char *nft_udata_get_comment(const uint8_t *data, size_t len)
{
	while (len >= 2 && data[1] <= len - 2) {
		size_t n = data[1];

		if (data[0] == NFTNL_UDATA_SET_ELEM_COMMENT)
			return n > 0 && data[2 + n - 1] == '\0' ? (const char *)data + 2 : NULL;
		data += 2 + n;
		len -= 2 + n;
	}
	return NULL;
}
