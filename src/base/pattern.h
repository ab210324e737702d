/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regular expressions (those of PCRE2, over bytes) that an operator wrote, for data that somebody
 * else did. What a match may cost is bounded, whatever the two of them are.
 */
#ifndef FNAT_BASE_PATTERN_H
#define FNAT_BASE_PATTERN_H

#include <stddef.h>

struct pattern;

/* Longest description of a mistake, with the final NUL. */
#define PATTERN_MISTAKE_BYTES 160

/* NULL: it is none; mistake says what is wrong, and where. */
struct pattern *pattern_new(const char *text, char mistake[PATTERN_MISTAKE_BYTES]);
void pattern_free(struct pattern *p); /* NULL is fine */

/* Somewhere in data. 1, 0, or -E2BIG: that is not known, it would take too long. */
int pattern_find(const struct pattern *p, const void *data, size_t len);

#endif
