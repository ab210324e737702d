/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Most of a comparison is waiting for the memory where the names are, which are all over the heap.
 * So each name is read once: its eight bytes after what all names begin with, most significant
 * first, are a number that compares as they do. Only names that agree in these are compared where
 * they are.
 */
#include "base/by_name.h"

#include <stdlib.h>
#include <string.h>

static int cmp(const void *a, const void *b)
{
	const struct by_name *left = a, *right = b;

	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return strcmp(left->name, right->name);
}

static size_t same_bytes(const char *a, const char *b, size_t max)
{
	size_t n = 0;

	while (n < max && a[n] && a[n] == b[n])
		n++;
	return n;
}

static uint64_t key_of(const char *text)
{
	uint64_t key = 0;

	for (int shift = 56; shift >= 0 && *text; shift -= 8)
		key |= (uint64_t)(unsigned char)*text++ << shift;
	return key;
}

void by_name_sort(struct by_name *items, size_t n)
{
	size_t prefix;

	if (n < 2)
		return;
	prefix = strlen(items[0].name);
	for (size_t i = 1; i < n; i++)
		prefix = same_bytes(items[0].name, items[i].name, prefix);
	for (size_t i = 0; i < n; i++)
		items[i].key = key_of(items[i].name + prefix);
	qsort(items, n, sizeof(*items), cmp);
}
