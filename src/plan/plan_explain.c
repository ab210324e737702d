/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a packet through the chains, in the plan: dispatch finds the listener's program, the
 * program a slot, the slot a backend, and postrouting a local address of the service's pool.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "plan/plan_state.h"
#include "plan/stay.h"

static void add_chance(struct explanation *e, size_t *cap, const struct backend *b, uint16_t port,
		       uint32_t slots)
{
	VEC_PUSH(e->chances, e->n_chances, *cap) = (struct chance){
		.name = mem_strdup(b->name),
		.address = b->address,
		.port = b->port ? b->port : port,
		.slots = slots,
	};
}

/* Every backend that has slots; backends are sorted by name. */
static void add_chances(struct explanation *e, const struct slot_table *t, uint16_t port)
{
	const struct service *s = t->service;
	uint32_t *slots = mem_calloc(s->n_backends, sizeof(*slots));
	size_t cap = 0;

	for (uint32_t i = 0; i < t->size; i++)
		slots[slot_table_backend(t, i) - s->backends]++;
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		if (slots[i] == 0)
			continue;
		if (!e->has_slot || slot_table_backend(t, e->slot) == b)
			add_chance(e, &cap, b, port, slots[i]);
	}
	free(slots);
	e->verdict = e->n_chances == 1 ? VERDICT_BACKEND : VERDICT_ONE_OF;
}

/* One backend, whatever the slots say but for how many are its own. */
static void choose_known(struct explanation *e, const struct placed *at,
			 const struct packet *packet, const struct backend *b, enum explained_by by)
{
	struct slot_table table = { 0 };
	uint32_t slots = 0;
	size_t cap = 0;

	slot_table_fill(&table, at->service, packet->daddr.family, at->program.size);
	for (uint32_t i = 0; i < table.size; i++)
		slots += slot_table_backend(&table, i) == b;
	slot_table_fini(&table);
	add_chance(e, &cap, b, packet->dport, slots);
	e->verdict = VERDICT_BACKEND;
	e->by = by;
}

static bool is_client(const struct pin *pin, const struct addr *client, uint8_t bits)
{
	uint8_t mask[16];

	if (pin->bits != bits || pin->client.family != client->family)
		return false;
	prefix_mask(bits, mask);
	for (size_t i = 0; i < addr_len(client->family); i++)
		if ((client->bytes[i] & mask[i]) != pin->client.bytes[i])
			return false;
	return true;
}

/* In the order of the chain's rules: the longest prefixes first. NULL: none. */
static const struct backend *pinned(const struct placed *at, const struct addr *client)
{
	const struct service *s = at->service;

	for (size_t k = 0; k < PIN_LENGTHS_MAX && at->program.pins[k] > 0; k++) {
		for (size_t i = 0; i < s->n_pins; i++) {
			const struct backend *b = service_backend(s, s->pins[i].backend);

			if (b && is_client(&s->pins[i], client, at->program.pins[k]) &&
			    backend_takes_known(s, b))
				return b;
		}
	}
	return NULL;
}

static void choose_backend(struct explanation *e, const struct placed *at,
			   const struct packet *packet)
{
	const struct backend *b = pinned(at, &packet->saddr);
	struct slot_table table = { 0 };

	if (b) {
		choose_known(e, at, packet, b, BY_PIN);
		return;
	}
	if (program_hashes(&at->program)) {
		e->has_slot = true;
		e->slot = explain_slot(&at->program, packet);
	}
	slot_table_fill(&table, at->service, packet->daddr.family, at->program.size);
	add_chances(e, &table, packet->dport);
	slot_table_fini(&table);
}

static void take_detour(struct explanation *e, const struct pool *pool, const struct packet *packet)
{
	uint32_t part = explain_local(e->n_locals * DETOUR_PARTS, packet);
	struct addr to =
		detour_local(pool, &e->chances->address, e->chances->port, packet->protocol, part);
	struct pool_walk w = { .pool = pool, .family = to.family };

	if (addr_equal(&to, &e->local))
		return;
	while (pool_walk_next(&w, &e->local) && !addr_equal(&to, &e->local))
		;
	e->local_index = w.n - 1;
	e->is_detour = true;
}

static void choose_local(struct explanation *e, const struct pool *pool,
			 const struct packet *packet)
{
	uint8_t family = packet->saddr.family;

	e->pool = mem_strdup(pool->name);
	e->n_locals = family == AF_INET6 ? pool->n6 : pool->n4;
	e->local_index = explain_local(e->n_locals, packet);
	e->local = pool_address(pool, family, e->local_index);
	if (e->n_chances == 1)
		take_detour(e, pool, packet);
	if (packet->sport >= pool->port_min && packet->sport <= pool->port_max)
		e->local_port = packet->sport;
}

static const struct placed *placed_at(const struct plan *p, const struct packet *packet)
{
	const struct listener to = { .address = packet->daddr,
				     .port = packet->dport,
				     .protocol = packet->protocol };
	struct place_key key = place_key(&to);
	const struct place *place = place_find(p, &key);

	return place && place->now.service ? &place->now : NULL;
}

static void choose_local_of(const struct plan *p, const struct placed *at,
			    const struct packet *packet, struct explanation *out)
{
	const struct held *pool = held_find(&p->pools, at->service->pool);

	if (pool && pool->now)
		choose_local(out, pool->now, packet);
}

void plan_explain(const struct plan *p, const struct packet *packet, struct explanation *out)
{
	const struct placed *at = placed_at(p, packet);

	*out = (struct explanation){ .verdict = VERDICT_NOBODY };
	if (!at)
		return;
	out->service = mem_strdup(at->service->name);
	out->program = at->program;
	if (!program_has_slots(&at->program)) {
		out->verdict =
			at->program.refusal == REFUSAL_DROP ? VERDICT_DROPPED : VERDICT_REFUSED;
		return;
	}
	choose_backend(out, at, packet);
	choose_local_of(p, at, packet, out);
}

void plan_explain_known(const struct plan *p, const struct packet *packet, const struct addr *to,
			uint16_t port, struct explanation *out)
{
	const struct placed *at = placed_at(p, packet);
	const struct backend *b = at ? backend_of_entry(at->service, to, port) : NULL;

	if (!b || !program_has_slots(&at->program))
		return;
	explanation_fini(out);
	*out = (struct explanation){ .service = mem_strdup(at->service->name),
				     .program = at->program };
	choose_known(out, at, packet, b, BY_PERSISTENCE);
	choose_local_of(p, at, packet, out);
}
