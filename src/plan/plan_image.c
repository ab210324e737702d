/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that the plan wants, at once: for the start, and to compare with
 * what the kernel has.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/plan_state.h"

static void image_add(struct image *im, const struct elem *e)
{
	*image_add_elem(im) = *e;
}

static void image_add_slots(struct image *im, const struct place *p, struct slot_table *t)
{
	struct map_ref map = program_slots_map(&p->now.program);
	struct elem e;

	slot_table_fill(t, p->now.service, p->key.address.family, p->now.program.size);
	for (uint32_t i = 0; i < program_n_slots(&p->now.program); i++) {
		elem_of_slot(p, t, &map, i, &e);
		e.comment = slot_table_comment(t, i, &im->strings);
		image_add(im, &e);
	}
}

static void image_add_places(const struct plan *p, struct image *im)
{
	struct slot_table tables[2] = { 0 };
	const struct service *named = NULL;
	const char *name = NULL, *pool = NULL;

	for (const struct place *at = p->places; at; at = at->hh.next) {
		struct elem e;

		if (!at->now.service)
			continue;
		if (at->now.service != named) {
			named = at->now.service;
			name = image_string(im, named->name);
			pool = image_string(im, named->pool);
		}
		elem_of_service(at, &at->now, &e);
		e.comment = name;
		image_add(im, &e);
		elem_of_snat(at, &at->now, &e);
		if (e.pool)
			e.pool = pool;
		image_add(im, &e);
		if (program_has_slots(&at->now.program))
			image_add_slots(im, at, &tables[family_index(e.map.family)]);
	}
	slot_table_fini(&tables[0]);
	slot_table_fini(&tables[1]);
}

static void image_add_own(const struct plan *p, struct image *im)
{
	for (const struct held *h = p->services.items; h; h = h->hh.next) {
		const struct program *programs[2];
		struct elem *pins;
		struct chain c;
		size_t n;

		if (!h->now || !h->own)
			continue;
		own_programs(p, h->now, false, programs);
		pins = own_pins(h->now, programs, &im->strings, &n);
		for (size_t i = 0; i < n; i++)
			image_add(im, &pins[i]);
		free(pins);
		if (own_new_chain(p, h, false, &c))
			image_add_chain(im, &c);
	}
}

static void image_add_pool_family(struct image *im, const struct pool *pool, const char *name,
				  uint8_t family)
{
	struct map_ref map = { .kind = MAP_POOL, .family = family, .pool = name };
	struct pool_walk w = { .pool = pool, .family = family };
	struct addr to;

	for (uint32_t i = 0; pool_walk_next(&w, &to); i++) {
		struct elem e;

		elem_of_pool(name, family, i, &to, &e);
		image_add(im, &e);
	}
	if (w.n > 0)
		image_add_map(im, &map);
}

static void image_add_detours(struct image *im, const struct pool *pool, const char *name,
			      uint8_t family)
{
	struct map_ref map = { .kind = MAP_DETOUR, .family = family, .pool = name };
	size_t n;
	struct elem *elems = detour_elems(pool, name, family, &n);

	for (size_t i = 0; i < n; i++)
		image_add(im, &elems[i]);
	free(elems);
	if (pool_has_detours(pool, family))
		image_add_map(im, &map);
}

static void image_add_pools(const struct plan *p, struct image *im)
{
	for (const struct held *h = p->pools.items; h; h = h->hh.next) {
		const struct pool *pool = h->now;
		const char *name;
		struct chain c;

		if (!pool)
			continue;
		name = image_string(im, h->name);
		image_add_pool_family(im, pool, name, AF_INET);
		image_add_pool_family(im, pool, name, AF_INET6);
		image_add_detours(im, pool, name, AF_INET);
		image_add_detours(im, pool, name, AF_INET6);
		pool_chain(pool, &c);
		image_add_chain(im, &c);
	}
}

static void image_add_counted(const struct plan *p, struct image *im)
{
	for (const struct ref *r = p->addresses.items; r; r = r->hh.next) {
		struct addr address;
		struct elem e;

		memcpy(&address, r->key, sizeof(address));
		elem_of_address(&address, &e);
		if (r->now > 0)
			image_add(im, &e);
	}
	for (const struct ref *r = p->programs.items; r; r = r->hh.next) {
		struct program program = program_of_key(r->key);
		struct chain c;

		program_chain(&program, &c);
		if (r->now > 0)
			image_add_chain(im, &c);
	}
	for (const struct ref *r = p->gates.items; r; r = r->hh.next) {
		struct gate gate;
		struct chain c;

		memcpy(&gate, r->key, sizeof(gate));
		gate_chain(&gate, &c);
		if (r->now > 0)
			image_add_chain(im, &c);
	}
	for (const struct ref *r = p->maps.items; r; r = r->hh.next) {
		struct map_ref map = map_of_key(r->key);

		if (r->now > 0)
			image_add_map(im, &map);
	}
}

void plan_image(const struct plan *p, struct image *out)
{
	image_add_base(out);
	image_add_places(p, out);
	image_add_own(p, out);
	image_add_pools(p, out);
	image_add_counted(p, out);
	image_sort(out);
}
