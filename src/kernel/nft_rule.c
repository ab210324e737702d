/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function for each kind of rule; they read like the output of `nft --debug=netlink`, against
 * which they were checked.
 *
 * Registers: NFT_REG_1 ... NFT_REG_4 hold 16 bytes, NFT_REG32_00 ... the same
 * memory in words of 4. A key is laid out from NFT_REG_1 on, each part padded
 * to words, as the elements' keys are.
 */
#include "kernel/nft_rule.h"

#include <arpa/inet.h>
#include <assert.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/nft_expr.h"

#define TCP_FLAGS_OFFSET   13
#define TCP_FLAGS_LOOKED   0x17 /* fin, syn, rst, ack */
#define TCP_FLAG_SYN       0x02
#define CT_STATE_INVALID   1u /* NF_CT_STATE_INVALID_BIT, as nft counts */
#define PORT_SOURCE_OFFSET 0
#define PORT_DEST_OFFSET   2

/* Where each part of the key lives, and where addresses stand in the packet. */
static const struct layout {
	uint8_t nfproto;
	uint32_t address_len, saddr_offset, daddr_offset;
	uint32_t ct_daddr;
	uint32_t reg_address, reg_protocol, reg_port, reg_slot;
	uint32_t reg_to_port; /* of the data of a slot */
	uint32_t reg_sport;   /* a port behind an address at NFT_REG_2 */
} layouts[] = {
	{ NFPROTO_IPV4, 4, 12, 16, NFT_CT_DST_IP, NFT_REG_1, NFT_REG32_01, NFT_REG32_02,
	  NFT_REG32_03, NFT_REG32_01, NFT_REG32_05 },
	{ NFPROTO_IPV6, 16, 8, 24, NFT_CT_DST_IP6, NFT_REG_1, NFT_REG_2, NFT_REG32_05, NFT_REG32_06,
	  NFT_REG_2, NFT_REG_3 },
};

static const struct layout *layout_of(uint8_t family)
{
	return &layouts[family == AF_INET6];
}

/* Only packets of this family: `meta nfproto`, which nft implies in an inet table. */
static void match_family(struct nftnl_rule *rule, uint8_t family)
{
	nft_expr_meta(rule, NFT_META_NFPROTO, NFT_REG_1);
	nft_expr_cmp_u8(rule, NFT_CMP_EQ, layout_of(family)->nfproto);
}

static void match_protocol(struct nftnl_rule *rule, uint8_t protocol)
{
	nft_expr_meta(rule, NFT_META_L4PROTO, NFT_REG_1);
	nft_expr_cmp_u8(rule, NFT_CMP_EQ, protocol);
}

static void match_ct_bit(struct nftnl_rule *rule, uint32_t key, uint32_t bit)
{
	static const uint32_t zero;

	nft_expr_ct(rule, key, -1, NFT_REG_1);
	nft_expr_mask(rule, &bit, sizeof(bit));
	nft_expr_cmp(rule, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void load_daddr(struct nftnl_rule *rule, uint8_t family)
{
	const struct layout *l = layout_of(family);

	nft_expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, l->daddr_offset, l->address_len,
			 l->reg_address);
}

/* ip daddr . meta l4proto . th dport */
static void load_listener(struct nftnl_rule *rule, uint8_t family)
{
	const struct layout *l = layout_of(family);

	load_daddr(rule, family);
	nft_expr_meta(rule, NFT_META_L4PROTO, l->reg_protocol);
	nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DEST_OFFSET, 2, l->reg_port);
}

/* ct original ip daddr . meta l4proto . ct original proto-dst */
static void load_original_listener(struct nftnl_rule *rule, uint8_t family)
{
	const struct layout *l = layout_of(family);

	nft_expr_ct(rule, l->ct_daddr, IP_CT_DIR_ORIGINAL, l->reg_address);
	nft_expr_meta(rule, NFT_META_L4PROTO, l->reg_protocol);
	nft_expr_ct(rule, NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL, l->reg_port);
}

/* A word's register under the name by which the kernel reports it. */
static uint32_t reg_of_word(uint32_t word)
{
	return word % 4 ? NFT_REG32_00 + word : NFT_REG_1 + word / 4;
}

/* Behind the source address at NFT_REG_1, a word each but for addresses; how many bytes in all. */
static uint32_t load_hashed(struct nftnl_rule *rule, const struct program *p)
{
	const struct layout *l = layout_of(p->family);
	uint32_t words = l->address_len / 4, at = words;

	if (p->key == HASH_FIVE_TUPLE) {
		nft_expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, l->daddr_offset, l->address_len,
				 reg_of_word(at));
		at += words;
		nft_expr_meta(rule, NFT_META_L4PROTO, reg_of_word(at++));
	}
	if (p->key != HASH_SOURCE)
		nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_SOURCE_OFFSET, 2,
				 reg_of_word(at++));
	if (p->key == HASH_FIVE_TUPLE)
		nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DEST_OFFSET, 2,
				 reg_of_word(at++));
	return at * 4;
}

/* ip saddr & MASK at NFT_REG_1; bits: 0 is all of it. */
static void load_client(struct nftnl_rule *rule, uint8_t family, uint32_t bits)
{
	const struct layout *l = layout_of(family);
	uint8_t mask[16];

	nft_expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, l->saddr_offset, l->address_len,
			 NFT_REG_1);
	if (bits == 0 || bits == l->address_len * 8)
		return;
	prefix_mask((uint8_t)bits, mask);
	nft_expr_mask(rule, mask, l->address_len);
}

/* The hash of the client, where the slot belongs. Before the rest of the key, because an IPv6
 * 5-tuple takes registers that the key needs. */
static void load_hash(struct nftnl_rule *rule, const struct program *p)
{
	const struct layout *l = layout_of(p->family);
	uint32_t len;

	load_client(rule, p->family, p->prefix);
	len = load_hashed(rule, p);
	nft_expr_jhash(rule, NFT_REG_1, len, p->size, HASH_SEED, l->reg_slot);
}

static void load_slot(struct nftnl_rule *rule, const struct program *p)
{
	const struct layout *l = layout_of(p->family);

	switch ((enum program_kind)p->kind) {
	case PROGRAM_RR:
		nft_expr_numgen(rule, NFT_NG_INCREMENTAL, p->size, 0, l->reg_slot);
		break;
	case PROGRAM_RANDOM:
		nft_expr_numgen(rule, NFT_NG_RANDOM, p->size, 0, l->reg_slot);
		break;
	case PROGRAM_SH:
	case PROGRAM_MH:
		break; /* load_hash() */
	case PROGRAM_REFUSE:
	case PROGRAM_DROP:
	case PROGRAM_FULL:
		assert(!"a program without slots has no such rule");
	}
}

static void build_dispatch(struct nftnl_rule *rule, enum map_kind kind, uint8_t family)
{
	struct map_ref map = { .kind = kind, .family = family };
	char name[NFT_NAME_BYTES];

	if (kind == MAP_SERVICES) {
		match_family(rule, family);
		load_listener(rule, family);
	} else {
		match_ct_bit(rule, NFT_CT_STATUS, IPS_DST_NAT);
		load_original_listener(rule, family);
	}
	nft_expr_map(rule, map_name(&map, name), NFT_REG_VERDICT);
}

static void build_guard(struct nftnl_rule *rule, uint8_t family)
{
	struct map_ref set = { .kind = MAP_ADDRESSES, .family = family };
	char name[NFT_NAME_BYTES];

	match_ct_bit(rule, NFT_CT_STATE, CT_STATE_INVALID);
	match_family(rule, family);
	load_daddr(rule, family);
	nft_expr_lookup(rule, map_name(&set, name));
	nft_expr_verdict(rule, NF_DROP, NULL);
}

static void build_only_syn(struct nftnl_rule *rule, const char *chain)
{
	uint8_t mask = TCP_FLAGS_LOOKED;

	match_protocol(rule, IPPROTO_TCP);
	nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, 1, NFT_REG_1);
	nft_expr_mask(rule, &mask, sizeof(mask));
	nft_expr_cmp_u8(rule, NFT_CMP_NEQ, TCP_FLAG_SYN);
	nft_expr_verdict(rule, NFT_GOTO, chain);
}

static void build_dnat(struct nftnl_rule *rule, const struct program *p)
{
	uint32_t reg_port = layout_of(p->family)->reg_to_port;
	struct map_ref map = program_slots_map(p);
	char name[NFT_NAME_BYTES];

	match_family(rule, p->family);
	if (program_hashes(p))
		load_hash(rule, p);
	load_listener(rule, p->family);
	load_slot(rule, p);
	nft_expr_map(rule, map_name(&map, name), NFT_REG_1);
	nft_expr_nat(rule, NFT_NAT_DNAT, p->family, reg_port, reg_port);
}

/* See RULE_GATE. */
static void build_gate(struct nftnl_rule *rule, const struct rule *r)
{
	struct map_ref map = program_slots_map(&r->program);
	struct program p = r->program;
	char name[NFT_NAME_BYTES];

	if (r->size > 0 && program_hashes(&p))
		p.kind = PROGRAM_RANDOM;
	match_family(rule, p.family);
	if (program_hashes(&p))
		load_hash(rule, &p);
	load_listener(rule, p.family);
	if (r->size < PROGRAM_GATE_TRIES)
		load_slot(rule, &p);
	else
		nft_expr_numgen(rule, NFT_NG_INCREMENTAL, p.overflow, p.size,
				layout_of(p.family)->reg_slot);
	nft_expr_map(rule, map_name(&map, name), NFT_REG_VERDICT);
}

/* More than so many: what stands behind it happens. */
static void set_count(struct nftnl_expr *e, uint32_t most)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_COUNT, most);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
}

static void build_overflowed(struct nftnl_rule *rule, const struct program *p)
{
	struct map_ref counter = program_overflowed(p);
	char name[NFT_NAME_BYTES];

	nft_expr_object(rule, NFT_OBJECT_COUNTER, map_name(&counter, name));
}

/* A set of the kernel's own, an element of which counts for what is at NFT_REG_1. */
static void build_max(struct nftnl_rule *rule, const struct rule *r)
{
	bool is_client = r->kind == RULE_MAX_CLIENT;
	struct map_ref set =
		is_client ? program_clients_set(&r->program) : program_all_set(&r->program);
	struct nftnl_expr *count = nftnl_expr_alloc("connlimit");
	char name[NFT_NAME_BYTES];

	if (!count)
		abort();
	if (is_client) {
		match_family(rule, r->family);
		load_client(rule, r->family, 0);
	} else {
		nft_expr_numgen(rule, NFT_NG_INCREMENTAL, 1, 0, NFT_REG_1);
	}
	set_count(count, set.max);
	nft_expr_update_each(rule, map_name(&set, name), count);
	build_overflowed(rule, &r->program);
	nft_expr_verdict(rule, NFT_GOTO, r->name);
}

static void build_count(struct nftnl_rule *rule, uint32_t room)
{
	set_count(nft_expr_new(rule, "connlimit"), room);
	nft_expr_new(rule, "counter");
	nft_expr_verdict(rule, NFT_RETURN, NULL);
}

/* Numbers of this machine's byte order are compared as bytes. */
static void match_less(struct nftnl_rule *rule, uint32_t modulus, uint32_t less)
{
	uint32_t bytes = htonl(less);

	nft_expr_numgen(rule, NFT_NG_INCREMENTAL, modulus, 0, NFT_REG_1);
	nft_expr_hton(rule, NFT_REG_1, sizeof(less));
	nft_expr_cmp(rule, NFT_CMP_LT, &bytes, sizeof(bytes));
}

/* Twice: see TOKENS_MODULUS. */
static void take_token(struct nftnl_rule *rule, uint32_t tokens)
{
	for (int i = 0; i < 2; i++)
		match_less(rule, TOKENS_MODULUS, tokens);
	nft_expr_new(rule, "counter");
}

static void build_dnat_to(struct nftnl_rule *rule, const struct rule *r)
{
	struct nftnl_expr *e;

	match_family(rule, r->family);
	if (r->kind == RULE_TOKENS)
		take_token(rule, r->size);
	e = nft_expr_new(rule, "immediate");
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, r->to.bytes, (uint32_t)addr_len(r->to.family));
	if (r->port == 0) {
		nft_expr_nat_address(rule, NFT_NAT_DNAT, r->family);
		return;
	}
	nft_expr_port(rule, r->port, NFT_REG_2);
	nft_expr_nat(rule, NFT_NAT_DNAT, r->family, NFT_REG_2, NFT_REG_2);
}

/* The backend that a map has for the client. */
static void build_client_dnat(struct nftnl_rule *rule, const struct map_ref *map, uint32_t bits)
{
	uint32_t reg_port = layout_of(map->family)->reg_to_port;
	char name[NFT_NAME_BYTES];

	match_family(rule, map->family);
	load_client(rule, map->family, bits);
	nft_expr_map(rule, map_name(map, name), NFT_REG_1);
	if (map->is_address)
		nft_expr_nat_address(rule, NFT_NAT_DNAT, map->family);
	else
		nft_expr_nat(rule, NFT_NAT_DNAT, map->family, reg_port, reg_port);
}

/*
 * In postrouting the destination is the backend and the source is still the client, so that both
 * can be taken from the packet: nft 1.0.6 aborts when it lists an update whose data came from a
 * map.
 */
static void build_remember(struct nftnl_rule *rule, const struct program *p, uint32_t timeout_s)
{
	const struct layout *l = layout_of(p->family);
	struct map_ref map = program_sticky_map(p);
	char name[NFT_NAME_BYTES];

	match_family(rule, p->family);
	load_client(rule, p->family, p->sticky_prefix);
	nft_expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, l->daddr_offset, l->address_len,
			 NFT_REG_2);
	if (!map.is_address)
		nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DEST_OFFSET, 2,
				 l->reg_sport);
	nft_expr_update(rule, map_name(&map, name), timeout_s);
}

/* Likewise in postrouting: what comes here has been sent to a backend, and no filter dropped it. */
static void build_begun(struct nftnl_rule *rule, const struct program *p)
{
	struct nftnl_expr *count = nftnl_expr_alloc("counter");
	const struct layout *l = layout_of(p->family);
	struct map_ref set = program_begun_set(p);
	char name[NFT_NAME_BYTES];

	if (!count)
		abort();
	match_family(rule, p->family);
	load_daddr(rule, p->family);
	if (!set.is_address)
		nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DEST_OFFSET, 2,
				 l->reg_to_port);
	nft_expr_update_each(rule, map_name(&set, name), count);
}

/* To the address that the rule's map has for the key, and one of its ports. */
static void snat_to_map(struct nftnl_rule *rule, const struct rule *r)
{
	nft_expr_map(rule, r->name, NFT_REG_1);
	nft_expr_port(rule, r->port_min, NFT_REG_2);
	nft_expr_port(rule, r->port_max, NFT_REG_3);
	nft_expr_nat(rule, NFT_NAT_SNAT, r->family, NFT_REG_2, NFT_REG_3);
}

/* The hash covers address and port: the port is padded to a word, which the kernel zeroes. */
static void build_snat(struct nftnl_rule *rule, const struct rule *r)
{
	const struct layout *l = layout_of(r->family);

	match_family(rule, r->family);
	nft_expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, l->saddr_offset, l->address_len,
			 NFT_REG_2);
	nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_SOURCE_OFFSET, 2, l->reg_sport);
	nft_expr_jhash(rule, NFT_REG_2, l->address_len + 4, r->size, SNAT_SEED, NFT_REG_1);
	snat_to_map(rule, r);
}

/* The same hash, over the backend where the client has been sent: see load_hash(). */
static void build_detour(struct nftnl_rule *rule, const struct rule *r)
{
	const struct layout *l = layout_of(r->family);

	match_family(rule, r->family);
	nft_expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, l->saddr_offset, l->address_len,
			 NFT_REG_1);
	nft_expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_SOURCE_OFFSET, 2,
			 reg_of_word(l->address_len / 4));
	nft_expr_jhash(rule, NFT_REG_1, l->address_len + 4, r->size, SNAT_SEED, l->reg_slot);
	load_listener(rule, r->family);
	snat_to_map(rule, r);
}

static void build(struct nftnl_rule *rule, const struct rule *r)
{
	char name[NFT_NAME_BYTES];
	struct map_ref map;

	switch ((enum rule_kind)r->kind) {
	case RULE_JUMP_DISPATCH:
		nft_expr_verdict(rule, NFT_JUMP, "dispatch");
		break;
	case RULE_DISPATCH:
		build_dispatch(rule, MAP_SERVICES, r->family);
		break;
	case RULE_SNAT_DISPATCH:
		build_dispatch(rule, MAP_SNAT, r->family);
		break;
	case RULE_GUARD:
		build_guard(rule, r->family);
		break;
	case RULE_ONLY_SYN:
		build_only_syn(rule, r->name);
		break;
	case RULE_TIMEOUT:
		map = program_timeout(&r->program);
		nft_expr_object(rule, NFT_OBJECT_CT_TIMEOUT, map_name(&map, name));
		break;
	case RULE_DNAT:
		build_dnat(rule, &r->program);
		break;
	case RULE_MAX_CLIENT:
	case RULE_MAX_ALL:
		build_max(rule, r);
		break;
	case RULE_OVERFLOWED:
		build_overflowed(rule, &r->program);
		break;
	case RULE_GATE:
		build_gate(rule, r);
		break;
	case RULE_COUNT:
		build_count(rule, r->size);
		break;
	case RULE_TOKENS:
	case RULE_DNAT_TO:
		build_dnat_to(rule, r);
		break;
	case RULE_PIN:
		map = program_pins_map(&r->program, (uint8_t)r->size);
		build_client_dnat(rule, &map, r->size);
		break;
	case RULE_STICKY:
		map = program_sticky_map(&r->program);
		build_client_dnat(rule, &map, r->program.sticky_prefix);
		break;
	case RULE_REMEMBER:
		build_remember(rule, &r->program, r->size);
		break;
	case RULE_BEGUN:
		build_begun(rule, &r->program);
		break;
	case RULE_SNAT:
		build_snat(rule, r);
		break;
	case RULE_DETOUR:
		build_detour(rule, r);
		break;
	case RULE_GOTO:
		nft_expr_verdict(rule, NFT_GOTO, r->name);
		break;
	case RULE_REJECT_TCP:
		match_protocol(rule, IPPROTO_TCP);
		nft_expr_reject(rule, NFT_REJECT_TCP_RST, 0);
		break;
	case RULE_REJECT:
		nft_expr_reject(rule, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_PORT_UNREACH);
		break;
	case RULE_DROP:
		nft_expr_verdict(rule, NF_DROP, NULL);
		break;
	case RULE_FOREIGN:
		assert(!"a foreign rule is never written");
	}
}

struct nftnl_rule *nft_rule_new(const char *table, const char *chain, const struct rule *r)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		abort();
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
	build(rule, r);
	return rule;
}

/* What the kernel says of a set without timeouts, and would not take. */
static void drop_no_timeout(char *text)
{
	static const char no_timeout[] = " timeout 0ms";
	char *at = strstr(text, no_timeout);

	if (at)
		memmove(at, at + strlen(no_timeout), strlen(at + strlen(no_timeout)) + 1);
}

static int print_expr(struct nftnl_expr *e, void *arg)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	char text[512] = "";

	/* What it has counted is no part of it. */
	if (strcmp(name, "counter") != 0)
		nftnl_expr_snprintf(text, sizeof(text), e, NFTNL_OUTPUT_DEFAULT, 0);
	drop_no_timeout(text);
	/* The name too: libnftnl prints nothing inside an expression it does not know. */
	fprintf((FILE *)arg, "%s %s\n", name, text);
	return 0;
}

void nft_rule_fingerprint(const struct nftnl_rule *rule, FILE *out)
{
	nftnl_expr_foreach((struct nftnl_rule *)rule, print_expr, out);
	fputc('\n', out);
}

char *nft_chain_fingerprint(const char *table, const struct chain *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	for (unsigned int i = 0; i < c->n_rules; i++) {
		struct nftnl_rule *rule = nft_rule_new(table, c->name, &c->rules[i]);

		nft_rule_fingerprint(rule, out);
		nftnl_rule_free(rule);
	}
	fclose(out);
	return text;
}
