/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks double up to a limit, so that the few strings of a small change do
 * not cost a large allocation and a million of them need few.
 */
#include "plan/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_MIN 512u
#define BLOCK_MAX 65536u

void arena_fini(struct arena *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->blocks[i]);
	free(a->blocks);
	*a = (struct arena){ 0 };
}

static size_t block_size(const struct arena *a, size_t need)
{
	size_t size = a->n < 7 ? (size_t)BLOCK_MIN << a->n : BLOCK_MAX;

	return size > need ? size : need;
}

const char *arena_string(struct arena *a, const char *s)
{
	size_t len, size;
	char *block;

	if (!s)
		return NULL;
	len = strlen(s) + 1;
	if (a->free_bytes < len) {
		size = block_size(a, len);
		/* The end of a block is where the next string ends: strings are laid
		 * from the end, so that one number says what is free. */
		VEC_PUSH(a->blocks, a->n, a->cap) = mem_alloc(size);
		a->free_bytes = size;
	}
	block = a->blocks[a->n - 1];
	a->free_bytes -= len;
	return memcpy(block + a->free_bytes, s, len);
}
