/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abort() rather than exit(): a core shows who asked for how much, and the supervisor starts us
 * again. A size of 0 asks for 1 byte, so that NULL always means failure and never "empty".
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void __attribute__((noreturn)) out_of_memory(size_t size_bytes)
{
	log_error("mem", "out of memory (%zu bytes asked for)", size_bytes);
	abort();
}

static size_t product(size_t n, size_t size_bytes)
{
	size_t total;

	if (__builtin_mul_overflow(n, size_bytes, &total))
		out_of_memory(SIZE_MAX);
	return total ? total : 1;
}

static void *checked(void *p, size_t size_bytes)
{
	if (!p)
		out_of_memory(size_bytes);
	return p;
}

void *mem_alloc(size_t size_bytes)
{
	return checked(malloc(product(1, size_bytes)), size_bytes);
}

void *mem_zalloc(size_t size_bytes)
{
	return mem_calloc(1, size_bytes);
}

void *mem_calloc(size_t n, size_t size_bytes)
{
	size_t total = product(n, size_bytes);

	return checked(calloc(1, total), total);
}

void *mem_realloc(void *p, size_t n, size_t size_bytes)
{
	size_t total = product(n, size_bytes);

	return checked(realloc(p, total), total);
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t len)
{
	size_t n = strnlen(s, len);
	char *copy = mem_alloc(n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return checked(n < 0 ? NULL : text, strlen(fmt));
}
