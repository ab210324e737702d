/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules, hooks and types in nft's words. Byte for byte what nft 1.0.6 lists
 * wherever it can list it, so that `fnatctl show ruleset`, the reference
 * rulesets in rules/ and the operator's own `nft list table` agree. What 1.0.6
 * cannot print (`ct original proto-dst` in a concatenation) is printed as it
 * would have to be written.
 */
#include <inttypes.h>

#include "plan/program.h"

/* The keyword that stands for the family's header. */
static const char *ip_word(uint8_t family)
{
	return family == AF_INET6 ? "ip6" : "ip";
}

static char digit(uint8_t family)
{
	return family == AF_INET6 ? '6' : '4';
}

/* "ip saddr & 255.255.255.0"; bits: 0 or all leave the mask out */
static void client_text(uint8_t family, uint32_t bits, FILE *out)
{
	struct addr mask = { .family = family };
	char text[ADDR_STRLEN];

	fprintf(out, "%s saddr", ip_word(family));
	if (bits == 0 || bits == addr_len(family) * 8)
		return;
	prefix_mask((uint8_t)bits, mask.bytes);
	fprintf(out, " & %s", addr_format(&mask, text));
}

/* "dnat ip to ip saddr & 255.255.255.0 map @sticky4-5" */
static void client_dnat_text(const struct map_ref *map, uint32_t bits, FILE *out)
{
	char name[NFT_NAME_BYTES];

	fprintf(out, "dnat %s to ", ip_word(map->family));
	client_text(map->family, bits, out);
	fprintf(out, " map @%s", map_name(map, name));
}

/* "1d2h3m4s", as nft writes it */
static void time_text(uint32_t seconds, FILE *out)
{
	static const struct {
		uint32_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint32_t n = seconds / units[i].seconds;

		if (n > 0)
			fprintf(out, "%" PRIu32 "%c", n, units[i].unit);
		seconds %= units[i].seconds;
	}
}

static void remember_text(const struct rule *r, FILE *out)
{
	struct map_ref map = program_sticky_map(&r->program);
	char name[NFT_NAME_BYTES];

	fprintf(out, "update @%s { ", map_name(&map, name));
	client_text(map.family, r->program.sticky_prefix, out);
	fputs(" timeout ", out);
	time_text(r->size, out);
	fprintf(out, " : %s daddr%s }", ip_word(map.family), map.is_address ? "" : " . th dport");
}

static void hash_text(const struct program *p, FILE *out)
{
	fputs("jhash ", out);
	client_text(p->family, p->prefix, out);
	switch ((enum hash_key)p->key) {
	case HASH_SOURCE:
		break;
	case HASH_SOURCE_PORT:
		fputs(" . th sport", out);
		break;
	case HASH_FIVE_TUPLE:
		fprintf(out, " . %s daddr . meta l4proto . th sport . th dport",
			ip_word(p->family));
		break;
	}
	fprintf(out, " mod %" PRIu32 " seed 0x%x", p->size, HASH_SEED);
}

/* What selects the slot. */
static void slot_text(const struct program *p, FILE *out)
{
	switch ((enum program_kind)p->kind) {
	case PROGRAM_REFUSE:
	case PROGRAM_DROP:
	case PROGRAM_FULL:
		break;
	case PROGRAM_RR:
		fprintf(out, "numgen inc mod %" PRIu32, p->size);
		break;
	case PROGRAM_RANDOM:
		fprintf(out, "numgen random mod %" PRIu32, p->size);
		break;
	case PROGRAM_SH:
	case PROGRAM_MH:
		hash_text(p, out);
		break;
	}
}

static void dnat_text(const struct rule *r, FILE *out)
{
	struct map_ref map = program_slots_map(&r->program);
	const char *ip = ip_word(r->program.family);
	char name[NFT_NAME_BYTES];

	fprintf(out, "dnat %s to %s daddr . meta l4proto . th dport . ", ip, ip);
	slot_text(&r->program, out);
	fprintf(out, " map @%s", map_name(&map, name));
}

/* Which slot the try is for. */
static void gate_text(const struct rule *r, FILE *out)
{
	struct map_ref map = program_slots_map(&r->program);
	struct program p = r->program;
	char name[NFT_NAME_BYTES];

	fprintf(out, "%s daddr . meta l4proto . th dport . ", ip_word(p.family));
	if (r->size > 0 && program_hashes(&p))
		p.kind = PROGRAM_RANDOM;
	if (r->size < PROGRAM_GATE_TRIES)
		slot_text(&p, out);
	else
		fprintf(out, "numgen inc mod %u offset %" PRIu32, p.overflow, p.size);
	fprintf(out, " vmap @%s", map_name(&map, name));
}

static void overflowed_text(const struct program *p, FILE *out)
{
	struct map_ref counter = program_overflowed(p);
	char name[NFT_NAME_BYTES];

	fprintf(out, "counter name \"%s\"", map_name(&counter, name));
}

static void max_text(const struct rule *r, FILE *out)
{
	bool is_client = r->kind == RULE_MAX_CLIENT;
	char pool[NFT_NAME_BYTES], name[NFT_NAME_BYTES];
	struct map_ref set;

	rule_map(r, &set, pool);
	fprintf(out, "update @%s { ", map_name(&set, name));
	if (is_client)
		fprintf(out, "%s saddr", ip_word(r->family));
	else
		fputs("numgen inc mod 1", out);
	fprintf(out, " ct count over %" PRIu32 " } ", set.max);
	overflowed_text(&r->program, out);
	fprintf(out, " goto %s", r->name);
}

/* Twice: see TOKENS_MODULUS. */
static void tokens_text(uint32_t tokens, FILE *out)
{
	for (int i = 0; i < 2; i++)
		fprintf(out, "numgen inc mod %" PRIu32 " < %" PRIu32 " ", TOKENS_MODULUS, tokens);
	fputs("counter ", out);
}

static void dnat_to_text(const struct rule *r, FILE *out)
{
	bool is_v6 = r->to.family == AF_INET6;
	char text[ADDR_STRLEN];

	addr_format(&r->to, text);
	fprintf(out, "meta nfproto %s ", is_v6 ? "ipv6" : "ipv4");
	if (r->kind == RULE_TOKENS)
		tokens_text(r->size, out);
	fprintf(out, "dnat %s to ", ip_word(r->family));
	if (r->port == 0)
		fputs(text, out);
	else
		fprintf(out, is_v6 ? "[%s]:%u" : "%s:%u", text, r->port);
}

static void snat_text(const struct rule *r, FILE *out)
{
	const char *ip = ip_word(r->family);

	fprintf(out, "snat %s to ", ip);
	if (r->kind == RULE_DETOUR)
		fprintf(out, "%s daddr . meta l4proto . th dport . ", ip);
	fprintf(out, "jhash %s saddr . th sport mod %" PRIu32 " seed 0x%x map @%s:%u-%u", ip,
		r->size, SNAT_SEED, r->name, r->port_min, r->port_max);
}

void rule_text(const struct rule *r, FILE *out)
{
	const char *ip = ip_word(r->family);
	char pool[NFT_NAME_BYTES], name[NFT_NAME_BYTES];
	struct map_ref map;

	switch ((enum rule_kind)r->kind) {
	case RULE_JUMP_DISPATCH:
		fputs("jump dispatch", out);
		break;
	case RULE_DISPATCH:
		fprintf(out, "%s daddr . meta l4proto . th dport vmap @services%c", ip,
			digit(r->family));
		break;
	case RULE_SNAT_DISPATCH:
		fprintf(out,
			"ct status dnat ct original %s daddr . meta l4proto . "
			"ct original proto-dst vmap @snat%c",
			ip, digit(r->family));
		break;
	case RULE_GUARD:
		fprintf(out, "ct state invalid %s daddr @addresses%c drop", ip, digit(r->family));
		break;
	case RULE_ONLY_SYN:
		fprintf(out, "tcp flags != syn / fin,syn,rst,ack goto %s", r->name);
		break;
	case RULE_TIMEOUT:
		if (rule_map(r, &map, pool))
			fprintf(out, "ct timeout set \"%s\"", map_name(&map, name));
		break;
	case RULE_DNAT:
		dnat_text(r, out);
		break;
	case RULE_MAX_CLIENT:
	case RULE_MAX_ALL:
		max_text(r, out);
		break;
	case RULE_OVERFLOWED:
		overflowed_text(&r->program, out);
		break;
	case RULE_GATE:
		gate_text(r, out);
		break;
	case RULE_COUNT:
		fprintf(out, "ct count over %" PRIu32 " counter return", r->size);
		break;
	case RULE_TOKENS:
	case RULE_DNAT_TO:
		dnat_to_text(r, out);
		break;
	case RULE_PIN:
		if (rule_map(r, &map, pool))
			client_dnat_text(&map, r->size, out);
		break;
	case RULE_STICKY:
		if (rule_map(r, &map, pool))
			client_dnat_text(&map, r->program.sticky_prefix, out);
		break;
	case RULE_REMEMBER:
		remember_text(r, out);
		break;
	case RULE_BEGUN:
		if (rule_map(r, &map, pool))
			fprintf(out, "update @%s { %s daddr%s counter }", map_name(&map, name), ip,
				map.is_address ? "" : " . th dport");
		break;
	case RULE_SNAT:
	case RULE_DETOUR:
		snat_text(r, out);
		break;
	case RULE_GOTO:
		fprintf(out, "goto %s", r->name);
		break;
	case RULE_REJECT_TCP:
		fputs("meta l4proto tcp reject with tcp reset", out);
		break;
	case RULE_REJECT: /* nft leaves out "with icmpx port-unreachable", its default */
		fputs("reject", out);
		break;
	case RULE_DROP:
		fputs("drop", out);
		break;
	case RULE_FOREIGN:
		fputs("# not written by fnat", out);
		break;
	}
}

const char *hook_text(uint8_t hook)
{
	switch ((enum chain_hook)hook) {
	case HOOK_NONE:
		break;
	case HOOK_NAT_PREROUTING:
		return "type nat hook prerouting priority dstnat; policy accept;";
	case HOOK_NAT_OUTPUT:
		return "type nat hook output priority -100; policy accept;";
	case HOOK_NAT_POSTROUTING:
		return "type nat hook postrouting priority srcnat; policy accept;";
	case HOOK_GUARD_INPUT:
		return "type filter hook input priority filter - 10; policy accept;";
	case HOOK_GUARD_FORWARD:
		return "type filter hook forward priority filter - 10; policy accept;";
	}
	return NULL;
}

const char *map_type_text(const struct map_ref *m)
{
	bool is_v6 = m->family == AF_INET6;

	switch ((enum map_kind)m->kind) {
	case MAP_ALL:
		return "typeof numgen inc mod 65536";
	case MAP_ADDRESSES:
	case MAP_CLIENTS:
		return is_v6 ? "type ipv6_addr" : "type ipv4_addr";
	case MAP_BEGUN:
		if (m->is_address)
			return is_v6 ? "type ipv6_addr" : "type ipv4_addr";
		return is_v6 ? "typeof ip6 daddr . th dport" : "typeof ip daddr . th dport";
	case MAP_SERVICES:
	case MAP_SNAT:
		return is_v6 ? "type ipv6_addr . inet_proto . inet_service : verdict"
			     : "type ipv4_addr . inet_proto . inet_service : verdict";
	case MAP_POOL:
		return is_v6 ? "typeof numgen inc mod 65536 : ip6 saddr"
			     : "typeof numgen inc mod 65536 : ip saddr";
	case MAP_SLOTS:
		return is_v6 ? "typeof ip6 daddr . meta l4proto . th dport . "
			       "numgen inc mod 65536 : ip6 daddr . th dport"
			     : "typeof ip daddr . meta l4proto . th dport . "
			       "numgen inc mod 65536 : ip daddr . th dport";
	case MAP_DETOUR:
		return is_v6 ? "typeof ip6 daddr . meta l4proto . th dport . "
			       "numgen inc mod 65536 : ip6 saddr"
			     : "typeof ip daddr . meta l4proto . th dport . "
			       "numgen inc mod 65536 : ip saddr";
	case MAP_GATES:
		return is_v6 ? "typeof ip6 daddr . meta l4proto . th dport . "
			       "numgen inc mod 65536 : verdict"
			     : "typeof ip daddr . meta l4proto . th dport . "
			       "numgen inc mod 65536 : verdict";
	case MAP_PINS:
	case MAP_STICKY:
		if (m->is_address)
			return is_v6 ? "typeof ip6 saddr : ip6 daddr"
				     : "typeof ip saddr : ip daddr";
		return is_v6 ? "typeof ip6 saddr : ip6 daddr . th dport"
			     : "typeof ip saddr : ip daddr . th dport";
	case MAP_TIMEOUT:
		return "protocol udp";
	case MAP_OVERFLOWED:
		return "packets 0 bytes 0";
	case MAP_FOREIGN:
		break;
	}
	return "# not made by fnat";
}
