/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counted keys: addresses, programs and maps that several listeners share. A
 * change is tentative until refs_commit(); meanwhile each key that was touched
 * tells how often it was used before and how often now.
 */
#ifndef FNAT_PLAN_REFS_H
#define FNAT_PLAN_REFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

struct ref {
	UT_hash_handle hh; /* hh.next: the next of all */
	uint32_t now, before;
	bool is_touched;
	unsigned char key[]; /* key_bytes */
};

struct refs {
	size_t key_bytes;
	struct ref *items; /* those with now == 0 stay until refs_commit() */
	struct ref **touched;
	size_t n_touched, cap_touched;
	size_t n; /* keys in use */
};

void refs_init(struct refs *r, size_t key_bytes);
void refs_fini(struct refs *r);

/* key: key_bytes without padding. True when this is the first use, or was the last. */
bool refs_take(struct refs *r, const void *key);
bool refs_drop(struct refs *r, const void *key);

void refs_commit(struct refs *r);
void refs_abort(struct refs *r);

#endif
