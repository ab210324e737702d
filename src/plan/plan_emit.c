/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what was touched to operations: past against present, one thing at a
 * time. Each key belongs to one thing (a listener, an address, a pool), so no
 * two of them can be at odds, and a listener that moves from one service to
 * another is one change of its elements.
 *
 * What a packet may be about to look up stays until stage 2: everything but
 * the services elements, which are the entrance.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/plan_state.h"

struct emit {
	struct plan *plan;
	struct ops *ops;
	/* Copies of the names of the last service seen. */
	const struct service *named;
	const char *name, *pool;
	/* same[f][i]: the candidate of the new table that is what candidate i of the old one was,
	 * or SLOT_NONE; valid for these two services. */
	uint16_t *same[2];
	size_t cap_same[2];
	const struct service *same_old[2], *same_now[2];
};

static void emit_names(struct emit *x, const struct service *s)
{
	if (x->named == s)
		return;
	x->named = s;
	x->name = ops_string(x->ops, s->name);
	x->pool = ops_string(x->ops, s->pool);
}

/* One element before and after; NULL is absent. It is removed in this stage. */
static void emit_elem(struct emit *x, const struct elem *old, const struct elem *now, int stage)
{
	struct elem gone;

	if (old && now && elem_same_value(old, now))
		return;
	if (old) {
		gone = *old;
		gone.comment = NULL;
		gone.pool = ops_string(x->ops, old->pool);
		op_list_elem(&x->ops->stage[now ? 0 : stage], OP_DEL_ELEM, &gone);
	}
	if (now)
		op_list_elem(&x->ops->stage[0], OP_ADD_ELEM, now);
}

/* The two elements that each listener has. */
static void emit_listener(struct emit *x, const struct place *p)
{
	const struct service *was = p->old.service, *is = p->now.service;
	struct elem old, now;

	if (was)
		elem_of_service(p, &p->old, &old);
	if (is) {
		elem_of_service(p, &p->now, &now);
		emit_names(x, is);
		now.comment = x->name;
	}
	emit_elem(x, was ? &old : NULL, is ? &now : NULL, 0);
	if (was)
		elem_of_snat(p, &p->old, &old);
	if (is) {
		elem_of_snat(p, &p->now, &now);
		if (now.pool)
			now.pool = x->pool;
	}
	emit_elem(x, was ? &old : NULL, is ? &now : NULL, 1);
}

static bool same_backend(const struct backend *a, const struct backend *b)
{
	struct gate was = own_gate(a, 1), is = own_gate(b, 1);

	return gate_equal(&was, &is);
}

/* Candidates are in the order of names, so both lists are walked once. */
static void pair_candidates(const struct slot_table *old, const struct slot_table *now,
			    uint16_t *same)
{
	bool is_same_service = strcmp(old->service->name, now->service->name) == 0;
	size_t k = 0;

	for (size_t i = 0; i < old->n; i++) {
		const struct backend *was = &old->service->backends[old->backend[i]], *is = NULL;
		int cmp = -1;

		for (; k < now->n && cmp < 0; k += cmp < 0) {
			is = &now->service->backends[now->backend[k]];
			cmp = strcmp(is->name, was->name);
		}
		same[i] = is_same_service && cmp == 0 && same_backend(was, is) ? (uint16_t)k
									       : SLOT_NONE;
	}
}

/* Tables for the place's past and present, filled, and their candidates paired. */
static void emit_tables(struct emit *x, const struct place *p, bool has_old, bool has_now)
{
	unsigned int f = family_index(p->key.address.family);
	struct slot_table *old = &x->plan->table_old[f], *now = &x->plan->table_now[f];
	uint8_t family = p->key.address.family;

	if (has_old)
		slot_table_fill(old, p->old.service, family, p->old.program.size);
	if (has_now)
		slot_table_fill(now, p->now.service, family, p->now.program.size);
	if (!has_old || !has_now ||
	    (x->same_old[f] == p->old.service && x->same_now[f] == p->now.service))
		return;
	if (x->cap_same[f] < old->n) {
		x->cap_same[f] = old->cap;
		x->same[f] = mem_realloc(x->same[f], old->cap, sizeof(uint16_t));
	}
	pair_candidates(old, now, x->same[f]);
	x->same_old[f] = p->old.service;
	x->same_now[f] = p->now.service;
}

/* Remove slots [from, size) of the past; in stage 2. */
static void emit_old_slots(struct emit *x, const struct place *p, const struct map_ref *map,
			   uint32_t from)
{
	unsigned int f = family_index(p->key.address.family);
	struct elem e;

	for (uint32_t i = from; i < program_n_slots(&p->old.program); i++) {
		elem_of_slot(p, &x->plan->table_old[f], map, i, &e);
		op_list_elem(&x->ops->stage[1], OP_DEL_ELEM, &e);
	}
}

/* Slots [0, size) of the present; the first n_old of them replace slots of the past. */
static void emit_new_slots(struct emit *x, const struct place *p, const struct map_ref *map,
			   uint32_t n_old)
{
	unsigned int f = family_index(p->key.address.family);
	struct slot_table *old = &x->plan->table_old[f], *now = &x->plan->table_now[f];
	struct elem e;

	for (uint32_t i = 0; i < program_n_slots(&p->now.program); i++) {
		if (i < n_old &&
		    x->same[f][slot_table_candidate(old, i)] == slot_table_candidate(now, i))
			continue;
		if (i < n_old) {
			elem_of_slot(p, old, map, i, &e);
			op_list_elem(&x->ops->stage[0], OP_DEL_ELEM, &e);
		}
		elem_of_slot(p, now, map, i, &e);
		e.comment = slot_table_comment(now, i, &x->ops->strings);
		op_list_elem(&x->ops->stage[0], OP_ADD_ELEM, &e);
	}
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void emit_slots(struct emit *x, const struct place *p)
{
	bool has_old = p->old.service && program_has_slots(&p->old.program);
	bool has_now = p->now.service && program_has_slots(&p->now.program);
	struct map_ref old = program_slots_map(&p->old.program);
	struct map_ref now = program_slots_map(&p->now.program);
	bool is_one_map = has_old && has_now && map_cmp(&old, &now) == 0;
	uint32_t n_both = 0;

	emit_tables(x, p, has_old, has_now);
	if (is_one_map)
		n_both =
			min_u32(program_n_slots(&p->old.program), program_n_slots(&p->now.program));
	if (has_now)
		emit_new_slots(x, p, &now, n_both);
	if (has_old)
		emit_old_slots(x, p, &old, n_both);
}

/* Sorted elements of before and after; frees both. */
static void emit_sorted(struct emit *x, struct elem *old, size_t n_old, struct elem *now,
			size_t n_now, int stage)
{
	size_t o = 0, n = 0;

	while (o < n_old || n < n_now) {
		int cmp = o == n_old ? 1 : n == n_now ? -1 : elem_cmp_key(&old[o], &now[n]);

		emit_elem(x, cmp <= 0 ? &old[o] : NULL, cmp >= 0 ? &now[n] : NULL, stage);
		o += cmp <= 0;
		n += cmp >= 0;
	}
	free(old);
	free(now);
}

/* Pins of a service. They go at once: to miss one does no harm, to find an old one does. */
static void emit_pins(struct emit *x, const struct held *h)
{
	const struct program *was[2], *is[2];
	struct elem *old, *now;
	size_t n_old, n_now;

	own_programs(x->plan, h->old, true, was);
	own_programs(x->plan, h->now, false, is);
	old = own_pins(h->old, was, &x->ops->strings, &n_old);
	now = own_pins(h->now, is, &x->ops->strings, &n_now);
	emit_sorted(x, old, n_old, now, n_now, 0);
}

/* The chain for new connections of a service: those that come, change, or go (is_gone). */
static void emit_new_chain(struct emit *x, const struct held *h, bool is_gone)
{
	struct chain old, now;
	bool has_old = own_new_chain(x->plan, h, true, &old);
	bool has_now = own_new_chain(x->plan, h, false, &now);

	if (is_gone && has_old && !has_now)
		op_list_chain(&x->ops->stage[1], OP_DEL_CHAIN, &old);
	else if (!is_gone && has_now && !has_old)
		op_list_chain(&x->ops->stage[0], OP_ADD_CHAIN, &now);
	else if (!is_gone && has_now && !chain_equal(&old, &now))
		op_list_chain(&x->ops->stage[0], OP_SET_CHAIN, &now);
}

static void emit_addresses(struct emit *x)
{
	const struct refs *r = &x->plan->addresses;

	for (size_t i = 0; i < r->n_touched; i++) {
		const struct ref *ref = r->touched[i];
		struct addr address;
		struct elem e;

		memcpy(&address, ref->key, sizeof(address));
		elem_of_address(&address, &e);
		if (!ref->before && ref->now)
			op_list_elem(&x->ops->stage[0], OP_ADD_ELEM, &e);
		else if (ref->before && !ref->now)
			op_list_elem(&x->ops->stage[1], OP_DEL_ELEM, &e);
	}
}

static void emit_pool_elems(struct emit *x, const struct held *h, uint8_t family)
{
	struct pool_walk before = { .pool = h->old, .family = family };
	struct pool_walk after = { .pool = h->now, .family = family };
	const char *name = ops_string(x->ops, h->name);

	for (uint32_t i = 0;; i++) {
		struct elem old, now;
		struct addr to;
		bool was = pool_walk_next(&before, &to);
		bool is;

		if (was)
			elem_of_pool(name, family, i, &to, &old);
		is = pool_walk_next(&after, &to);
		if (is)
			elem_of_pool(name, family, i, &to, &now);
		if (!was && !is)
			break;
		emit_elem(x, was ? &old : NULL, is ? &now : NULL, 1);
	}
}

static void emit_detours(struct emit *x, const struct held *h, uint8_t family)
{
	const char *name = ops_string(x->ops, h->name);
	size_t n_old, n_now;
	struct elem *old = detour_elems(h->old, name, family, &n_old);
	struct elem *now = detour_elems(h->now, name, family, &n_now);

	emit_sorted(x, old, n_old, now, n_now, 1);
}

static uint32_t pool_count(const struct pool *p, uint8_t family)
{
	if (!p)
		return 0;
	return family == AF_INET6 ? p->n6 : p->n4;
}

/* was, is: needed before, and now. */
static void emit_pool_map(struct emit *x, const struct map_ref *map, bool was, bool is, bool is_add)
{
	struct map_ref named = *map;

	if (was == is || is != is_add)
		return;
	named.pool = ops_string(x->ops, map->pool);
	op_list_map(&x->ops->stage[is ? 0 : 1], is ? OP_ADD_MAP : OP_DEL_MAP, &named);
}

static void emit_pool_maps(struct emit *x, const struct held *h, uint8_t family, bool is_add)
{
	const struct pool *old = h->old, *now = h->now;
	struct map_ref map = { .kind = MAP_POOL, .family = family, .pool = h->name };

	emit_pool_map(x, &map, pool_count(old, family), pool_count(now, family), is_add);
	map.kind = MAP_DETOUR;
	emit_pool_map(x, &map, old && pool_has_detours(old, family),
		      now && pool_has_detours(now, family), is_add);
}

static void emit_pool_chain(struct emit *x, const struct held *h, bool is_gone)
{
	const struct pool *old = h->old, *now = h->now;
	struct chain was, is;

	if (old)
		pool_chain(old, &was);
	if (now)
		pool_chain(now, &is);
	if (is_gone && old && !now)
		op_list_chain(&x->ops->stage[1], OP_DEL_CHAIN, &was);
	else if (!is_gone && now && !old)
		op_list_chain(&x->ops->stage[0], OP_ADD_CHAIN, &is);
	else if (!is_gone && now && !chain_equal(&was, &is))
		op_list_chain(&x->ops->stage[0], OP_SET_CHAIN, &is);
}

/* Maps and chains that come (is_add), or those that go. */
static void emit_maps(struct emit *x, bool is_add)
{
	const struct refs *r = &x->plan->maps;

	for (size_t i = 0; i < r->n_touched; i++) {
		const struct ref *ref = r->touched[i];
		struct map_ref map = map_of_key(ref->key);

		if (is_add && !ref->before && ref->now)
			op_list_map(&x->ops->stage[0], OP_ADD_MAP, &map);
		else if (!is_add && ref->before && !ref->now)
			op_list_map(&x->ops->stage[1], OP_DEL_MAP, &map);
	}
	for (size_t i = 0; i < x->plan->pools.n_touched; i++) {
		emit_pool_maps(x, x->plan->pools.touched[i], AF_INET, is_add);
		emit_pool_maps(x, x->plan->pools.touched[i], AF_INET6, is_add);
	}
}

static void emit_gates(struct emit *x, bool is_add)
{
	const struct refs *r = &x->plan->gates;

	for (size_t i = 0; i < r->n_touched; i++) {
		const struct ref *ref = r->touched[i];
		struct gate gate;
		struct chain c;

		if (!ref->before == !ref->now || is_add != !ref->before)
			continue;
		memcpy(&gate, ref->key, sizeof(gate));
		gate_chain(&gate, &c);
		op_list_chain(&x->ops->stage[is_add ? 0 : 1], is_add ? OP_ADD_CHAIN : OP_DEL_CHAIN,
			      &c);
	}
}

static void emit_chains(struct emit *x, bool is_add)
{
	const struct refs *r = &x->plan->programs;

	for (size_t i = 0; i < r->n_touched; i++) {
		const struct ref *ref = r->touched[i];
		struct program program = program_of_key(ref->key);
		struct chain c;

		if (!ref->before == !ref->now || is_add != !ref->before)
			continue;
		program_chain(&program, &c);
		op_list_chain(&x->ops->stage[is_add ? 0 : 1], is_add ? OP_ADD_CHAIN : OP_DEL_CHAIN,
			      &c);
	}
	emit_gates(x, is_add);
	/* A service's chain for new connections names its pool's. */
	for (size_t i = 0; !is_add && i < x->plan->services.n_touched; i++)
		emit_new_chain(x, x->plan->services.touched[i], true);
	for (size_t i = 0; i < x->plan->pools.n_touched; i++)
		emit_pool_chain(x, x->plan->pools.touched[i], !is_add);
	for (size_t i = 0; is_add && i < x->plan->services.n_touched; i++)
		emit_new_chain(x, x->plan->services.touched[i], false);
}

void plan_emit(struct plan *p, struct ops *ops)
{
	struct emit x = { .plan = p, .ops = ops };

	emit_maps(&x, true);
	emit_chains(&x, true);
	emit_addresses(&x);
	for (size_t i = 0; i < p->pools.n_touched; i++) {
		emit_pool_elems(&x, p->pools.touched[i], AF_INET);
		emit_pool_elems(&x, p->pools.touched[i], AF_INET6);
		emit_detours(&x, p->pools.touched[i], AF_INET);
		emit_detours(&x, p->pools.touched[i], AF_INET6);
	}
	for (size_t i = 0; i < p->n_touched; i++) {
		emit_slots(&x, p->touched[i]);
		emit_listener(&x, p->touched[i]);
	}
	for (size_t i = 0; i < p->services.n_touched; i++)
		emit_pins(&x, p->services.touched[i]);
	emit_chains(&x, false);
	emit_maps(&x, false);
	free(x.same[0]);
	free(x.same[1]);
}
