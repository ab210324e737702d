/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Optimal string alignment distance with three rows of the matrix. How far "near" reaches grows
 * with the word, else every word of three letters would resemble every other one. An
 * abbreviation ("sched") is as near as one mistake, whatever its length.
 */
#include "base/suggest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Known words are short: longer ones are not compared. */
#define WORD_MAX 32

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static int same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= nb; j++)
		last[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			row[j] = min3(last[j] + 1, row[j - 1] + 1,
				      last[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[nb];
}

struct suggest suggest_for(const char *word)
{
	return (struct suggest){ .word = word, .distance = WORD_MAX + 1 };
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t na = strnlen(s->word, WORD_MAX + 1), nb = strnlen(candidate, WORD_MAX + 1);
	size_t longer = na > nb ? na : nb, distance;

	if (na == 0 || longer > WORD_MAX)
		return;
	distance = edit_distance(s->word, na, candidate, nb);
	if (na >= 2 && distance > 1 && strncasecmp(s->word, candidate, na) == 0)
		distance = 1;
	if (distance > (longer + 2) / 3)
		return;
	if (distance < s->distance) {
		s->distance = distance;
		s->best = candidate;
	}
}
