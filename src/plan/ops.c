/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of operations. Chains are large and few, so an op points to one;
 * elements are small and many, so they are in the op.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "plan/image.h"

void ops_init(struct ops *ops)
{
	*ops = (struct ops){ 0 };
}

void op_list_fini(struct op_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		enum op_kind kind = list->items[i].kind;

		if (kind == OP_ADD_CHAIN || kind == OP_SET_CHAIN || kind == OP_DEL_CHAIN)
			free(list->items[i].chain);
	}
	free(list->items);
	*list = (struct op_list){ 0 };
}

void ops_fini(struct ops *ops)
{
	op_list_fini(&ops->stage[0]);
	op_list_fini(&ops->stage[1]);
	op_list_fini(&ops->kept);
	arena_fini(&ops->strings);
}

struct ops ops_move(struct ops *ops)
{
	struct ops moved = *ops;

	ops_init(ops);
	return moved;
}

const char *ops_string(struct ops *ops, const char *s)
{
	return arena_string(&ops->strings, s);
}

void op_list_map(struct op_list *list, enum op_kind kind, const struct map_ref *m)
{
	VEC_PUSH(list->items, list->n, list->cap) = (struct op){ .kind = kind, .map = *m };
}

void op_list_chain(struct op_list *list, enum op_kind kind, const struct chain *c)
{
	struct chain *copy = mem_alloc(sizeof(*copy));

	*copy = *c;
	VEC_PUSH(list->items, list->n, list->cap) = (struct op){ .kind = kind, .chain = copy };
}

void op_list_elem(struct op_list *list, enum op_kind kind, const struct elem *e)
{
	struct op *op = &VEC_PUSH(list->items, list->n, list->cap);

	op->kind = kind;
	op->elem = *e;
}
