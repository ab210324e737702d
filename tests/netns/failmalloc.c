/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD: memory runs out when a test says so. $FAILMALLOC names a file of 8 bytes, a number n:
 * allocation number n from now on fails, and the number counts down; 0: none does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int64_t *countdown;

__attribute__((constructor)) static void map_countdown(void)
{
	const char *path = getenv("FAILMALLOC");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*countdown), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		countdown = at;
	close(fd);
}

static int is_over(void)
{
	if (!countdown || __atomic_load_n(countdown, __ATOMIC_RELAXED) <= 0)
		return 0;
	if (__atomic_sub_fetch(countdown, 1, __ATOMIC_RELAXED) != 0)
		return 0;
	errno = ENOMEM;
	return 1;
}

/* glibc's own names for what is replaced here. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
	return is_over() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return is_over() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return is_over() ? NULL : __libc_realloc(p, size);
}
