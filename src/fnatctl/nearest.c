/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon says that there is no such service; which there are it is asked only now, because an
 * answer of 404 should not cost it a listing.
 */
#include "fnatctl/nearest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "fnatctl/names.h"

struct search {
	struct suggest suggest;
	char best[NAMES_BYTES]; /* what suggest.best points to */
	bool is_there;          /* the word itself */
};

static void offer(void *arg, const char *name)
{
	struct search *s = arg;

	s->is_there |= !strcmp(name, s->suggest.word);
	suggest_offer(&s->suggest, name);
	if (s->suggest.best != name)
		return;
	strcpy(s->best, name); /* NAMES_BYTES are promised */
	s->suggest.best = s->best;
}

/* Looks for the name in the collection; true when it is there. */
static bool look(struct client *c, const char *collection, const char *name, char **nearest)
{
	struct search s = { .suggest = suggest_for(name) };

	if (names_get(c, collection, offer, &s) < 0 || s.is_there)
		return s.is_there;
	*nearest = s.suggest.best ? mem_strdup(s.suggest.best) : NULL;
	return false;
}

char *nearest_name(struct client *c, const char *path)
{
	static const char *const collections[] = { "/v1/services", "/v1/pools" };
	char *nearest = NULL;

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(collections[i]);
		const char *begin = path + len + 1;
		char *name, *backends;

		if (strncmp(path, collections[i], len) != 0 || path[len] != '/')
			continue;
		name = mem_strndup(begin, strcspn(begin, "/?"));
		begin += strlen(name);
		if (look(c, collections[i], name, &nearest) && !strncmp(begin, "/backends/", 10)) {
			backends = mem_printf("%s/%s/backends", collections[i], name);
			free(name);
			name = mem_strndup(begin + 10, strcspn(begin + 10, "/?"));
			look(c, backends, name, &nearest);
			free(backends);
		}
		free(name);
	}
	return nearest;
}
