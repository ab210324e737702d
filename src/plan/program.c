/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset is a fixed program and services are data, so all chains that
 * can exist are made here from a few numbers, and a chain's name says which
 * numbers: what is read back from the kernel needs no other memory. Names are
 * parsed by making the name of what was understood and comparing, so that each
 * program and map has exactly one name.
 */
#include "plan/program.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Programs with slots: the word in names of chains and maps. */
static const struct {
	enum program_kind kind;
	const char *word;
} words[] = {
	{ PROGRAM_RR, "rr" },
	{ PROGRAM_RANDOM, "random" },
	{ PROGRAM_SH, "sh" },
	{ PROGRAM_MH, "mh" },
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

/* What is hashed besides the source address: the end of the name. */
static const char *const key_words[] = {
	[HASH_SOURCE] = "",
	[HASH_SOURCE_PORT] = "-port",
	[HASH_FIVE_TUPLE] = "-tuple",
};

static const char *kind_word(uint8_t kind)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (words[i].kind == kind)
			return words[i].word;
	return "?";
}

static char family_digit(uint8_t family)
{
	return family == AF_INET6 ? '6' : '4';
}

/* 0 when it is neither. */
static uint8_t digit_family(char digit)
{
	return digit == '4' ? AF_INET : digit == '6' ? AF_INET6 : 0;
}

bool program_equal(const struct program *a, const struct program *b)
{
	return a->kind == b->kind && a->family == b->family && a->refusal == b->refusal &&
	       a->lane == b->lane && a->udp_timeout == b->udp_timeout && a->size == b->size &&
	       a->key == b->key && a->prefix == b->prefix && a->own == b->own &&
	       a->options == b->options && a->sticky_prefix == b->sticky_prefix &&
	       a->overflow == b->overflow && a->max_all == b->max_all &&
	       a->max_client == b->max_client && a->sticky_bits == b->sticky_bits &&
	       memcmp(a->pins, b->pins, sizeof(a->pins)) == 0;
}

void prefix_mask(uint8_t bits, uint8_t mask[16])
{
	memset(mask, 0, 16);
	for (unsigned int i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

const char *refusal_chain(uint8_t refusal)
{
	return refusal == REFUSAL_DROP ? "discard" : "refuse";
}

/* A name under construction. */
struct name {
	char *buf;
	size_t len;
};

static void name_add(struct name *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void name_add(struct name *n, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(n->buf + n->len, NFT_NAME_BYTES - n->len, fmt, args);
	va_end(args);
	assert(len >= 0 && n->len + (size_t)len < NFT_NAME_BYTES);
	n->len += (size_t)len;
}

/* "-own5-sticky-mask24-max17-pin32-pin24-addr" */
static void name_add_own(struct name *n, const struct program *p)
{
	if (p->own > 0)
		name_add(n, "-own%u", p->own);
	if (p->options & PROGRAM_STICKY)
		name_add(n, "-sticky");
	if (p->sticky_prefix > 0)
		name_add(n, "-mask%u", p->sticky_prefix);
	if (p->sticky_bits > 0)
		name_add(n, "-max%u", p->sticky_bits);
	for (size_t i = 0; i < PIN_LENGTHS_MAX && p->pins[i] > 0; i++)
		name_add(n, "-pin%u", p->pins[i]);
	if (p->options & PROGRAM_KEEPS_PORT)
		name_add(n, "-addr");
	if (p->options & PROGRAM_GATES)
		name_add(n, "-gates");
	if (p->options & PROGRAM_OVERFLOWS)
		name_add(n, "-full");
	if (p->overflow > 0)
		name_add(n, "-over%u", p->overflow);
	if (p->max_client > 0)
		name_add(n, "-client%u", p->max_client);
	if (p->max_all > 0)
		name_add(n, "-all%u", p->max_all);
}

/* "-17-p24-port-drop": what is as usual is not said. */
static void name_add_options(struct name *n, const struct program *p)
{
	if (p->kind == PROGRAM_RR || p->lane > 0)
		name_add(n, "-%u", p->lane);
	if (p->prefix > 0)
		name_add(n, "-p%u", p->prefix);
	name_add(n, "%s", key_words[p->key]);
	if (p->udp_timeout > 0)
		name_add(n, "-udp%u", p->udp_timeout - 1);
	name_add_own(n, p);
	if (p->refusal == REFUSAL_DROP)
		name_add(n, "-drop");
}

const char *program_name(const struct program *p, char buf[NFT_NAME_BYTES])
{
	struct name n = { .buf = buf };

	if (p->kind == PROGRAM_REFUSE || p->kind == PROGRAM_DROP) {
		snprintf(buf, NFT_NAME_BYTES, "%s",
			 refusal_chain(p->kind == PROGRAM_DROP ? REFUSAL_DROP : REFUSAL_REJECT));
		return buf;
	}
	if (p->kind == PROGRAM_FULL)
		name_add(&n, "full");
	else
		name_add(&n, "%s%c-%u", kind_word(p->kind), family_digit(p->family), p->size);
	name_add_options(&n, p);
	return buf;
}

/* The number behind this word at *s, which moves behind it; 0 when it is not there, or above max.
 */
static unsigned long parse_number(const char **s, const char *word, unsigned long max)
{
	size_t len = strlen(word);
	unsigned long n;

	if (strncmp(*s, word, len) != 0 || (*s)[len] < '1' || (*s)[len] > '9')
		return 0;
	n = strtoul(*s + len, (char **)s, 10);
	return n <= max ? n : 0;
}

static bool parse_word(const char **s, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*s, word, len) != 0)
		return false;
	*s += len;
	return true;
}

/* PROGRAM_UDP_TIMEOUT() of the number behind this word; 0: it is not there. */
static uint16_t parse_timeout(const char **s, const char *word)
{
	unsigned long n = parse_number(s, word, UINT16_MAX - 1);
	size_t len = strlen(word);

	if (n > 0)
		return PROGRAM_UDP_TIMEOUT(n);
	if (strncmp(*s, word, len) != 0 || (*s)[len] != '0')
		return 0;
	*s += len + 1;
	return PROGRAM_UDP_TIMEOUT(0);
}

/* See name_add_own(). Returns what follows. */
static const char *parse_own(const char *s, struct program *p)
{
	p->own = (uint16_t)parse_number(&s, "-own", UINT16_MAX);
	if (parse_word(&s, "-sticky"))
		p->options |= PROGRAM_STICKY;
	p->sticky_prefix = (uint8_t)parse_number(&s, "-mask", 127);
	p->sticky_bits = (uint8_t)parse_number(&s, "-max", 31);
	for (size_t i = 0; i < PIN_LENGTHS_MAX; i++) {
		p->pins[i] = (uint8_t)parse_number(&s, "-pin", 128);
		if (p->pins[i] == 0)
			break;
	}
	if (parse_word(&s, "-addr"))
		p->options |= PROGRAM_KEEPS_PORT;
	if (parse_word(&s, "-gates"))
		p->options |= PROGRAM_GATES;
	if (parse_word(&s, "-full"))
		p->options |= PROGRAM_OVERFLOWS;
	p->overflow = (uint8_t)parse_number(&s, "-over", PROGRAM_OVERFLOW_MAX);
	p->max_client = (uint32_t)parse_number(&s, "-client", MODEL_CONNECTIONS_MAX);
	p->max_all = (uint32_t)parse_number(&s, "-all", MODEL_CONNECTIONS_MAX);
	return s;
}

/* "-p24-port-drop". What is not understood is not in the name made again. */
static void program_parse_options(const char *s, struct program *p)
{
	p->prefix = (uint8_t)parse_number(&s, "-p", 127);
	for (size_t i = 1; i < sizeof(key_words) / sizeof(key_words[0]); i++) {
		size_t len = strlen(key_words[i]);

		if (strncmp(s, key_words[i], len) == 0) {
			p->key = (uint8_t)i;
			s += len;
			break;
		}
	}
	p->udp_timeout = parse_timeout(&s, "-udp");
	if (strcmp(parse_own(s, p), "-drop") == 0)
		p->refusal = REFUSAL_DROP;
}

/* Does the part that is about one service hold together? */
static bool own_is_valid(const struct program *p)
{
	bool is_sticky = p->options & PROGRAM_STICKY, has_pins = p->pins[0] > 0;
	bool counts = program_counts(p), has_gates = p->options & PROGRAM_GATES;
	uint8_t bits = p->family == AF_INET ? 32 : 128;

	if ((p->own > 0) != (is_sticky || has_pins || counts) || (p->overflow && !has_gates))
		return false;
	if (!is_sticky && (p->sticky_prefix || p->sticky_bits))
		return false;
	for (size_t i = 0; i < PIN_LENGTHS_MAX; i++) {
		if (p->pins[i] > bits || (i > 0 && p->pins[i] > 0 && p->pins[i] >= p->pins[i - 1]))
			return false;
	}
	return p->sticky_prefix < bits && (p->own > 0 || p->options == 0);
}

/* "4-3-17-drop", after the word. */
static int program_parse_numbers(const char *s, struct program *p)
{
	unsigned long size, lane = 0;
	char *end;

	p->family = digit_family(s[0]);
	if (!p->family || s[1] != '-')
		return -EINVAL;
	size = strtoul(s + 2, &end, 10);
	if (end[0] == '-' && end[1] >= '0' && end[1] <= '9')
		lane = strtoul(end + 1, &end, 10);
	program_parse_options(end, p);
	if (size == 0 || size > UINT16_MAX + 1ul || lane > UINT16_MAX)
		return -EINVAL;
	if (!program_hashes(p) && (p->key || p->prefix))
		return -EINVAL;
	if ((p->family == AF_INET && p->prefix >= 32) || !own_is_valid(p))
		return -EINVAL;
	p->size = (uint32_t)size;
	p->lane = (uint16_t)lane;
	return 0;
}

static int program_parse_any(const char *name, struct program *p)
{
	if (strcmp(name, "refuse") == 0) {
		p->kind = PROGRAM_REFUSE;
		p->refusal = REFUSAL_REJECT;
		return 0;
	}
	if (strcmp(name, "discard") == 0) {
		p->kind = PROGRAM_DROP;
		p->refusal = REFUSAL_DROP;
		return 0;
	}
	if (parse_word(&name, "full-own")) {
		p->kind = PROGRAM_FULL;
		p->own = (uint16_t)strtoul(name, NULL, 10);
		p->refusal = strstr(name, "-drop") ? REFUSAL_DROP : REFUSAL_REJECT;
		return p->own ? 0 : -EINVAL;
	}
	for (size_t i = 0; i < N_WORDS; i++) {
		size_t len = strlen(words[i].word);

		if (strncmp(name, words[i].word, len) == 0 && digit_family(name[len])) {
			p->kind = words[i].kind;
			return program_parse_numbers(name + len, p);
		}
	}
	return -EINVAL;
}

int program_parse(const char *name, struct program *out)
{
	struct program p = { .refusal = REFUSAL_REJECT };
	char again[NFT_NAME_BYTES];

	if (program_parse_any(name, &p) < 0 || strcmp(program_name(&p, again), name) != 0)
		return -EINVAL;
	*out = p;
	return 0;
}

bool gate_equal(const struct gate *a, const struct gate *b)
{
	return addr_equal(&a->to, &b->to) && a->port == b->port && a->own == b->own &&
	       a->epoch == b->epoch && a->max == b->max && a->room == b->room;
}

const char *gate_name(const struct gate *g, char buf[NFT_NAME_BYTES])
{
	struct name n = { .buf = buf };

	name_add(&n, "gate%c-", family_digit(g->to.family));
	for (size_t i = 0; i < addr_len(g->to.family); i++)
		name_add(&n, "%02x", g->to.bytes[i]);
	name_add(&n, "-%u-own%u", g->port, g->own);
	if (g->max > 0)
		name_add(&n, "-max%u-room%u-e%u", g->max, g->room, g->epoch);
	return buf;
}

static bool parse_bytes(const char **s, size_t n, uint8_t *out)
{
	for (size_t i = 0; i < n; i++, *s += 2) {
		char pair[3] = { (*s)[0], (*s)[0] ? (*s)[1] : '\0', '\0' };
		char *end;

		out[i] = (uint8_t)strtoul(pair, &end, 16);
		if (end != pair + 2)
			return false;
	}
	return true;
}

int gate_parse(const char *name, struct gate *out)
{
	struct gate g = { .port = 0 };
	char again[NFT_NAME_BYTES];
	const char *s = name;

	if (!parse_word(&s, "gate") || !(g.to.family = digit_family(*s++)) || *s++ != '-' ||
	    !parse_bytes(&s, addr_len(g.to.family), g.to.bytes))
		return -EINVAL;
	if (!parse_word(&s, "-0"))
		g.port = (uint16_t)parse_number(&s, "-", UINT16_MAX);
	g.own = (uint16_t)parse_number(&s, "-own", UINT16_MAX);
	g.max = (uint32_t)parse_number(&s, "-max", UINT32_MAX);
	g.room = (uint32_t)parse_number(&s, "-room", UINT32_MAX);
	if (!parse_word(&s, "-e0"))
		g.epoch = (uint16_t)parse_number(&s, "-e", UINT16_MAX);
	if (g.own == 0 || strcmp(gate_name(&g, again), name) != 0)
		return -EINVAL;
	*out = g;
	return 0;
}

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

	name_add(&n, "sticky%c-%u", family_digit(m->family), m->shard);
	if (m->bits > 0)
		name_add(&n, "-max%u", m->bits);
	if (m->is_address)
		name_add(&n, "-addr");
}

const char *map_name(const struct map_ref *m, char buf[NFT_NAME_BYTES])
{
	char family = family_digit(m->family);

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
		snprintf(buf, NFT_NAME_BYTES, "slots%c-%s-%u", family, kind_word(m->program),
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
	m->family = digit_family(s[0]);
	if (!m->family || s[1] != '-')
		return;
	for (size_t i = 0; i < N_WORDS; i++) {
		size_t len = strlen(words[i].word);

		if (strncmp(s + 2, words[i].word, len) == 0 && s[2 + len] == '-') {
			m->kind = MAP_SLOTS;
			m->program = words[i].kind;
			m->shard = (uint16_t)strtoul(s + 3 + len, NULL, 10);
		}
	}
}

/* "4-5-24-addr", after "pins"; "4-5-max17-addr", after "sticky"; "4-5", after "gates". */
static void map_parse_own(const char *s, enum map_kind kind, struct map_ref *m)
{
	uint8_t bits;

	if (!(m->family = digit_family(*s++)))
		return;
	bits = m->family == AF_INET ? 32 : 128;
	m->kind = (uint8_t)kind;
	m->shard = (uint16_t)parse_number(&s, "-", UINT16_MAX);
	if (kind == MAP_GATES)
		return;
	m->bits = kind == MAP_PINS ? (uint8_t)parse_number(&s, "-", bits)
				   : (uint8_t)parse_number(&s, "-max", 31);
	m->is_address = parse_word(&s, "-addr");
	if (m->shard == 0 || (kind == MAP_PINS && m->bits == 0))
		m->kind = 0;
}

/* "4-5-max10", after "clients"; "-5-max1000", after "all". */
static void map_parse_max(const char *s, enum map_kind kind, struct map_ref *m)
{
	if (kind == MAP_CLIENTS && !(m->family = digit_family(*s++)))
		return;
	m->kind = (uint8_t)kind;
	m->shard = (uint16_t)parse_number(&s, "-", UINT16_MAX);
	m->max = (uint32_t)parse_number(&s, "-max", MODEL_CONNECTIONS_MAX);
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
	m->family = digit_family(name[len - 1]);
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
	else if ((m.shard = (uint16_t)parse_number(&rest, "overflowed-", UINT16_MAX)) > 0)
		m.kind = MAP_OVERFLOWED;
	else if ((m.shard = parse_timeout(&rest, "udp-")) > 0)
		m.kind = MAP_TIMEOUT;
	if (!m.kind || (!m.family && map_has_elements(&m) && m.kind != MAP_ALL) ||
	    strcmp(map_name(&m, again), name) != 0)
		return -EINVAL;
	*out = m;
	return 0;
}
