/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of changes. Nearly all hold one change; the one that a whole document makes may hold
 * 100,000, and then merging by a search from the start would be quadratic: such a list gets an
 * index. The index follows the list when it is asked, so that it cannot go wrong when somebody
 * appends to the list by hand.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/index.h"

/* A list no longer than this is searched from the start. */
#define UNINDEXED_MAX 16

struct changes_entry {
	size_t item;
	UT_hash_handle hh;
};

struct changes_index {
	struct changes_entry *tables[2]; /* by enum object; keys are the names in the items */
	size_t n;                        /* items[0 ... n - 1] are in the tables */
};

const char *change_name(const struct change *c)
{
	switch (c->object) {
	case OBJECT_SERVICE:
		return c->service.after ? c->service.after->name : c->service.before->name;
	case OBJECT_POOL:
		return c->pool.after ? c->pool.after->name : c->pool.before->name;
	}
	abort();
}

struct change change_copy(const struct change *c)
{
	struct change copy = *c;

	switch (c->object) {
	case OBJECT_SERVICE:
		if (copy.service.before)
			service_ref(copy.service.before);
		if (copy.service.after)
			service_ref(copy.service.after);
		break;
	case OBJECT_POOL:
		if (copy.pool.before)
			pool_ref(copy.pool.before);
		if (copy.pool.after)
			pool_ref(copy.pool.after);
		break;
	}
	return copy;
}

void changes_copy(const struct changes *from, struct changes *to)
{
	for (size_t i = 0; i < from->n; i++)
		VEC_PUSH(to->items, to->n, to->cap) = change_copy(&from->items[i]);
}

static void change_fini(struct change *c)
{
	switch (c->object) {
	case OBJECT_SERVICE:
		service_unref(c->service.before);
		service_unref(c->service.after);
		break;
	case OBJECT_POOL:
		pool_unref(c->pool.before);
		pool_unref(c->pool.after);
		break;
	}
}

static void index_free(struct changes_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < 2; i++) {
		struct changes_entry *e, *next;

		HASH_ITER (hh, index->tables[i], e, next) {
			HASH_DEL(index->tables[i], e);
			free(e);
		}
	}
	free(index);
}

void changes_fini(struct changes *c)
{
	index_free(c->index); /* first: its keys are the objects' names */
	for (size_t i = 0; i < c->n; i++)
		change_fini(&c->items[i]);
	free(c->items);
	*c = (struct changes){ 0 };
}

static void index_add(struct changes_index *index, const struct changes *c, size_t item)
{
	const char *name = change_name(&c->items[item]);
	struct changes_entry *e = mem_zalloc(sizeof(*e));

	e->item = item;
	HASH_ADD_KEYPTR(hh, index->tables[c->items[item].object], name, strlen(name), e);
}

static struct changes_entry *index_find(const struct changes_index *index, enum object object,
					const char *name)
{
	struct changes_entry *e;

	HASH_FIND(hh, index->tables[object], name, strlen(name), e);
	return e;
}

static void index_catch_up(struct changes *c)
{
	if (!c->index)
		c->index = mem_zalloc(sizeof(*c->index));
	for (; c->index->n < c->n; c->index->n++)
		index_add(c->index, c, c->index->n);
}

const struct change *changes_find(const struct changes *c, enum object object, const char *name)
{
	const struct changes_entry *e;

	if (c->n > UNINDEXED_MAX || c->index) {
		index_catch_up((struct changes *)c);
		e = index_find(c->index, object, name);
		return e ? &c->items[e->item] : NULL;
	}
	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].object == object && strcmp(change_name(&c->items[i]), name) == 0)
			return &c->items[i];
	}
	return NULL;
}

/* The last item takes the place of the one that goes. */
static void changes_remove(struct changes *c, size_t item)
{
	const char *name = change_name(&c->items[item]);
	struct changes_entry *e;

	if (c->index) {
		index_catch_up(c);
		e = index_find(c->index, c->items[item].object, name);
		HASH_DEL(c->index->tables[c->items[item].object], e);
		free(e);
		if (item != c->n - 1) {
			const struct change *last = &c->items[c->n - 1];

			index_find(c->index, last->object, change_name(last))->item = item;
		}
		c->index->n--;
	}
	change_fini(&c->items[item]);
	c->items[item] = c->items[--c->n];
}

/*
 * The change at `item` gets another `after`. Its name may move to another block of memory, and the
 * index's key is that name.
 */
static void changes_replace(struct changes *c, size_t item, struct change change)
{
	struct changes_entry *e = NULL;

	if (c->index) {
		index_catch_up(c);
		e = index_find(c->index, change.object, change_name(&c->items[item]));
		HASH_DEL(c->index->tables[change.object], e);
		free(e);
	}
	change_fini(&c->items[item]);
	c->items[item] = change;
	if (c->index)
		index_add(c->index, c, item);
}

static void changes_want(struct changes *c, struct change change, const struct change *merged,
			 bool is_same)
{
	size_t item;

	if (!merged) {
		if (is_same)
			change_fini(&change);
		else
			VEC_PUSH(c->items, c->n, c->cap) = change;
		return;
	}
	item = (size_t)(merged - c->items);
	if (is_same) {
		changes_remove(c, item);
		change_fini(&change);
	} else {
		changes_replace(c, item, change);
	}
}

void model_want_service(const struct model *m, const char *name, const struct service *after,
			struct changes *out)
{
	const struct change *merged = changes_find(out, OBJECT_SERVICE, name);
	const struct service *before = merged ? merged->service.before : model_service(m, name);
	struct change change = { .object = OBJECT_SERVICE };

	change.service.before = before ? service_ref(before) : NULL;
	change.service.after = after ? service_ref(after) : NULL;
	changes_want(out, change, merged,
		     before && after ? service_equal(before, after) : before == after);
}

void model_want_pool(const struct model *m, const char *name, const struct pool *after,
		     struct changes *out)
{
	const struct change *merged = changes_find(out, OBJECT_POOL, name);
	const struct pool *before = merged ? merged->pool.before : model_pool(m, name);
	struct change change = { .object = OBJECT_POOL };

	change.pool.before = before ? pool_ref(before) : NULL;
	change.pool.after = after ? pool_ref(after) : NULL;
	changes_want(out, change, merged,
		     before && after ? pool_equal(before, after) : before == after);
}
