/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sorted images in, ordered operations out: one walk over both for each
 * sort of thing. Stage 1 makes everything new reachable in one step; what goes
 * stays until stage 2, because a packet may be halfway through the chains.
 * Only the entrance (the services maps) loses elements at once.
 */
#include <string.h>

#include "plan/image.h"

static struct map_ref copy_map(struct ops *ops, const struct map_ref *m)
{
	struct map_ref copy = *m;

	copy.pool = ops_string(ops, m->pool);
	return copy;
}

static void map_op(struct ops *out, int stage, enum op_kind kind, const struct map_ref *m)
{
	struct map_ref copy = copy_map(out, m);

	op_list_map(&out->stage[stage], kind, &copy);
}

static void diff_maps(const struct image *have, const struct image *want, struct ops *out)
{
	for (size_t i = 0; i < want->n_maps; i++)
		if (!image_map(have, &want->maps[i]))
			map_op(out, 0, OP_ADD_MAP, &want->maps[i]);
}

static void drop_maps(const struct image *have, const struct image *want, bool foreign,
		      struct ops *out)
{
	for (size_t i = 0; i < have->n_maps; i++)
		if ((have->maps[i].kind == MAP_FOREIGN) == foreign &&
		    !image_map(want, &have->maps[i]))
			map_op(out, 1, OP_DEL_MAP, &have->maps[i]);
}

static bool is_base_chain(const char *name)
{
	struct chain base;

	for (size_t i = 0; base_chain(i, &base); i++)
		if (strcmp(base.name, name) == 0)
			return true;
	return false;
}

static void add_chain(const struct image *have, const struct chain *c, struct ops *out)
{
	const struct chain *old = image_chain(have, c->name);

	/* A chain's hook is fixed when it is made. Nothing can jump to a chain
	 * with a hook, so that it can go and come back in one batch. */
	if (old && old->hook != c->hook)
		op_list_chain(&out->stage[0], OP_DEL_CHAIN, old);
	if (!old || old->hook != c->hook)
		op_list_chain(&out->stage[0], OP_ADD_CHAIN, c);
}

static void add_chains(const struct image *have, const struct image *want, bool leaves,
		       struct ops *out)
{
	for (size_t i = 0; i < want->n_chains; i++)
		if (chain_is_leaf(want->chains[i].name) == leaves &&
		    !is_base_chain(want->chains[i].name))
			add_chain(have, &want->chains[i], out);
}

/* The fixed chains first, in their order: the rules of all others name them. Then those that others
 * name. */
static void diff_chains(const struct image *have, const struct image *want, struct ops *out)
{
	const struct chain *c;
	struct chain base;

	for (size_t i = 0; base_chain(i, &base); i++)
		if ((c = image_chain(want, base.name)))
			add_chain(have, c, out);
	add_chains(have, want, true, out);
	add_chains(have, want, false, out);
	for (size_t i = 0; i < want->n_chains; i++) {
		const struct chain *old = image_chain(have, want->chains[i].name);

		if (old && old->hook == want->chains[i].hook && !chain_equal(old, &want->chains[i]))
			op_list_chain(&out->stage[0], OP_SET_CHAIN, &want->chains[i]);
	}
}

static bool is_foreign(const struct chain *c)
{
	for (size_t i = 0; i < c->n_rules; i++)
		if (c->rules[i].kind == RULE_FOREIGN)
			return true;
	return false;
}

/* Foreign chains and maps may name each other: once the chains are empty, they can go. */
static void drop_foreign(const struct image *have, const struct image *want, struct ops *out)
{
	for (size_t i = 0; i < have->n_chains; i++) {
		struct chain empty = have->chains[i];

		if (image_chain(want, empty.name) || !is_foreign(&empty))
			continue;
		empty.n_rules = 0;
		op_list_chain(&out->stage[1], OP_SET_CHAIN, &empty);
	}
	drop_maps(have, want, true, out);
}

static void drop_chains(const struct image *have, const struct image *want, struct ops *out)
{
	for (int leaves = 0; leaves < 2; leaves++)
		for (size_t i = 0; i < have->n_chains; i++)
			if (chain_is_leaf(have->chains[i].name) == leaves &&
			    !image_chain(want, have->chains[i].name))
				op_list_chain(&out->stage[1], OP_DEL_CHAIN, &have->chains[i]);
}

static void elem_op(struct ops *out, int stage, enum op_kind kind, const struct elem *e)
{
	struct elem copy = *e;

	copy.map.pool = ops_string(out, e->map.pool);
	copy.pool = ops_string(out, e->pool);
	copy.comment = kind == OP_DEL_ELEM ? NULL : ops_string(out, e->comment);
	op_list_elem(&out->stage[stage], kind, &copy);
}

/* A foreign map goes with its elements. */
static void drop_elem(const struct elem *e, struct ops *out)
{
	if (e->map.kind != MAP_FOREIGN)
		elem_op(out, e->map.kind == MAP_SERVICES ? 0 : 1, OP_DEL_ELEM, e);
}

static void diff_elems(const struct image *have, const struct image *want, struct ops *out)
{
	size_t h = 0, w = 0;

	while (h < have->n_elems || w < want->n_elems) {
		const struct elem *old = h < have->n_elems ? &have->elems[h] : NULL;
		const struct elem *new = w < want->n_elems ? &want->elems[w] : NULL;
		int cmp = !old ? 1 : !new ? -1 : elem_cmp_key(old, new);

		if (cmp < 0) {
			drop_elem(old, out);
		} else if (cmp > 0) {
			elem_op(out, 0, OP_ADD_ELEM, new);
		} else if (!elem_same_value(old, new)) {
			elem_op(out, 0, OP_DEL_ELEM, old);
			elem_op(out, 0, OP_ADD_ELEM, new);
		}
		h += cmp <= 0;
		w += cmp >= 0;
	}
}

void image_diff(const struct image *have, const struct image *want, struct ops *out)
{
	diff_maps(have, want, out);
	diff_chains(have, want, out);
	diff_elems(have, want, out);
	drop_foreign(have, want, out);
	drop_chains(have, want, out);
	drop_maps(have, want, false, out);
}
