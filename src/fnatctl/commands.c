/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From words to a row of the table. A name may be several words, and a command may have two names;
 * the longest name that the command line begins with is meant, so that "show" and "show services"
 * can stand side by side.
 */
#include "fnatctl/commands.h"

#include <stdint.h>
#include <string.h>

#include "base/suggest.h"

/* More than all the words that can stand in one place. */
#define OFFERS_MAX 256
#define WORD_BYTES 32

const char *command_word(const char *name, size_t i, size_t *len)
{
	for (; i > 0; i--) {
		name += strcspn(name, " ");
		if (!*name)
			return NULL;
		name++;
	}
	*len = strcspn(name, " ");
	return *len ? name : NULL;
}

static bool word_is(const char *name, size_t i, const char *word)
{
	size_t len;
	const char *w = command_word(name, i, &len);

	return w && strlen(word) == len && !strncmp(w, word, len);
}

/* How many words of the name argv begins with; *is_all: it is the whole name. */
static size_t count_equal(const char *name, char *const argv[], size_t n, bool *is_all)
{
	size_t i = 0, len;

	while (i < n && word_is(name, i, argv[i]))
		i++;
	*is_all = !command_word(name, i, &len);
	return i;
}

/* Name k of the command: its name, its alias, NULL. */
static const char *name_at(const struct command *c, size_t k)
{
	return k == 0 ? c->words : k == 1 ? c->alias : NULL;
}

bool command_name_begins(const char *name, char *const words[], size_t n)
{
	bool is_all;

	return count_equal(name, words, n, &is_all) == n;
}

const char *command_name(const struct command *c, char *const words[], size_t n)
{
	const char *name;

	for (size_t k = 0; (name = name_at(c, k)); k++)
		if (command_name_begins(name, words, n))
			return name;
	return NULL;
}

const char *command_argument(const struct command *c, size_t i, size_t *len)
{
	const char *last = NULL, *arg;
	size_t last_len = 0;

	for (size_t k = 0; k <= i; k++) {
		arg = command_word(c->args, k, len);
		if (!arg) {
			*len = last_len;
			return last && memmem(last, last_len, "...", 3) ? last : NULL;
		}
		last = arg;
		last_len = *len;
	}
	return last;
}

void command_arity(const struct command *c, size_t *min, size_t *max)
{
	size_t len;
	const char *arg;

	*min = *max = 0;
	for (size_t i = 0; (arg = command_word(c->args, i, &len)); i++) {
		*min += *arg != '[';
		*max += *max != SIZE_MAX;
		if (memmem(arg, len, "...", 3))
			*max = SIZE_MAX;
	}
}

/* Words that could stand at place i of a command that begins with argv[0..i). */
static void offer_words(struct suggest *s, char *const argv[], size_t i,
			char words[OFFERS_MAX][WORD_BYTES])
{
	const struct command *c;
	const char *name, *w;
	size_t len, n = 0;

	for (size_t row = 0; (c = command_at(row)); row++)
		for (size_t k = 0; (name = name_at(c, k)); k++) {
			w = command_word(name, i, &len);
			if (!w || *c->words == '_' || len >= WORD_BYTES || n == OFFERS_MAX ||
			    !command_name_begins(name, argv, i))
				continue;
			memcpy(words[n], w, len);
			words[n][len] = '\0';
			suggest_offer(s, words[n++]);
		}
}

static const struct command *unknown(char *const argv[], size_t n, size_t n_known)
{
	char words[OFFERS_MAX][WORD_BYTES], so_far[256] = "";

	for (size_t i = 0; i < n_known; i++) {
		size_t at = strlen(so_far);

		snprintf(so_far + at, sizeof(so_far) - at, "%s ", argv[i]);
	}
	if (n_known == n) {
		so_far[strlen(so_far) - 1] = '\0';
		cli_error("\"%s\" is not complete: see `fnatctl help %s`", so_far, so_far);
	} else {
		struct suggest s = suggest_for(argv[n_known]);

		offer_words(&s, argv, n_known, words);
		if (s.best)
			cli_error("\"%s%s\" is not a command: did you mean \"%s%s\"?", so_far,
				  argv[n_known], so_far, s.best);
		else
			cli_error("\"%s%s\" is not a command: see `fnatctl help%s%.*s`", so_far,
				  argv[n_known], n_known ? " " : "",
				  (int)strlen(so_far) - (n_known > 0), so_far);
	}
	return NULL;
}

/* What a command line begins with. */
struct match {
	const struct command *command; /* with the longest name; NULL: none */
	size_t n_words;                /* of its name */
	size_t n_known;                /* words that some name begins with */
	bool is_prefix;                /* the longest of these names has more words */
};

static struct match match_words(char *const argv[], size_t n)
{
	struct match m = { 0 };
	const struct command *c;
	const char *name;

	for (size_t row = 0; (c = command_at(row)); row++)
		for (size_t k = 0; (name = name_at(c, k)); k++) {
			bool is_all;
			size_t equal = count_equal(name, argv, n, &is_all);

			if (equal > m.n_known)
				m.is_prefix = !is_all;
			else if (equal == m.n_known && equal > 0)
				m.is_prefix |= !is_all;
			m.n_known = equal > m.n_known ? equal : m.n_known;
			if (is_all && equal > m.n_words) {
				m.command = c;
				m.n_words = equal;
			}
		}
	return m;
}

const struct command *command_lookup(char *const argv[], size_t n, size_t *n_words)
{
	struct match m = match_words(argv, n);

	*n_words = m.n_words;
	return m.command;
}

const struct command *command_find(char *const argv[], size_t n, size_t *n_words)
{
	struct match m = match_words(argv, n);
	size_t min, max;

	*n_words = m.n_words;
	if (!m.command)
		return unknown(argv, n, m.n_known);
	/* "show servces": more than "show" takes, and there are longer names. */
	command_arity(m.command, &min, &max);
	if (n - m.n_words > max && m.is_prefix && m.n_known == m.n_words)
		return unknown(argv, n, m.n_known);
	return m.command;
}
