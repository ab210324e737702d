/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory. Sizes that come from outside are capped before anything is
 * allocated, so an allocation that fails means that the machine is out of
 * memory: these functions then log and abort(). The kernel goes on with what
 * it has, and the next start adopts it; that path is tested, a thousand
 * half-tested error paths would not be.
 */
#ifndef FNAT_BASE_MEM_H
#define FNAT_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size_bytes) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size_bytes) __attribute__((malloc, returns_nonnull));
/* n objects of size bytes; overflow aborts. */
void *mem_calloc(size_t n, size_t size_bytes) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t n, size_t size_bytes) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *fmt, ...)
	__attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/*
 * Make room for one more at the end of a growing array: items, n and cap are
 * lvalues. `VEC_PUSH(v->items, v->n, v->cap) = item;`
 */
#define VEC_PUSH(items, n, cap)                                                                    \
	(*((n) == (cap) ? (void)((cap) = (cap) ? (cap)*2 : 8,                                      \
				 (items) = mem_realloc((items), (cap), sizeof(*(items))))          \
			: (void)0,                                                                 \
	   &(items)[(n)++]))

#endif
