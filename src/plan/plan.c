/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan knows how each listener is served, and counts who uses which
 * program, map and address. A change touches the listeners of the services that
 * change, nothing else: each gets its new service, then lanes are given out,
 * then uses are counted, and what has become different is emitted
 * (plan_emit.c).
 *
 * A listener keeps its lane as long as it wants one, whatever its table's size
 * and service: its slots then stay in the same map, and only those that differ
 * are sent.
 */
#include "plan/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan_state.h"

struct plan *plan_new(unsigned int lanes)
{
	struct plan *p = mem_zalloc(sizeof(*p));

	p->services.object = OBJECT_SERVICE;
	p->pools.object = OBJECT_POOL;
	refs_init(&p->addresses, sizeof(struct addr));
	refs_init(&p->programs, sizeof(struct program_key));
	refs_init(&p->gates, sizeof(struct gate));
	refs_init(&p->maps, sizeof(struct map_key));
	p->now.lanes.total = lanes < PLAN_LANES_MAX ? lanes : PLAN_LANES_MAX;
	return p;
}

static const void *object_ref(enum object object, const void *value)
{
	if (!value)
		return NULL;
	return object == OBJECT_SERVICE ? (const void *)service_ref(value) : pool_ref(value);
}

static void object_unref(enum object object, const void *value)
{
	if (object == OBJECT_SERVICE)
		service_unref(value);
	else
		pool_unref(value);
}

static void held_free(struct held_set *set)
{
	struct held *h, *next;

	for (h = set->items; h; h = next) {
		next = h->hh.next;
		HASH_DEL(set->items, h);
		object_unref(set->object, h->now);
		free(h);
	}
	free(set->touched);
}

static void hints_free(struct plan *p)
{
	struct hint *h, *next;

	for (h = p->hints; h; h = next) {
		next = h->hh.next;
		HASH_DEL(p->hints, h);
		free(h);
	}
}

void plan_free(struct plan *p)
{
	struct place *place, *next;

	if (!p)
		return;
	if (p->is_tentative)
		plan_abort(p);
	for (place = p->places; place; place = next) {
		next = place->hh.next;
		HASH_DEL(p->places, place);
		free(place);
	}
	free(p->touched);
	hints_free(p);
	own_hints_free(p);
	held_free(&p->services);
	held_free(&p->pools);
	refs_fini(&p->addresses);
	refs_fini(&p->programs);
	refs_fini(&p->gates);
	refs_fini(&p->maps);
	for (int f = 0; f < 2; f++) {
		slot_table_fini(&p->table_now[f]);
		slot_table_fini(&p->table_old[f]);
	}
	free(p);
}

struct held *held_find(const struct held_set *set, const char *name)
{
	struct held *h;

	HASH_FIND(hh, set->items, name, strlen(name), h);
	return h;
}

static void held_set(struct held_set *set, const char *name, const void *value)
{
	struct held *h = held_find(set, name);
	size_t len = strlen(name);

	if (!h) {
		h = mem_zalloc(sizeof(*h) + len + 1);
		memcpy(h->name, name, len + 1);
		HASH_ADD_KEYPTR(hh, set->items, h->name, len, h);
	}
	if (h->is_touched) {
		object_unref(set->object, h->now);
	} else {
		h->is_touched = true;
		h->old = h->now;
		VEC_PUSH(set->touched, set->n_touched, set->cap_touched) = h;
	}
	h->now = object_ref(set->object, value);
}

/* Forget one of the two values of each that was touched. */
static void held_settle(struct plan *p, struct held_set *set, bool is_commit)
{
	for (size_t i = 0; i < set->n_touched; i++) {
		struct held *h = set->touched[i];

		object_unref(set->object, is_commit ? h->old : h->now);
		if (!is_commit)
			h->now = h->old;
		h->old = NULL;
		h->is_touched = false;
		if (h->now)
			continue;
		HASH_DEL(set->items, h);
		if (h->own)
			own_free(p, h->own);
		free(h);
	}
	set->n_touched = 0;
}

struct place_key place_key(const struct listener *l)
{
	return (struct place_key){ l->address, l->port, l->protocol, 0 };
}

struct place *place_find(const struct plan *p, const struct place_key *key)
{
	struct place *place;

	HASH_FIND(hh, p->places, key, sizeof(*key), place);
	return place;
}

static struct place *place_touch(struct plan *p, const struct listener *l)
{
	struct place_key key = place_key(l);
	struct place *place = place_find(p, &key);

	if (!place) {
		place = mem_zalloc(sizeof(*place));
		place->key = key;
		HASH_ADD(hh, p->places, key, sizeof(key), place);
	}
	if (!place->is_touched) {
		place->is_touched = true;
		place->old = place->now;
		VEC_PUSH(p->touched, p->n_touched, p->cap_touched) = place;
	}
	return place;
}

static void places_settle(struct plan *p, bool is_commit)
{
	for (size_t i = 0; i < p->n_touched; i++) {
		struct place *place = p->touched[i];

		if (!is_commit)
			place->now = place->old;
		place->old = (struct placed){ 0 };
		place->is_touched = false;
		if (place->now.service)
			continue;
		HASH_DEL(p->places, place);
		free(place);
	}
	p->n_touched = 0;
}

/* All listeners leave before any arrives: one may go from a service to another. */
static void move_listeners(struct plan *p)
{
	for (size_t i = 0; i < p->services.n_touched; i++) {
		const struct service *s = p->services.touched[i]->old;

		for (size_t k = 0; s && k < s->n_listeners; k++)
			place_touch(p, &s->listeners[k])->now.service = NULL;
	}
	for (size_t i = 0; i < p->services.n_touched; i++) {
		const struct service *s = p->services.touched[i]->now;

		for (size_t k = 0; s && k < s->n_listeners; k++)
			place_touch(p, &s->listeners[k])->now.service = s;
	}
}

static void set_hash(struct program *program, const struct hash *hash)
{
	bool is_v6 = program->family == AF_INET6;

	program->key = (uint8_t)hash->key;
	program->prefix = is_v6 ? hash->prefix6 : hash->prefix4;
	if (program->prefix == (is_v6 ? HASH_PREFIX6_MAX : HASH_PREFIX4_MAX))
		program->prefix = 0;
}

static uint16_t udp_timeout(const struct service *s)
{
	if (s->is_one_packet)
		return PROGRAM_UDP_TIMEOUT(0);
	return s->udp_timeout_s ? PROGRAM_UDP_TIMEOUT(s->udp_timeout_s) : 0;
}

/* The program that the service wants there, without a lane. */
static struct program wanted_program(struct plan *p, const struct place *place)
{
	const struct service *s = place->now.service;
	uint8_t family = place->key.address.family;
	struct slot_table *table = &p->table_now[family_index(family)];
	struct program program = { 0 };

	program.refusal = (uint8_t)s->refusal;
	program.kind = s->refusal == REFUSAL_DROP ? PROGRAM_DROP : PROGRAM_REFUSE;
	program.size = slot_table_size(table, s, family);
	if (program.size > 0) {
		program.kind = (uint8_t)table->scheduler->program;
		program.family = family;
		if (program_hashes(&program))
			set_hash(&program, &s->hash);
		if (place->key.protocol == IPPROTO_UDP)
			program.udp_timeout = udp_timeout(s);
		own_set(p, s, &program);
		if (program.options & PROGRAM_GATES)
			program.overflow = slot_table_overflow(table);
	} else {
		own_set_full(p, s, family, &program);
	}
	return program;
}

/* Take the lane or shard that now.program.lane names. */
static bool lane_take(struct plan *p, const struct place *place)
{
	const struct program *program = &place->now.program;

	if (program->kind == PROGRAM_RR)
		return lanes_take(&p->now.lanes, program->lane);
	return shards_take(&p->now.shards, program);
}

static void lane_give(struct plan *p, const struct placed *at)
{
	if (at->service && at->program.kind == PROGRAM_RR)
		lanes_give(&p->now.lanes, at->program.lane);
	else if (at->service && shards_has_kind(at->program.kind))
		shards_give(&p->now.shards, &at->program);
}

/* Keep the lane or shard that the listener has, or had when the kernel was read. */
static bool keep_lane(struct plan *p, struct place *place)
{
	struct program *program = &place->now.program;
	struct hint *hint;

	if (place->old.service && place->old.program.kind == program->kind) {
		program->lane = place->old.program.lane;
		return lane_take(p, place);
	}
	HASH_FIND(hh, p->hints, &place->key, sizeof(place->key), hint);
	if (!hint || hint->kind != program->kind)
		return false;
	program->lane = hint->lane;
	return lane_take(p, place);
}

static void choose_program(struct plan *p, struct place *place)
{
	bool wants_lane = false;

	lane_give(p, &place->old);
	place->now.lacks_lane = false;
	if (place->now.service) {
		place->now.program = wanted_program(p, place);
		place->now.new_own = own_new(p, place->now.service, &place->now.program);
		wants_lane = program_has_slots(&place->now.program);
	}
	place->needs_lane = wants_lane && !keep_lane(p, place);
}

/* A lane, or what the scheduler does without. */
static void give_lane(struct plan *p, struct place *place)
{
	struct program *program = &place->now.program;

	place->needs_lane = false;
	program->lane = 0;
	if (program->kind == PROGRAM_RR) {
		int lane = lanes_take_any(&p->now.lanes);

		if (lane >= 0) {
			program->lane = (uint16_t)lane;
			return;
		}
		program->kind = (uint8_t)scheduler_find(place->now.service->scheduler)->fallback;
		place->now.lacks_lane = true;
		if (keep_lane(p, place))
			return;
		program->lane = 0;
	}
	shards_take_any(&p->now.shards, program);
}

/* Those who have a lane keep it before anybody gets a new one. */
static void choose_programs(struct plan *p)
{
	for (size_t i = 0; i < p->n_touched; i++)
		choose_program(p, p->touched[i]);
	for (size_t i = 0; i < p->n_touched; i++)
		if (p->touched[i]->needs_lane)
			give_lane(p, p->touched[i]);
}

static void program_take(struct plan *p, const struct program *program)
{
	struct program_key key = program_to_key(program);
	struct map_ref maps[PROGRAM_MAPS_MAX];

	if (!program_is_made(program) || !refs_take(&p->programs, &key))
		return;
	for (size_t i = program_maps(program, maps); i-- > 0;) {
		struct map_key map_key = map_to_key(&maps[i]);

		refs_take(&p->maps, &map_key);
	}
}

static void program_drop(struct plan *p, const struct program *program)
{
	struct program_key key = program_to_key(program);
	struct map_ref maps[PROGRAM_MAPS_MAX];

	if (!program_is_made(program) || !refs_drop(&p->programs, &key))
		return;
	for (size_t i = program_maps(program, maps); i-- > 0;) {
		struct map_key map_key = map_to_key(&maps[i]);

		refs_drop(&p->maps, &map_key);
	}
}

/* Elements of a listener: its services and snat elements, and slots. */
static size_t placed_elems(const struct placed *at)
{
	return 2 + (program_has_slots(&at->program) ? program_n_slots(&at->program) : 0);
}

static void count_place(struct plan *p, const struct place *place)
{
	const struct placed *old = &place->old, *now = &place->now;

	if (old->service) {
		program_drop(p, &old->program);
		p->now.n_elems -= placed_elems(old);
		p->now.n_without_lane -= old->lacks_lane;
	}
	if (now->service) {
		program_take(p, &now->program);
		p->now.n_elems += placed_elems(now);
		p->now.n_without_lane += now->lacks_lane;
	}
	if (now->service && !old->service)
		refs_take(&p->addresses, &place->key.address);
	if (old->service && !now->service)
		refs_drop(&p->addresses, &place->key.address);
}

/* Returns the number of elements. */
static size_t count_pool(struct plan *p, const struct pool *pool, uint8_t family,
			 bool (*count)(struct refs *, const void *))
{
	struct pool_walk w = { .pool = pool, .family = family };
	struct addr address;
	size_t n_detours;

	while (pool_walk_next(&w, &address))
		count(&p->addresses, &address);
	free(detour_elems(pool, NULL, family, &n_detours));
	return w.n + n_detours;
}

static void count_pools(struct plan *p)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < p->pools.n_touched; i++) {
		const struct held *h = p->pools.touched[i];

		for (int f = 0; f < 2; f++) {
			p->now.n_elems += count_pool(p, h->now, families[f], refs_take);
			p->now.n_elems -= count_pool(p, h->old, families[f], refs_drop);
		}
	}
}

static void count_pins(struct plan *p)
{
	for (size_t i = 0; i < p->services.n_touched; i++) {
		const struct held *h = p->services.touched[i];

		p->now.n_elems += own_n_pins(p, h->now, false);
		p->now.n_elems -= own_n_pins(p, h->old, true);
	}
}

static void count_gates(struct plan *p)
{
	for (size_t i = 0; i < p->services.n_touched; i++) {
		const struct held *h = p->services.touched[i];

		own_counts(p, h->now, refs_take);
		own_counts(p, h->old, refs_drop);
		own_begun(p, h->now, refs_take);
		own_begun(p, h->old, refs_drop);
		own_gates(p, h->now, refs_take);
		own_gates(p, h->old, refs_drop);
	}
}

static void take_values(struct plan *p, const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];

		if (change->object == OBJECT_SERVICE)
			held_set(&p->services, change_name(change), change->service.after);
		else
			held_set(&p->pools, change_name(change), change->pool.after);
	}
}

/* A service's memory may be used again for another one. */
static void forget_tables(struct plan *p)
{
	for (int f = 0; f < 2; f++) {
		slot_table_reset(&p->table_now[f]);
		slot_table_reset(&p->table_old[f]);
	}
}

void plan_change(struct plan *p, const struct changes *c, struct ops *ops)
{
	assert(!p->is_tentative);
	p->is_tentative = true;
	p->old = p->now;
	take_values(p, c);
	move_listeners(p);
	choose_programs(p);
	for (size_t i = 0; i < p->n_touched; i++)
		count_place(p, p->touched[i]);
	count_pools(p);
	count_pins(p);
	count_gates(p);
	plan_emit(p, ops);
	forget_tables(p);
}

void plan_commit(struct plan *p)
{
	assert(p->is_tentative);
	p->is_tentative = false;
	places_settle(p, true);
	held_settle(p, &p->services, true);
	held_settle(p, &p->pools, true);
	refs_commit(&p->addresses);
	refs_commit(&p->programs);
	refs_commit(&p->gates);
	refs_commit(&p->maps);
	hints_free(p);
	own_hints_free(p);
}

void plan_abort(struct plan *p)
{
	assert(p->is_tentative);
	p->is_tentative = false;
	p->now = p->old;
	places_settle(p, false);
	held_settle(p, &p->services, false);
	held_settle(p, &p->pools, false);
	refs_abort(&p->addresses);
	refs_abort(&p->programs);
	refs_abort(&p->gates);
	refs_abort(&p->maps);
}

/* An element of services4 or snat4 says the number; of the former there is a name. */
static void hint_number(struct plan *p, const struct image *have, const struct elem *e)
{
	struct elem key = *e;

	if (e->map.kind == MAP_SNAT) {
		key.map.kind = MAP_SERVICES;
		if (!(e = image_elem(have, &key)))
			return;
	}
	if (e->comment)
		own_hint(p, e->comment, key.program.own);
}

/*
 * Only lanes, shards and numbers of services: the rest of a program follows from its service. A
 * listener that had to do without a lane gets one if there is one now.
 */
void plan_hint(struct plan *p, const struct image *have)
{
	for (size_t i = 0; i < have->n_elems; i++) {
		const struct elem *e = &have->elems[i];
		struct place_key key = { e->address, e->port, e->protocol, 0 };
		struct hint *h;

		if (e->map.kind != MAP_SERVICES && e->map.kind != MAP_SNAT)
			continue;
		if (e->program.own)
			hint_number(p, have, e);
		if (e->map.kind != MAP_SERVICES || !program_has_slots(&e->program))
			continue;
		HASH_FIND(hh, p->hints, &key, sizeof(key), h);
		if (h)
			continue;
		h = mem_zalloc(sizeof(*h));
		h->key = key;
		h->kind = e->program.kind;
		h->lane = e->program.lane;
		HASH_ADD(hh, p->hints, key, sizeof(key), h);
	}
}

const struct service *plan_service(const struct plan *p, const char *name)
{
	const struct held *h = held_find(&p->services, name);

	return h ? h->now : NULL;
}

void plan_stats(const struct plan *p, struct plan_stats *out)
{
	*out = (struct plan_stats){
		.lanes = p->now.lanes.total,
		.lanes_used = p->now.lanes.used,
		.n_elems = p->now.n_elems + p->addresses.n,
		.n_programs = p->programs.n,
		.n_services_without_lane = p->now.n_without_lane,
	};
}

struct placement *plan_placements(const struct plan *p, const char *service, size_t *n)
{
	const struct held *h = held_find(&p->services, service);
	const struct service *s = h ? h->now : NULL;
	struct slot_table table = { 0 };
	struct placement *out;

	*n = 0;
	if (!s)
		return NULL;
	out = mem_calloc(s->n_listeners + 1, sizeof(*out));
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct place_key key = place_key(&s->listeners[i]);
		const struct place *place = place_find(p, &key);
		struct placement *at = &out[(*n)++];

		at->listener = s->listeners[i];
		at->program = place->now.program;
		if (!program_has_slots(&at->program))
			continue;
		slot_table_fill(&table, s, key.address.family, at->program.size);
		at->error_ppm = slot_table_error_ppm(&table);
	}
	slot_table_fini(&table);
	return out;
}
