/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing is removed while a change is tentative, so that undoing it is
 * copying numbers back.
 */
#include "plan/refs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void refs_init(struct refs *r, size_t key_bytes)
{
	*r = (struct refs){ .key_bytes = key_bytes };
}

void refs_fini(struct refs *r)
{
	struct ref *item, *next;

	for (item = r->items; item; item = next) {
		next = item->hh.next;
		HASH_DEL(r->items, item);
		free(item);
	}
	free(r->touched);
}

static struct ref *refs_touch(struct refs *r, const void *key)
{
	struct ref *item;

	HASH_FIND(hh, r->items, key, r->key_bytes, item);
	if (!item) {
		item = mem_zalloc(sizeof(*item) + r->key_bytes);
		memcpy(item->key, key, r->key_bytes);
		HASH_ADD_KEYPTR(hh, r->items, item->key, r->key_bytes, item);
	}
	if (!item->is_touched) {
		item->is_touched = true;
		item->before = item->now;
		VEC_PUSH(r->touched, r->n_touched, r->cap_touched) = item;
	}
	return item;
}

bool refs_take(struct refs *r, const void *key)
{
	struct ref *item = refs_touch(r, key);

	r->n += item->now == 0;
	return item->now++ == 0;
}

bool refs_drop(struct refs *r, const void *key)
{
	struct ref *item = refs_touch(r, key);

	assert(item->now > 0);
	r->n -= item->now == 1;
	return --item->now == 0;
}

void refs_commit(struct refs *r)
{
	for (size_t i = 0; i < r->n_touched; i++) {
		struct ref *item = r->touched[i];

		item->is_touched = false;
		if (item->now > 0)
			continue;
		HASH_DEL(r->items, item);
		free(item);
	}
	r->n_touched = 0;
}

void refs_abort(struct refs *r)
{
	for (size_t i = 0; i < r->n_touched; i++) {
		struct ref *item = r->touched[i];

		r->n += (item->before > 0) - (item->now > 0);
		item->now = item->before;
	}
	refs_commit(r);
}
