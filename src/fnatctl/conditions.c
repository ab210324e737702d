/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and values are looked at here, by what the daemon itself uses, so that a mistake costs no
 * question.
 */
#include "fnatctl/conditions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "fnatctl/cli.h"
#include "stats/flow_filter.h"

static void complain(const char *name)
{
	struct suggest s = suggest_for(name);

	for (size_t i = 0; flow_filter_name(i); i++)
		suggest_offer(&s, flow_filter_name(i));
	if (s.best)
		cli_error("\"%s\" is not a condition: did you mean \"%s\"?", name, s.best);
	else
		cli_error("\"%s\" is not a condition: see `fnatctl help connections`", name);
}

static bool is_valid(const char *name, const char *value)
{
	struct flow_filter f = { .protocol = 0 };
	struct err err = ERR_INIT;
	int code = flow_filter_set(&f, name, value, &err);

	if (code == -ENOENT)
		complain(name);
	else if (code < 0)
		cli_problems(&err);
	err_fini(&err);
	return code == 0;
}

/* *query + "&name=value"; false when the value is not one. */
static bool add(char **query, const char *name, const char *value)
{
	char *escaped, *longer;

	if (!is_valid(name, value))
		return false;
	escaped = client_escape(value);
	longer = mem_printf("%s%c%s=%s", *query, **query ? '&' : '?', name, escaped);
	free(escaped);
	free(*query);
	*query = longer;
	return true;
}

static bool add_word(char **query, const char *word)
{
	const char *equals = strchr(word, '=');
	char *name, *slash, *value;
	bool ok;

	if (!equals) {
		cli_error("\"%s\" is not KEY=VALUE", word);
		return false;
	}
	name = mem_strndup(word, (size_t)(equals - word));
	value = mem_strdup(equals + 1);
	slash = strcmp(name, "backend") == 0 ? strchr(value, '/') : NULL;
	if (slash) {
		*slash = '\0';
		ok = add(query, "service", value) && add(query, "backend", slash + 1);
	} else {
		ok = add(query, name, value);
	}
	free(name);
	free(value);
	return ok;
}

char *conditions_query(char *const words[], size_t n)
{
	char *query = mem_strdup("");

	for (size_t i = 0; i < n; i++) {
		if (add_word(&query, words[i]))
			continue;
		free(query);
		return NULL;
	}
	return query;
}
