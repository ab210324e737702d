/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean ...?": the known word nearest to a mistyped one, by edit
 * distance (insertions, deletions, substitutions, swaps of neighbours; case is
 * ignored). Nothing is suggested when no word is near.
 *
 *	struct suggest s = suggest_for(word);
 *	for each known word: suggest_offer(&s, known);
 *	if (s.best) ... "did you mean %s?"
 */
#ifndef FNAT_BASE_SUGGEST_H
#define FNAT_BASE_SUGGEST_H

#include <stddef.h>

struct suggest {
	const char *word; /* borrowed */
	const char *best; /* of those offered; borrowed; NULL: none is near */
	size_t distance;  /* of best */
};

struct suggest suggest_for(const char *word);
void suggest_offer(struct suggest *s, const char *candidate);

#endif
