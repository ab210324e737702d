/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps that programs look up, and their names. As with programs, a name is parsed by making
 * the name of what was understood and comparing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/name.h"
#include "plan/program.h"

struct map_ref program_slots_map(const struct program *p)
{
	if (p->options & PROGRAM_GATES)
		return (struct map_ref){ .kind = MAP_GATES, .family = p->family, .shard = p->own };
	/* The plan gives lanes to shared programs so that a map has few of them: shards.h. */
	uint16_t shard = p->kind == PROGRAM_RR ? p->lane / PROGRAMS_PER_MAP : p->lane;

	return (struct map_ref){
		.kind = MAP_SLOTS,
		.family = p->family,
		.program = p->kind,
		.shard = shard,
	};
}

struct map_ref program_sticky_map(const struct program *p)
{
	return (struct map_ref){
		.kind = MAP_STICKY,
		.family = p->family,
		.bits = p->sticky_bits,
		.shard = p->own,
		.is_address = p->options & PROGRAM_KEEPS_PORT,
	};
}

struct map_ref program_pins_map(const struct program *p, uint8_t bits)
{
	return (struct map_ref){
		.kind = MAP_PINS,
		.family = p->family,
		.bits = bits,
		.shard = p->own,
		.is_address = p->options & PROGRAM_KEEPS_PORT,
	};
}

struct map_ref program_timeout(const struct program *p)
{
	return (struct map_ref){ .kind = MAP_TIMEOUT, .shard = p->udp_timeout };
}

struct map_ref program_clients_set(const struct program *p)
{
	return (struct map_ref){
		.kind = MAP_CLIENTS,
		.family = p->family,
		.shard = p->own,
		.max = p->max_client,
	};
}

/* Both families share it. */
struct map_ref program_all_set(const struct program *p)
{
	return (struct map_ref){ .kind = MAP_ALL, .shard = p->own, .max = p->max_all };
}

struct map_ref program_begun_set(const struct program *p)
{
	return (struct map_ref){
		.kind = MAP_BEGUN,
		.family = p->family,
		.shard = p->own,
		.is_address = p->options & PROGRAM_KEEPS_PORT,
	};
}

bool program_counts(const struct program *p)
{
	return p->kind == PROGRAM_FULL || p->max_client > 0 || p->max_all > 0 ||
	       p->options & (PROGRAM_GATES | PROGRAM_OVERFLOWS);
}

/* Both families share it, too. */
struct map_ref program_overflowed(const struct program *p)
{
	return (struct map_ref){ .kind = MAP_OVERFLOWED, .shard = p->own };
}

size_t program_maps(const struct program *p, struct map_ref out[PROGRAM_MAPS_MAX])
{
	size_t n = 0;

	if (program_counts(p))
		out[n++] = program_overflowed(p);
	if (p->kind == PROGRAM_FULL)
		return n;
	if (p->udp_timeout > 0)
		out[n++] = program_timeout(p);
	out[n++] = program_slots_map(p);
	if (p->options & PROGRAM_STICKY)
		out[n++] = program_sticky_map(p);
	if (p->max_client > 0)
		out[n++] = program_clients_set(p);
	if (p->max_all > 0)
		out[n++] = program_all_set(p);
	for (size_t i = 0; i < PIN_LENGTHS_MAX && p->pins[i] > 0; i++)
		out[n++] = program_pins_map(p, p->pins[i]);
	return n;
}

int map_cmp(const struct map_ref *a, const struct map_ref *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->program != b->program)
		return a->program < b->program ? -1 : 1;
	if (a->shard != b->shard)
		return a->shard < b->shard ? -1 : 1;
	if (a->max != b->max)
		return a->max < b->max ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	if (a->is_address != b->is_address)
		return a->is_address ? 1 : -1;
	return a->pool == b->pool ? 0 : strcmp(a->pool ? a->pool : "", b->pool ? b->pool : "");
}

uint32_t map_size(const struct map_ref *m)
{
	return m->bits ? 1u << m->bits : PERSISTENCE_ENTRIES_DEFAULT;
}

static void sticky_map_name(const struct map_ref *m, char buf[NFT_NAME_BYTES])
{
	struct name n = { .buf = buf };

	name_add(&n, "sticky%c-%u", name_family_digit(m->family), m->shard);
	if (m->bits > 0)
		name_add(&n, "-max%u", m->bits);
	if (m->is_address)
		name_add(&n, "-addr");
}

const char *map_name(const struct map_ref *m, char buf[NFT_NAME_BYTES])
{
	char family = name_family_digit(m->family);

	switch ((enum map_kind)m->kind) {
	case MAP_ADDRESSES:
		snprintf(buf, NFT_NAME_BYTES, "addresses%c", family);
		break;
	case MAP_SERVICES:
		snprintf(buf, NFT_NAME_BYTES, "services%c", family);
		break;
	case MAP_SNAT:
		snprintf(buf, NFT_NAME_BYTES, "snat%c", family);
		break;
	case MAP_POOL:
		snprintf(buf, NFT_NAME_BYTES, "pool-%.60s%c", m->pool, family);
		break;
	case MAP_DETOUR:
		snprintf(buf, NFT_NAME_BYTES, "detour-%.60s%c", m->pool, family);
		break;
	case MAP_SLOTS:
		snprintf(buf, NFT_NAME_BYTES, "slots%c-%s-%u", family, name_of_kind(m->program),
			 m->shard);
		break;
	case MAP_GATES:
		snprintf(buf, NFT_NAME_BYTES, "gates%c-%u", family, m->shard);
		break;
	case MAP_PINS:
		snprintf(buf, NFT_NAME_BYTES, "pins%c-%u-%u%s", family, m->shard, m->bits,
			 m->is_address ? "-addr" : "");
		break;
	case MAP_CLIENTS:
		snprintf(buf, NFT_NAME_BYTES, "clients%c-%u-max%" PRIu32, family, m->shard, m->max);
		break;
	case MAP_ALL:
		snprintf(buf, NFT_NAME_BYTES, "all-%u-max%" PRIu32, m->shard, m->max);
		break;
	case MAP_BEGUN:
		snprintf(buf, NFT_NAME_BYTES, "begun%c-%u%s", family, m->shard,
			 m->is_address ? "-addr" : "");
		break;
	case MAP_OVERFLOWED:
		snprintf(buf, NFT_NAME_BYTES, "overflowed-%u", m->shard);
		break;
	case MAP_STICKY:
		sticky_map_name(m, buf);
		break;
	case MAP_TIMEOUT:
		snprintf(buf, NFT_NAME_BYTES, "udp-%u", m->shard - 1u);
		break;
	case MAP_FOREIGN:
		snprintf(buf, NFT_NAME_BYTES, "%s", m->pool);
		break;
	}
	return buf;
}

/* "4-rr-0", after "slots". */
static void map_parse_slots(const char *s, struct map_ref *m)
{
	m->family = name_digit_family(s[0]);
	if (!m->family || s[1] != '-')
		return;
	for (size_t i = 0; i < NAME_KINDS; i++) {
		size_t len = strlen(name_kinds[i].word);

		if (strncmp(s + 2, name_kinds[i].word, len) == 0 && s[2 + len] == '-') {
			m->kind = MAP_SLOTS;
			m->program = name_kinds[i].kind;
			m->shard = (uint16_t)strtoul(s + 3 + len, NULL, 10);
		}
	}
}

/* "4-5-24-addr", after "pins"; "4-5-max17-addr", after "sticky"; "4-5-addr", after "begun"; "4-5",
 * after "gates". */
static void map_parse_own(const char *s, enum map_kind kind, struct map_ref *m)
{
	uint8_t bits;

	if (!(m->family = name_digit_family(*s++)))
		return;
	bits = m->family == AF_INET ? 32 : 128;
	m->kind = (uint8_t)kind;
	m->shard = (uint16_t)name_parse_number(&s, "-", UINT16_MAX);
	if (kind == MAP_GATES)
		return;
	if (kind == MAP_PINS)
		m->bits = (uint8_t)name_parse_number(&s, "-", bits);
	else if (kind == MAP_STICKY)
		m->bits = (uint8_t)name_parse_number(&s, "-max", 31);
	m->is_address = name_parse_word(&s, "-addr");
	if (m->shard == 0 || (kind == MAP_PINS && m->bits == 0))
		m->kind = 0;
}

/* "4-5-max10", after "clients"; "-5-max1000", after "all". */
static void map_parse_max(const char *s, enum map_kind kind, struct map_ref *m)
{
	if (kind == MAP_CLIENTS && !(m->family = name_digit_family(*s++)))
		return;
	m->kind = (uint8_t)kind;
	m->shard = (uint16_t)name_parse_number(&s, "-", UINT16_MAX);
	m->max = (uint32_t)name_parse_number(&s, "-max", MODEL_CONNECTIONS_MAX);
	if (m->shard == 0 || m->max == 0)
		m->kind = 0;
}

static void map_parse_pool(const char *name, enum map_kind kind, struct map_ref *m,
			   char pool[NFT_NAME_BYTES])
{
	size_t len = strlen(name);

	if (len < 2 || len > MODEL_NAME_MAX + 1)
		return;
	memcpy(pool, name, len - 1);
	pool[len - 1] = '\0';
	m->kind = (uint8_t)kind;
	m->family = name_digit_family(name[len - 1]);
	m->pool = pool;
}

int map_parse(const char *name, struct map_ref *out, char pool[NFT_NAME_BYTES])
{
	struct map_ref m = { 0 }, base;
	const char *rest = name;
	char again[NFT_NAME_BYTES];

	for (size_t i = 0; base_map(i, &base); i++) {
		if (strcmp(map_name(&base, again), name) == 0) {
			*out = base;
			return 0;
		}
	}
	if (strncmp(name, "slots", 5) == 0)
		map_parse_slots(name + 5, &m);
	else if (strncmp(name, "pins", 4) == 0)
		map_parse_own(name + 4, MAP_PINS, &m);
	else if (strncmp(name, "gates", 5) == 0)
		map_parse_own(name + 5, MAP_GATES, &m);
	else if (strncmp(name, "begun", 5) == 0)
		map_parse_own(name + 5, MAP_BEGUN, &m);
	else if (strncmp(name, "clients", 7) == 0)
		map_parse_max(name + 7, MAP_CLIENTS, &m);
	else if (strncmp(name, "all-", 4) == 0)
		map_parse_max(name + 3, MAP_ALL, &m);
	else if (strncmp(name, "sticky", 6) == 0)
		map_parse_own(name + 6, MAP_STICKY, &m);
	else if (strncmp(name, "pool-", 5) == 0)
		map_parse_pool(name + 5, MAP_POOL, &m, pool);
	else if (strncmp(name, "detour-", 7) == 0)
		map_parse_pool(name + 7, MAP_DETOUR, &m, pool);
	else if ((m.shard = (uint16_t)name_parse_number(&rest, "overflowed-", UINT16_MAX)) > 0)
		m.kind = MAP_OVERFLOWED;
	else if ((m.shard = name_parse_timeout(&rest, "udp-")) > 0)
		m.kind = MAP_TIMEOUT;
	if (!m.kind || (!m.family && map_has_elements(&m) && m.kind != MAP_ALL) ||
	    strcmp(map_name(&m, again), name) != 0)
		return -EINVAL;
	*out = m;
	return 0;
}
