/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool has none nearly always; then it is not here.
 */
#include "engine/detours.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>
#include <utlist.h>

struct known_pool {
	UT_hash_handle hh;
	struct known_pool *prev, *next; /* among the dirty ones */
	struct detour *items;           /* sorted */
	size_t n, cap;
	bool is_dirty;
	char name[];
};

static struct known_pool *find(const struct detours *d, const char *name)
{
	struct known_pool *p = NULL;

	if (d->pools)
		HASH_FIND(hh, d->pools, name, strlen(name), p);
	return p;
}

static struct known_pool *make(struct detours *d, const char *name)
{
	struct known_pool *p = find(d, name);
	size_t len = strlen(name);

	if (p)
		return p;
	p = mem_zalloc(sizeof(*p) + len + 1);
	memcpy(p->name, name, len + 1);
	HASH_ADD_KEYPTR(hh, d->pools, p->name, len, p);
	return p;
}

static void mark(struct detours *d, struct known_pool *p)
{
	if (!p->is_dirty)
		DL_APPEND(d->dirty, p);
	p->is_dirty = true;
}

static void unmark(struct detours *d, struct known_pool *p)
{
	if (p->is_dirty)
		DL_DELETE(d->dirty, p);
	p->is_dirty = false;
}

static void forget(struct detours *d, struct known_pool *p)
{
	unmark(d, p);
	HASH_DEL(d->pools, p);
	free(p->items);
	free(p);
}

void detours_fini(struct detours *d)
{
	struct known_pool *p, *next;

	HASH_ITER (hh, d->pools, p, next)
		forget(d, p);
}

static struct detour *item(const struct known_pool *p, const struct detour *at)
{
	return p->n ? bsearch(at, p->items, p->n, sizeof(*at), detour_cmp) : NULL;
}

bool detours_set(struct detours *d, const char *pool, const struct detour *at, bool is_set)
{
	struct known_pool *p = is_set ? make(d, pool) : find(d, pool);
	struct detour *have = p ? item(p, at) : NULL;

	if (!p || !have == !is_set)
		return false;
	if (is_set)
		VEC_PUSH(p->items, p->n, p->cap) = *at;
	else
		*have = p->items[--p->n];
	qsort(p->items, p->n, sizeof(*p->items), detour_cmp);
	mark(d, p);
	return true;
}

size_t detours_count(const struct detours *d, const char *pool, const struct detour *like)
{
	const struct known_pool *p = find(d, pool);
	size_t n = 0;

	for (size_t i = 0; p && i < p->n; i++)
		n += p->items[i].port == like->port && p->items[i].protocol == like->protocol &&
		     addr_equal(&p->items[i].backend, &like->backend);
	return n;
}

bool detours_are_dirty(const struct detours *d)
{
	return d->dirty != NULL;
}

static const struct pool *with(const struct known_pool *known, const struct pool *p)
{
	struct pool copy = *p;

	copy.detours = known->items;
	copy.n_detours = known->n;
	return pool_new(&copy);
}

void detours_take(struct detours *d, const struct model *m, struct changes *out)
{
	while (d->dirty) {
		struct known_pool *known = d->dirty;
		const struct pool *p = model_pool(m, known->name);

		unmark(d, known);
		if (p)
			VEC_PUSH(out->items, out->n, out->cap) = (struct change){
				.object = OBJECT_POOL,
				.pool = { .before = pool_ref(p), .after = with(known, p) },
			};
		if (!p || known->n == 0)
			forget(d, known);
	}
}

void detours_untake(struct detours *d, const char *pool)
{
	mark(d, make(d, pool));
}

const struct pool *detours_overlay(const struct detours *d, const struct pool *p)
{
	const struct known_pool *known = find(d, p->name);
	const struct pool *out;

	if (!known || known->n == 0)
		return p;
	out = with(known, p);
	pool_unref(p);
	return out;
}

void detours_forget(struct detours *d, const char *pool)
{
	struct known_pool *p = find(d, pool);

	if (p)
		forget(d, p);
}
