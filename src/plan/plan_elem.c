/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each thing in the plan is in the kernel's maps. Both the operations of
 * a change and the image of everything are made of these.
 */
#include <string.h>

#include "plan/plan_state.h"

bool pool_walk_next(struct pool_walk *w, struct addr *out)
{
	for (; w->pool && w->range < w->pool->n_ranges; w->range++, w->at = 0) {
		const struct addr_range *r = &w->pool->ranges[w->range];

		if (r->lo.family != w->family || w->at >= addr_range_count(r))
			continue;
		*out = addr_add(&r->lo, w->at++);
		w->n++;
		return true;
	}
	return false;
}

/* A map keyed by listener. */
static void elem_init(enum map_kind kind, const struct place_key *l, struct elem *out)
{
	*out = (struct elem){
		.map = { .kind = kind, .family = l->address.family },
		.address = l->address,
		.protocol = l->protocol,
		.port = l->port,
	};
}

void elem_of_service(const struct place *p, const struct placed *at, struct elem *out)
{
	elem_init(MAP_SERVICES, &p->key, out);
	out->program = at->program;
	out->comment = at->service->name;
}

void elem_of_snat(const struct place *p, const struct placed *at, struct elem *out)
{
	elem_init(MAP_SNAT, &p->key, out);
	out->pool_verdict = 1;
	if (at->new_own)
		out->program.own = at->new_own; /* the chain names the pool */
	else
		out->pool = at->service->pool;
}

void elem_of_slot(const struct place *p, const struct slot_table *t, const struct map_ref *map,
		  uint32_t slot, struct elem *out)
{
	const struct backend *b = slot_table_backend(t, slot);

	elem_init(MAP_SLOTS, &p->key, out);
	out->map = *map;
	out->slot = slot;
	out->to = b->address;
	if (map->kind == MAP_GATES) {
		struct gate gate = own_gate(b, map->shard);

		out->to_port = gate.port;
		out->max = gate.max;
		out->tokens = gate.tokens;
		out->room = gate.room;
		out->epoch = gate.epoch;
		return;
	}
	out->to_port = b->port ? b->port : p->key.port;
}

void elem_of_pool(const char *pool, uint8_t family, uint32_t index, const struct addr *to,
		  struct elem *out)
{
	*out = (struct elem){
		.map = { .kind = MAP_POOL, .family = family, .pool = pool },
		.slot = index,
		.to = *to,
	};
}

void elem_of_address(const struct addr *address, struct elem *out)
{
	*out = (struct elem){
		.map = { .kind = MAP_ADDRESSES, .family = address->family },
		.address = *address,
	};
}

_Static_assert(TABLE_SIZE_MAX < 1 << 20 && MODEL_CONNECTIONS_MAX < 1 << 24 && AF_INET6 < 16 &&
		       PIN_LENGTHS_MAX == 4,
	       "they fit where program_to_key() puts them");

struct program_key program_to_key(const struct program *p)
{
	uint64_t pins = 0;

	for (size_t i = 0; i < PIN_LENGTHS_MAX; i++)
		pins = pins << 8 | p->pins[i];
	return (struct program_key){
		.common = p->size | (uint64_t)p->lane << 20 | (uint64_t)p->prefix << 36 |
			  (uint64_t)p->key << 44 | (uint64_t)p->refusal << 48 |
			  (uint64_t)p->family << 52 | (uint64_t)p->kind << 56,
		.own = p->own | (uint64_t)p->options << 16 | (uint64_t)p->sticky_prefix << 24 |
		       pins << 32,
		.rest = p->sticky_bits | (uint64_t)p->udp_timeout << 8 |
			(uint64_t)p->overflow << 24,
		.limits = p->max_client | (uint64_t)p->max_all << 32,
	};
}

struct program program_of_key(const void *key)
{
	struct program_key k;
	struct program p;

	memcpy(&k, key, sizeof(k));
	p = (struct program){
		.kind = (uint8_t)(k.common >> 56),
		.family = k.common >> 52 & 0xf,
		.refusal = k.common >> 48 & 0xf,
		.key = k.common >> 44 & 0xf,
		.prefix = (uint8_t)(k.common >> 36),
		.lane = (uint16_t)(k.common >> 20),
		.size = k.common & 0xfffff,
		.own = (uint16_t)k.own,
		.options = (uint8_t)(k.own >> 16),
		.sticky_prefix = (uint8_t)(k.own >> 24),
		.sticky_bits = (uint8_t)k.rest,
		.udp_timeout = (uint16_t)(k.rest >> 8),
		.overflow = (uint8_t)(k.rest >> 24),
		.max_client = (uint32_t)k.limits,
		.max_all = (uint32_t)(k.limits >> 32),
	};
	for (size_t i = 0; i < PIN_LENGTHS_MAX; i++)
		p.pins[i] = (uint8_t)(k.own >> (56 - 8 * i));
	return p;
}

struct map_key map_to_key(const struct map_ref *m)
{
	return (struct map_key){
		.common = m->shard | (uint64_t)m->program << 16 | (uint64_t)m->family << 24 |
			  (uint64_t)m->bits << 32 | (uint64_t)m->is_address << 40 |
			  (uint64_t)m->kind << 48,
		.max = m->max,
	};
}

struct map_ref map_of_key(const void *key)
{
	struct map_key key_of;
	uint64_t k;

	memcpy(&key_of, key, sizeof(key_of));
	k = key_of.common;
	return (struct map_ref){
		.kind = (uint8_t)(k >> 48),
		.family = (uint8_t)(k >> 24),
		.program = (uint8_t)(k >> 16),
		.bits = (uint8_t)(k >> 32),
		.shard = (uint16_t)k,
		.max = (uint32_t)key_of.max,
		.is_address = k >> 40 & 1,
	};
}
