/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel would do with a list of operations, as far as fnat relies on
 * it. Tests run the plan against this in place of a kernel, so it is strict:
 * what an operation names must exist when its turn comes, and when all is done
 * nothing may name what is gone.
 *
 * Things added are put at the end and sorted in when somebody looks for one;
 * elements removed are only marked until the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/image.h"

struct apply {
	struct image *im;
	size_t n_old;     /* elements that were there before, sorted; those added follow */
	bool *is_deleted; /* of the old ones */
	bool is_dirty;    /* maps or chains were added */
};

/* Sort in what was added. -EINVAL when it existed. */
static int settle(struct apply *a)
{
	size_t n = a->im->n_maps + a->im->n_chains, n_elems = a->im->n_elems;

	if (!a->is_dirty)
		return 0;
	a->is_dirty = false;
	a->im->n_elems = 0; /* not those */
	image_sort(a->im);
	a->im->n_elems = n_elems;
	return n == a->im->n_maps + a->im->n_chains ? 0 : -EINVAL;
}

static bool rules_fit(const struct image *im, const struct chain *c)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		char pool[NFT_NAME_BYTES];
		struct map_ref maps[RULE_MAPS_MAX];

		for (size_t n = rule_maps(&c->rules[i], maps, pool); n-- > 0;)
			if (!image_map(im, &maps[n]))
				return false;
	}
	return true;
}

static bool elem_fits(const struct image *im, const struct elem *e)
{
	char name[NFT_NAME_BYTES];

	if (!image_map(im, &e->map))
		return false;
	if (e->map.kind == MAP_SERVICES)
		return image_chain(im, program_name(&e->program, name));
	if (e->map.kind == MAP_GATES) {
		struct gate gate = elem_gate(e);

		return image_chain(im, gate_name(&gate, name));
	}
	if (e->map.kind != MAP_SNAT)
		return true;
	if (e->program.own)
		return image_chain(im, new_chain_name(e->program.own, name));
	snprintf(name, sizeof(name), "pool-%.60s", e->pool);
	return image_chain(im, name);
}

/* An element that was there before and is not deleted: its index + 1; else 0. */
static size_t find_old(const struct apply *a, const struct elem *key)
{
	struct image old = *a->im;
	const struct elem *e;

	old.n_elems = a->n_old;
	e = image_elem(&old, key);
	return e && !a->is_deleted[e - old.elems] ? (size_t)(e - old.elems) + 1 : 0;
}

static int add_elem(struct apply *a, const struct elem *e)
{
	struct elem copy = *e;

	if (!elem_fits(a->im, e) || find_old(a, e))
		return -EINVAL;
	copy.map.pool = image_string(a->im, e->map.pool);
	copy.pool = image_string(a->im, e->pool);
	copy.comment = image_string(a->im, e->comment);
	*image_add_elem(a->im) = copy;
	return 0;
}

static int del_elem(struct apply *a, const struct elem *e)
{
	size_t at = find_old(a, e);

	if (!at)
		return -EINVAL;
	a->is_deleted[at - 1] = true;
	return 0;
}

static int set_chain(struct apply *a, const struct chain *c)
{
	const struct chain *old = image_chain(a->im, c->name);

	if (!old || old->hook != c->hook || !rules_fit(a->im, c))
		return -EINVAL;
	a->im->chains[old - a->im->chains] = *c;
	return 0;
}

static int del_chain(struct apply *a, const char *name)
{
	const struct chain *old = image_chain(a->im, name);
	size_t at;

	if (!old)
		return -EINVAL;
	at = (size_t)(old - a->im->chains);
	memmove(&a->im->chains[at], &a->im->chains[at + 1],
		(--a->im->n_chains - at) * sizeof(*old));
	return 0;
}

static int del_map(struct apply *a, const struct map_ref *m)
{
	const struct map_ref *old = image_map(a->im, m);
	size_t at;

	if (!old)
		return -EINVAL;
	at = (size_t)(old - a->im->maps);
	memmove(&a->im->maps[at], &a->im->maps[at + 1], (--a->im->n_maps - at) * sizeof(*old));
	return 0;
}

static int apply_op(struct apply *a, const struct op *op)
{
	if (op->kind != OP_ADD_MAP && settle(a) < 0)
		return -EINVAL;
	switch ((enum op_kind)op->kind) {
	case OP_ADD_MAP:
		image_add_map(a->im, &op->map);
		a->is_dirty = true;
		return 0;
	case OP_ADD_CHAIN:
		image_add_chain(a->im, op->chain);
		a->is_dirty = true;
		return rules_fit(a->im, op->chain) ? 0 : -EINVAL;
	case OP_SET_CHAIN:
		return set_chain(a, op->chain);
	case OP_ADD_ELEM:
		return add_elem(a, &op->elem);
	case OP_DEL_ELEM:
		return del_elem(a, &op->elem);
	case OP_DEL_CHAIN:
		return del_chain(a, op->chain->name);
	case OP_DEL_MAP:
		return del_map(a, &op->map);
	}
	return -EINVAL;
}

/* Put the elements in order and see that nothing names what is gone. */
static int finish(struct apply *a)
{
	struct image *im = a->im;
	size_t kept = 0;
	bool fits = true;

	for (size_t i = 0; i < im->n_elems; i++)
		if (i >= a->n_old || !a->is_deleted[i])
			im->elems[kept++] = im->elems[i];
	im->n_elems = kept;
	if (settle(a) < 0)
		return -EINVAL;
	image_sort(im);
	for (size_t i = 0; i < im->n_elems; i++)
		fits = fits && elem_fits(im, &im->elems[i]);
	for (size_t i = 0; i < im->n_chains; i++)
		fits = fits && rules_fit(im, &im->chains[i]);
	return fits && im->n_elems == kept ? 0 : -EINVAL;
}

int image_apply(struct image *im, const struct op_list *ops)
{
	struct apply a = { .im = im, .n_old = im->n_elems };
	int ret = 0;

	a.is_deleted = mem_calloc(im->n_elems + 1, sizeof(bool));
	for (size_t i = 0; i < ops->n && ret == 0; i++)
		ret = apply_op(&a, &ops->items[i]);
	if (ret == 0)
		ret = finish(&a);
	free(a.is_deleted);
	return ret;
}
