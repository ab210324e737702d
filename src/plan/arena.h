/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many small strings with one life: they are carved from blocks and go
 * together. A million elements carry comments; one malloc each would take more
 * memory than the strings.
 */
#ifndef FNAT_PLAN_ARENA_H
#define FNAT_PLAN_ARENA_H

#include <stddef.h>

struct arena {
	char **blocks;
	size_t n, cap;
	size_t free_bytes; /* at the end of the last block */
};

/* All zero is an empty arena. */
void arena_fini(struct arena *a);
/* Copy of s that lives as long as the arena; NULL for NULL. */
const char *arena_string(struct arena *a, const char *s);

#endif
