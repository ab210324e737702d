/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset is a fixed program and services are data, so all chains that
 * can exist are made here from a few numbers, and a chain's name says which
 * numbers: what is read back from the kernel needs no other memory. Names are
 * parsed by making the name of what was understood and comparing, so that each
 * program and map has exactly one name.
 */
#include "plan/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan/name.h"

/* What is hashed besides the source address: the end of the name. */
static const char *const key_words[] = {
	[HASH_SOURCE] = "",
	[HASH_SOURCE_PORT] = "-port",
	[HASH_FIVE_TUPLE] = "-tuple",
};

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
		name_add(&n, "%s%c-%u", name_of_kind(p->kind), name_family_digit(p->family),
			 p->size);
	name_add_options(&n, p);
	return buf;
}

/* See name_add_own(). Returns what follows. */
static const char *parse_own(const char *s, struct program *p)
{
	p->own = (uint16_t)name_parse_number(&s, "-own", UINT16_MAX);
	if (name_parse_word(&s, "-sticky"))
		p->options |= PROGRAM_STICKY;
	p->sticky_prefix = (uint8_t)name_parse_number(&s, "-mask", 127);
	p->sticky_bits = (uint8_t)name_parse_number(&s, "-max", 31);
	for (size_t i = 0; i < PIN_LENGTHS_MAX; i++) {
		p->pins[i] = (uint8_t)name_parse_number(&s, "-pin", 128);
		if (p->pins[i] == 0)
			break;
	}
	if (name_parse_word(&s, "-addr"))
		p->options |= PROGRAM_KEEPS_PORT;
	if (name_parse_word(&s, "-gates"))
		p->options |= PROGRAM_GATES;
	if (name_parse_word(&s, "-full"))
		p->options |= PROGRAM_OVERFLOWS;
	p->overflow = (uint8_t)name_parse_number(&s, "-over", PROGRAM_OVERFLOW_MAX);
	p->max_client = (uint32_t)name_parse_number(&s, "-client", MODEL_CONNECTIONS_MAX);
	p->max_all = (uint32_t)name_parse_number(&s, "-all", MODEL_CONNECTIONS_MAX);
	return s;
}

/* "-p24-port-drop". What is not understood is not in the name made again. */
static void program_parse_options(const char *s, struct program *p)
{
	p->prefix = (uint8_t)name_parse_number(&s, "-p", 127);
	for (size_t i = 1; i < sizeof(key_words) / sizeof(key_words[0]); i++) {
		size_t len = strlen(key_words[i]);

		if (strncmp(s, key_words[i], len) == 0) {
			p->key = (uint8_t)i;
			s += len;
			break;
		}
	}
	p->udp_timeout = name_parse_timeout(&s, "-udp");
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

	p->family = name_digit_family(s[0]);
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
	if (name_parse_word(&name, "full-own")) {
		p->kind = PROGRAM_FULL;
		p->own = (uint16_t)strtoul(name, NULL, 10);
		p->refusal = strstr(name, "-drop") ? REFUSAL_DROP : REFUSAL_REJECT;
		return p->own ? 0 : -EINVAL;
	}
	for (size_t i = 0; i < NAME_KINDS; i++) {
		size_t len = strlen(name_kinds[i].word);

		if (strncmp(name, name_kinds[i].word, len) == 0 && name_digit_family(name[len])) {
			p->kind = name_kinds[i].kind;
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
	       a->epoch == b->epoch && a->max == b->max && a->tokens == b->tokens &&
	       a->room == b->room;
}

const char *gate_name(const struct gate *g, char buf[NFT_NAME_BYTES])
{
	struct name n = { .buf = buf };

	name_add(&n, "gate%c-", name_family_digit(g->to.family));
	for (size_t i = 0; i < addr_len(g->to.family); i++)
		name_add(&n, "%02x", g->to.bytes[i]);
	name_add(&n, "-%u-own%u", g->port, g->own);
	if (g->max > 0)
		name_add(&n, "-max%u", g->max);
	if (g->tokens > 0)
		name_add(&n, "-tokens%u", g->tokens);
	if (g->max > 0)
		name_add(&n, "-room%u-e%u", g->room, g->epoch);
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

	if (!name_parse_word(&s, "gate") || !(g.to.family = name_digit_family(*s++)) ||
	    *s++ != '-' || !parse_bytes(&s, addr_len(g.to.family), g.to.bytes))
		return -EINVAL;
	if (!name_parse_word(&s, "-0"))
		g.port = (uint16_t)name_parse_number(&s, "-", UINT16_MAX);
	g.own = (uint16_t)name_parse_number(&s, "-own", UINT16_MAX);
	g.max = (uint32_t)name_parse_number(&s, "-max", UINT32_MAX);
	g.tokens = (uint32_t)name_parse_number(&s, "-tokens", UINT32_MAX);
	g.room = (uint32_t)name_parse_number(&s, "-room", UINT32_MAX);
	if (!name_parse_word(&s, "-e0"))
		g.epoch = (uint16_t)name_parse_number(&s, "-e", UINT16_MAX);
	if (g.own == 0 || strcmp(gate_name(&g, again), name) != 0)
		return -EINVAL;
	*out = g;
	return 0;
}
