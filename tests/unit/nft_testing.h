/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small image in which everything that fnat programs occurs. */
#ifndef FNAT_TESTS_NFT_TESTING_H
#define FNAT_TESTS_NFT_TESTING_H

#include <check.h>

#include "plan/image.h"

static const struct family {
	uint8_t family;
	const char *listener, *backend, *local;
} families[] = {
	{ AF_INET, "192.0.2.10", "10.1.0.11", "10.1.0.50" },
	{ AF_INET6, "2001:db8::1", "fd00:1::11", "fd00:1::50" },
};

static struct addr address(const char *text)
{
	struct addr a = { .family = AF_UNSPEC };

	ck_assert_int_eq(addr_parse(text, &a), 0);
	return a;
}

static void add_program(struct image *im, const struct family *f, struct program p)
{
	uint8_t kind = p.kind;
	uint32_t size = p.size;
	struct map_ref map = program_slots_map(&p);
	struct elem e = { .map = { .kind = MAP_SERVICES, .family = f->family },
			  .address = address(f->listener),
			  .port = (uint16_t)(80 + kind + 10 * p.key),
			  .protocol = IPPROTO_TCP,
			  .program = p,
			  .comment = "web" };
	struct elem snat = e, slot = e;
	struct chain chain;

	program_chain(&p, &chain);
	image_add_chain(im, &chain);
	image_add_map(im, &map);
	*image_add_elem(im) = e;
	snat.map.kind = MAP_SNAT;
	snat.program = (struct program){ 0 };
	snat.comment = NULL;
	snat.pool = "lan";
	snat.pool_verdict = 1;
	*image_add_elem(im) = snat;
	slot.map = map;
	slot.program = (struct program){ 0 };
	slot.to = address(f->backend);
	slot.to_port = 8080;
	slot.comment = "web/a";
	for (slot.slot = 0; slot.slot < size; slot.slot++)
		*image_add_elem(im) = slot;
}

static void add_service(struct image *im, const struct family *f, uint8_t kind, uint32_t size,
			uint8_t refusal)
{
	add_program(im, f,
		    (struct program){
			    .kind = kind, .family = f->family, .refusal = refusal, .size = size });
}

/* Every way to hash, with and without a prefix; a map each. */
static void add_hashes(struct image *im, const struct family *f)
{
	for (uint8_t key = HASH_SOURCE; key <= HASH_FIVE_TUPLE; key++)
		add_program(im, f,
			    (struct program){ .kind = PROGRAM_MH,
					      .family = f->family,
					      .lane = (uint16_t)(key + 1),
					      .size = 7,
					      .key = key,
					      .prefix = key == HASH_FIVE_TUPLE ? 20 : 0 });
	add_program(im, f,
		    (struct program){ .kind = PROGRAM_SH,
				      .family = f->family,
				      .lane = 1,
				      .size = 7,
				      .key = HASH_SOURCE_PORT,
				      .prefix = f->family == AF_INET6 ? 61 : 31 });
}

/* A local address that is gone around. */
static void add_detour(struct image *im, const struct family *f)
{
	struct map_ref map = { .kind = MAP_DETOUR, .family = f->family, .pool = "lan" };
	struct elem e = { .map = map,
			  .address = address(f->backend),
			  .protocol = IPPROTO_UDP,
			  .port = 53,
			  .to = address(f->local) };

	image_add_map(im, &map);
	for (; e.slot < DETOUR_PARTS; e.slot++)
		*image_add_elem(im) = e;
}

static void add_pool(struct image *im, const struct family *f, uint32_t n)
{
	struct map_ref map = { .kind = MAP_POOL, .family = f->family, .pool = "lan" };
	struct elem e = { .map = map, .to = address(f->local) };

	image_add_map(im, &map);
	for (e.slot = 0; e.slot < n; e.slot++) {
		*image_add_elem(im) = e;
		e.to = addr_add(&e.to, 1);
	}
}

/* Both families, every kind of program, map and element. */
static void make_image(struct image *im)
{
	struct detour detours[] = { { .backend = { .family = AF_INET } },
				    { .backend = { .family = AF_INET6 } } };
	const struct pool pool = { .name = (char *)"lan",
				   .n4 = 3,
				   .n6 = 2,
				   .port_min = 1024,
				   .port_max = 65535,
				   .detours = detours,
				   .n_detours = 2 };
	struct chain chain;

	image_init(im);
	image_add_base(im);
	pool_chain(&pool, &chain);
	image_add_chain(im, &chain);
	for (int i = 0; i < 2; i++) {
		const struct family *f = &families[i];
		struct elem e = { .map = { .kind = MAP_ADDRESSES, .family = f->family },
				  .address = address(f->listener) };

		*image_add_elem(im) = e;
		add_pool(im, f, i ? 2 : 3);
		add_detour(im, f);
		add_service(im, f, PROGRAM_RR, 3, REFUSAL_REJECT);
		add_service(im, f, PROGRAM_RANDOM, 10, REFUSAL_REJECT);
		add_service(im, f, PROGRAM_SH, 251, REFUSAL_DROP);
		add_hashes(im, f);
	}
	image_sort(im);
}

#endif
