/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image is three arrays, sorted by what identifies a thing. A million
 * elements are compared with a million others by one walk over both, without
 * hashing and without a pointer to follow but the comment's.
 */
#include "plan/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int elem_cmp_key(const struct elem *a, const struct elem *b)
{
	int cmp = map_cmp(&a->map, &b->map);

	if (cmp == 0)
		cmp = addr_cmp(&a->address, &b->address);
	if (cmp != 0)
		return cmp;
	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return a->slot < b->slot ? -1 : a->slot > b->slot;
}

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_target(const struct elem *a, const struct elem *b)
{
	if (a->map.kind == MAP_SERVICES || a->map.kind == MAP_SNAT)
		return program_equal(&a->program, &b->program);
	return a->map.kind != MAP_GATES || (a->max == b->max && a->tokens == b->tokens &&
					    a->room == b->room && a->epoch == b->epoch);
}

bool elem_same_value(const struct elem *a, const struct elem *b)
{
	return a->to_port == b->to_port && a->pool_verdict == b->pool_verdict &&
	       addr_equal(&a->to, &b->to) && same_target(a, b) && same_string(a->pool, b->pool) &&
	       same_string(a->comment, b->comment);
}

struct gate elem_gate(const struct elem *e)
{
	return (struct gate){
		.to = e->to,
		.port = e->to_port,
		.own = e->map.shard,
		.epoch = e->epoch,
		.max = e->max,
		.tokens = e->tokens,
		.room = e->room,
	};
}

void image_init(struct image *im)
{
	*im = (struct image){ 0 };
}

void image_fini(struct image *im)
{
	free(im->maps);
	free(im->chains);
	free(im->elems);
	arena_fini(&im->strings);
	*im = (struct image){ 0 };
}

const char *image_string(struct image *im, const char *s)
{
	return arena_string(&im->strings, s);
}

struct elem *image_add_elem(struct image *im)
{
	struct elem *e = &VEC_PUSH(im->elems, im->n_elems, im->cap_elems);

	*e = (struct elem){ 0 };
	return e;
}

void image_add_map(struct image *im, const struct map_ref *m)
{
	struct map_ref copy = *m;

	copy.pool = image_string(im, m->pool);
	VEC_PUSH(im->maps, im->n_maps, im->cap_maps) = copy;
}

void image_add_chain(struct image *im, const struct chain *c)
{
	VEC_PUSH(im->chains, im->n_chains, im->cap_chains) = *c;
}

void image_add_base(struct image *im)
{
	struct map_ref m;
	struct chain c;

	for (size_t i = 0; base_map(i, &m); i++)
		image_add_map(im, &m);
	for (size_t i = 0; base_chain(i, &c); i++)
		image_add_chain(im, &c);
}

static int cmp_maps(const void *a, const void *b)
{
	return map_cmp(a, b);
}

static int cmp_chains(const void *a, const void *b)
{
	return strcmp(((const struct chain *)a)->name, ((const struct chain *)b)->name);
}

static int cmp_elems(const void *a, const void *b)
{
	return elem_cmp_key(a, b);
}

/* Sort and remove duplicates; returns how many are left. What is sorted already costs a walk. */
static size_t sort_unique(void *items, size_t n, size_t size,
			  int (*cmp)(const void *, const void *))
{
	char *base = items;
	size_t i, kept = 1;

	for (i = 1; i < n && cmp(base + (i - 1) * size, base + i * size) < 0; i++)
		;
	if (i >= n)
		return n;
	qsort(items, n, size, cmp);
	for (i = 1; i < n; i++)
		if (cmp(base + (kept - 1) * size, base + i * size) != 0) {
			if (kept != i)
				memcpy(base + kept * size, base + i * size, size);
			kept++;
		}
	return kept;
}

void image_sort(struct image *im)
{
	im->n_maps = sort_unique(im->maps, im->n_maps, sizeof(*im->maps), cmp_maps);
	im->n_chains = sort_unique(im->chains, im->n_chains, sizeof(*im->chains), cmp_chains);
	im->n_elems = sort_unique(im->elems, im->n_elems, sizeof(*im->elems), cmp_elems);
}

static const void *find(const void *key, const void *items, size_t n, size_t size,
			int (*cmp)(const void *, const void *))
{
	return n ? bsearch(key, items, n, size, cmp) : NULL;
}

const struct map_ref *image_map(const struct image *im, const struct map_ref *m)
{
	return find(m, im->maps, im->n_maps, sizeof(*im->maps), cmp_maps);
}

static int cmp_name_chain(const void *name, const void *chain)
{
	return strcmp(name, ((const struct chain *)chain)->name);
}

const struct chain *image_chain(const struct image *im, const char *name)
{
	return find(name, im->chains, im->n_chains, sizeof(*im->chains), cmp_name_chain);
}

const struct elem *image_elem(const struct image *im, const struct elem *key)
{
	return find(key, im->elems, im->n_elems, sizeof(*im->elems), cmp_elems);
}
