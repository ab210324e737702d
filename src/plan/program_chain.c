/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All chains that can exist, made from a few numbers. What a rule is in nft's words is in
 * program_text.c, and in the kernel's in kernel/nft_rule.c.
 */
#include <assert.h>
#include <string.h>

#include "plan/program.h"

static bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->kind == b->kind && a->family == b->family && a->size == b->size &&
	       a->port_min == b->port_min && a->port_max == b->port_max &&
	       addr_equal(&a->to, &b->to) && a->port == b->port &&
	       program_equal(&a->program, &b->program) && strcmp(a->name, b->name) == 0;
}

bool chain_equal(const struct chain *a, const struct chain *b)
{
	if (strcmp(a->name, b->name) != 0 || a->hook != b->hook || a->n_rules != b->n_rules)
		return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

static struct rule *chain_add(struct chain *c, enum rule_kind kind, uint8_t family)
{
	struct rule *r;

	assert(c->n_rules < CHAIN_RULES_MAX);
	r = &c->rules[c->n_rules++];
	r->kind = kind;
	r->family = family;
	return r;
}

static void chain_add_named(struct chain *c, enum rule_kind kind, const char *name)
{
	snprintf(chain_add(c, kind, AF_UNSPEC)->name, RULE_NAME_BYTES, "%.71s", name);
}

static struct rule *chain_add_program(struct chain *c, enum rule_kind kind, const struct program *p)
{
	struct rule *r = chain_add(c, kind, p->family);

	r->program = *p;
	return r;
}

bool rule_map(const struct rule *r, struct map_ref *out, char pool[NFT_NAME_BYTES])
{
	switch ((enum rule_kind)r->kind) {
	case RULE_DNAT:
	case RULE_GATE:
		*out = program_slots_map(&r->program);
		return true;
	case RULE_TIMEOUT:
		*out = program_timeout(&r->program);
		return true;
	case RULE_PIN:
		*out = program_pins_map(&r->program, (uint8_t)r->size);
		return true;
	case RULE_MAX_CLIENT:
		*out = program_clients_set(&r->program);
		return true;
	case RULE_MAX_ALL:
		*out = program_all_set(&r->program);
		return true;
	case RULE_OVERFLOWED:
		*out = program_overflowed(&r->program);
		return true;
	case RULE_STICKY:
	case RULE_REMEMBER:
		*out = program_sticky_map(&r->program);
		return true;
	case RULE_BEGUN:
		*out = program_begun_set(&r->program);
		return true;
	case RULE_SNAT:
	case RULE_DETOUR:
		return map_parse(r->name, out, pool) == 0;
	case RULE_JUMP_DISPATCH:
	case RULE_DISPATCH:
	case RULE_SNAT_DISPATCH:
	case RULE_GUARD:
	case RULE_ONLY_SYN:
	case RULE_TOKENS:
	case RULE_COUNT:
	case RULE_DNAT_TO:
	case RULE_GOTO:
	case RULE_REJECT_TCP:
	case RULE_REJECT:
	case RULE_DROP:
	case RULE_FOREIGN:
		break;
	}
	return false;
}

size_t rule_maps(const struct rule *r, struct map_ref out[RULE_MAPS_MAX], char pool[NFT_NAME_BYTES])
{
	size_t n = rule_map(r, &out[0], pool);

	if (r->kind == RULE_MAX_CLIENT || r->kind == RULE_MAX_ALL)
		out[n++] = program_overflowed(&r->program);
	return n;
}

static struct rule *chain_add_to(struct chain *c, enum rule_kind kind, const struct gate *g)
{
	struct rule *r = chain_add(c, kind, g->to.family);

	r->to = g->to;
	r->port = g->port;
	return r;
}

void gate_chain(const struct gate *g, struct chain *out)
{
	*out = (struct chain){ 0 };
	gate_name(g, out->name);
	if (g->tokens > 0)
		chain_add_to(out, RULE_TOKENS, g)->size = g->tokens;
	if (g->max > 0)
		chain_add(out, RULE_COUNT, AF_UNSPEC)->size = g->room;
	chain_add_to(out, RULE_DNAT_TO, g);
}

static void add_slot_rules(struct chain *c, const struct program *p)
{
	if (p->kind == PROGRAM_FULL || p->options & PROGRAM_OVERFLOWS)
		chain_add_program(c, RULE_OVERFLOWED, p);
	if (p->kind == PROGRAM_FULL)
		return;
	if (!(p->options & PROGRAM_GATES)) {
		/* Twice: a packet may meet this chain and slots of different generations. */
		chain_add_program(c, RULE_DNAT, p);
		chain_add_program(c, RULE_DNAT, p);
		return;
	}
	for (uint32_t i = 0; i < PROGRAM_GATE_TRIES + (p->overflow > 0); i++) {
		/* Whom the first gate has turned away, and who was not counted before. */
		if (i == 1 && !(p->options & PROGRAM_OVERFLOWS))
			chain_add_program(c, RULE_OVERFLOWED, p);
		chain_add_program(c, RULE_GATE, p)->size = i;
	}
}

static void chain_add_max(struct chain *c, enum rule_kind kind, const struct program *p)
{
	struct rule *r = chain_add_program(c, kind, p);

	snprintf(r->name, sizeof(r->name), "%s", refusal_chain(p->refusal));
}

void program_chain(const struct program *p, struct chain *out)
{
	const char *refusal = refusal_chain(p->refusal);

	assert(p->kind >= PROGRAM_RR && (p->size > 0 || p->kind == PROGRAM_FULL));
	*out = (struct chain){ 0 };
	program_name(p, out->name);
	/* A segment in the middle of a connection that conntrack does not know
	 * would be balanced anew and reset by a backend that has never seen it. */
	chain_add_named(out, RULE_ONLY_SYN, refusal);
	if (p->udp_timeout > 0)
		chain_add_program(out, RULE_TIMEOUT, p);
	if (p->max_client > 0)
		chain_add_max(out, RULE_MAX_CLIENT, p);
	if (p->max_all > 0)
		chain_add_max(out, RULE_MAX_ALL, p);
	for (size_t i = 0; i < PIN_LENGTHS_MAX && p->pins[i] > 0; i++)
		chain_add_program(out, RULE_PIN, p)->size = p->pins[i];
	if (p->options & PROGRAM_STICKY)
		chain_add_program(out, RULE_STICKY, p);
	add_slot_rules(out, p);
	chain_add_named(out, RULE_GOTO, refusal);
}

static uint32_t pool_size(const struct pool *pool, uint8_t family)
{
	return family == AF_INET6 ? pool->n6 : pool->n4;
}

static void add_snat(struct chain *c, const struct pool *pool, enum map_kind kind, uint8_t family)
{
	uint32_t n = pool_size(pool, family);
	struct map_ref map = { .kind = (uint8_t)kind, .family = family, .pool = pool->name };
	struct rule *r = chain_add(c, kind == MAP_DETOUR ? RULE_DETOUR : RULE_SNAT, family);
	char name[NFT_NAME_BYTES];

	r->size = kind == MAP_DETOUR ? n * DETOUR_PARTS : n;
	r->port_min = pool->port_min;
	r->port_max = pool->port_max;
	snprintf(r->name, sizeof(r->name), "%.70s", map_name(&map, name));
}

static void pool_chain_family(struct chain *c, const struct pool *pool, uint8_t family)
{
	if (pool_size(pool, family) == 0)
		return;
	/* While there are detours only: one lookup more for each new connection. */
	if (pool_has_detours(pool, family))
		add_snat(c, pool, MAP_DETOUR, family);
	for (int i = 0; i < 2; i++)
		add_snat(c, pool, MAP_POOL, family);
}

bool pool_has_detours(const struct pool *pool, uint8_t family)
{
	for (size_t i = 0; pool_size(pool, family) > 0 && i < pool->n_detours; i++)
		if (pool->detours[i].backend.family == family)
			return true;
	return false;
}

void pool_chain(const struct pool *pool, struct chain *out)
{
	*out = (struct chain){ 0 };
	snprintf(out->name, sizeof(out->name), "pool-%.60s", pool->name);
	pool_chain_family(out, pool, AF_INET);
	pool_chain_family(out, pool, AF_INET6);
	/* With the client's own address it must not go out. */
	chain_add(out, RULE_DROP, AF_UNSPEC);
}

const char *new_chain_name(uint16_t own, char buf[NFT_NAME_BYTES])
{
	snprintf(buf, NFT_NAME_BYTES, "new-%u", own);
	return buf;
}

void new_chain(const struct new_rules *rules, uint16_t own, const char *pool, struct chain *out)
{
	char name[NFT_NAME_BYTES];

	*out = (struct chain){ 0 };
	new_chain_name(own, out->name);
	for (int i = 0; i < 2; i++) {
		if (rules->count[i])
			chain_add_program(out, RULE_BEGUN, rules->count[i]);
		if (rules->remember[i])
			chain_add_program(out, RULE_REMEMBER, rules->remember[i])->size =
				rules->timeout_s;
	}
	snprintf(name, sizeof(name), "pool-%.60s", pool);
	chain_add_named(out, RULE_GOTO, name);
}

bool chain_is_leaf(const char *name)
{
	return strncmp(name, "pool-", 5) == 0 || strncmp(name, "gate", 4) == 0;
}

/* The fixed chains; a rule that names a chain comes after that chain. */
static const struct chain base_chains[] = {
	{ "refuse", HOOK_NONE, 2, { { .kind = RULE_REJECT_TCP }, { .kind = RULE_REJECT } } },
	{ "discard", HOOK_NONE, 1, { { .kind = RULE_DROP } } },
	{ "dispatch",
	  HOOK_NONE,
	  2,
	  { { .kind = RULE_DISPATCH, .family = AF_INET },
	    { .kind = RULE_DISPATCH, .family = AF_INET6 } } },
	{ "prerouting", HOOK_NAT_PREROUTING, 1, { { .kind = RULE_JUMP_DISPATCH } } },
	{ "output", HOOK_NAT_OUTPUT, 1, { { .kind = RULE_JUMP_DISPATCH } } },
	{ "postrouting",
	  HOOK_NAT_POSTROUTING,
	  2,
	  { { .kind = RULE_SNAT_DISPATCH, .family = AF_INET },
	    { .kind = RULE_SNAT_DISPATCH, .family = AF_INET6 } } },
	{ "guard-input",
	  HOOK_GUARD_INPUT,
	  2,
	  { { .kind = RULE_GUARD, .family = AF_INET },
	    { .kind = RULE_GUARD, .family = AF_INET6 } } },
	{ "guard-forward",
	  HOOK_GUARD_FORWARD,
	  2,
	  { { .kind = RULE_GUARD, .family = AF_INET },
	    { .kind = RULE_GUARD, .family = AF_INET6 } } },
};

bool base_chain(size_t i, struct chain *out)
{
	if (i >= sizeof(base_chains) / sizeof(base_chains[0]))
		return false;
	*out = base_chains[i];
	return true;
}

static const struct map_ref base_maps[] = {
	{ .kind = MAP_ADDRESSES, .family = AF_INET }, { .kind = MAP_ADDRESSES, .family = AF_INET6 },
	{ .kind = MAP_SERVICES, .family = AF_INET },  { .kind = MAP_SERVICES, .family = AF_INET6 },
	{ .kind = MAP_SNAT, .family = AF_INET },      { .kind = MAP_SNAT, .family = AF_INET6 },
};

bool base_map(size_t i, struct map_ref *out)
{
	if (i >= sizeof(base_maps) / sizeof(base_maps[0]))
		return false;
	*out = base_maps[i];
	return true;
}
