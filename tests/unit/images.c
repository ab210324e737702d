/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images.h"

#include <string.h>

uint64_t rnd_seed = 1;

uint32_t rnd(uint32_t below)
{
	rnd_seed = rnd_seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((rnd_seed >> 33) % below);
}

bool images_equal(const struct image *a, const struct image *b)
{
	bool equal =
		a->n_maps == b->n_maps && a->n_chains == b->n_chains && a->n_elems == b->n_elems;

	for (size_t i = 0; equal && i < a->n_maps; i++)
		equal = map_cmp(&a->maps[i], &b->maps[i]) == 0;
	for (size_t i = 0; equal && i < a->n_chains; i++)
		equal = chain_equal(&a->chains[i], &b->chains[i]);
	for (size_t i = 0; equal && i < a->n_elems; i++)
		equal = elem_cmp_key(&a->elems[i], &b->elems[i]) == 0 &&
			elem_same_value(&a->elems[i], &b->elems[i]);
	return equal;
}

void image_copy(const struct image *from, struct image *to)
{
	image_init(to);
	for (size_t i = 0; i < from->n_maps; i++)
		image_add_map(to, &from->maps[i]);
	for (size_t i = 0; i < from->n_chains; i++)
		image_add_chain(to, &from->chains[i]);
	for (size_t i = 0; i < from->n_elems; i++) {
		struct elem *e = image_add_elem(to);

		*e = from->elems[i];
		e->map.pool = image_string(to, e->map.pool);
		e->pool = image_string(to, e->pool);
		e->comment = image_string(to, e->comment);
	}
}

static const char *const pools[] = { "a", "b", "lan" };

static struct addr random_address(uint8_t family)
{
	struct addr a = { .family = family };

	a.bytes[0] = family == AF_INET ? 10 : 0xfd;
	a.bytes[3] = (uint8_t)rnd(3);
	return a;
}

static struct program random_program(uint8_t family)
{
	struct program p = { .kind = (uint8_t)rnd(6), .refusal = REFUSAL_REJECT };

	if (p.kind == PROGRAM_DROP)
		p.refusal = REFUSAL_DROP;
	if (p.kind < PROGRAM_RR)
		return p;
	p.family = family;
	p.refusal = rnd(2) ? REFUSAL_DROP : REFUSAL_REJECT;
	p.lane = p.kind == PROGRAM_RR ? (uint16_t)(rnd(2) * 40) : 0;
	p.size = 1 + rnd(2) * 40;
	if (program_hashes(&p)) {
		p.key = (uint8_t)rnd(3);
		p.prefix = rnd(2) ? 24 : 0;
	}
	return p;
}

static void add_program(struct image *im, const struct program *p)
{
	struct map_ref map = program_slots_map(p);
	struct chain c;

	if (p->kind < PROGRAM_RR)
		return;
	program_chain(p, &c);
	image_add_map(im, &map);
	image_add_chain(im, &c);
}

void chain_of_pool(const char *name, uint32_t n4, uint32_t n6, struct chain *out)
{
	const struct pool pool = {
		.name = (char *)name,
		.n4 = n4,
		.n6 = n6,
		.port_min = POOL_PORT_MIN,
		.port_max = POOL_PORT_MAX,
	};

	pool_chain(&pool, out);
}

static void add_pool(struct image *im, const char *name)
{
	struct map_ref map = { .kind = MAP_POOL, .family = AF_INET, .pool = name };
	uint32_t n = 1 + rnd(3);
	struct chain c;

	chain_of_pool(name, n, 0, &c);
	image_add_map(im, &map);
	image_add_chain(im, &c);
	for (uint32_t i = 0; i < n; i++) {
		struct elem *e = image_add_elem(im);

		e->map = map;
		e->slot = i;
		e->to = random_address(AF_INET);
	}
}

static void add_listener_elem(struct image *im, const struct map_ref *map)
{
	struct elem *e = image_add_elem(im);

	e->map = *map;
	e->address = random_address(map->family);
	e->protocol = rnd(2) ? IPPROTO_TCP : IPPROTO_UDP;
	e->port = (uint16_t)(80 + rnd(2));
}

static struct elem *last(struct image *im)
{
	return &im->elems[im->n_elems - 1];
}

static void add_listener(struct image *im, uint8_t family, const struct program *programs)
{
	struct map_ref services = { .kind = MAP_SERVICES, .family = family };
	struct map_ref snat = { .kind = MAP_SNAT, .family = family };
	struct program p = programs[rnd(3)];
	struct map_ref slots = program_slots_map(&p);

	add_listener_elem(im, &services);
	last(im)->program = p;
	last(im)->comment = rnd(2) ? "web" : "dns";
	add_listener_elem(im, &snat);
	last(im)->pool_verdict = 1;
	last(im)->pool = pools[rnd(2)];
	for (int i = 0; p.kind >= PROGRAM_RR && i < 3; i++) {
		add_listener_elem(im, &slots);
		last(im)->slot = rnd(4);
		last(im)->to = random_address(family);
		last(im)->to_port = (uint16_t)(8080 + rnd(2));
		last(im)->comment = rnd(2) ? "web/a" : "web/b";
	}
}

void image_random(struct image *out)
{
	image_init(out);
	image_add_base(out);
	add_pool(out, pools[0]);
	add_pool(out, pools[1]);
	if (rnd(2))
		add_pool(out, pools[2]);
	for (int f = 0; f < 2; f++) {
		uint8_t family = f ? AF_INET6 : AF_INET;
		struct program programs[3];

		for (int i = 0; i < 3; i++) {
			programs[i] = random_program(family);
			add_program(out, &programs[i]);
		}
		for (uint32_t i = rnd(8); i > 0; i--)
			add_listener(out, family, programs);
	}
	image_sort(out);
}
