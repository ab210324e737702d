/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations, to look at: who made them, and how they differ.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/difference.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"

static void print_history(const struct cli *cli, const json_t *history)
{
	static const char *const headings[] = { ">GENERATION", "TIME", "BY", ">PID",
						">OBJECTS",    "WHAT", NULL };
	struct columns *c = columns_new(headings);
	char buf[VIEW_BYTES];
	const json_t *g;
	size_t i;

	json_array_foreach (history, i, g) {
		columns_cell(c, "%lld", view_integer(g, "generation"));
		columns_cell(c, "%s", view_time(g, buf));
		columns_cell(c, "%s", view_user(g, buf));
		if (view_integer(g, "uid") < 0)
			columns_cell(c, "%s", "");
		else
			columns_cell(c, "%lld", view_integer(g, "pid"));
		columns_cell(c, "%lld", view_integer(g, "objects"));
		columns_cell(c, "%s", view_string(g, "what"));
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("there are no generations");
	columns_free(c);
}

int run_history(struct cli *cli, char *const args[], size_t n)
{
	char *path = mem_printf("/v1/history%s%s%s%s", cli->before ? "?before=" : "",
				cli->before ? cli->before : "",
				!cli->max     ? ""
				: cli->before ? "&max="
					      : "?max=",
				cli->max ? cli->max : "");
	json_t *answer = NULL;
	int ret;

	(void)args;
	(void)n;
	if (cli_is_json(cli)) {
		ret = cli_show(cli, path);
	} else {
		ret = cli_get(cli, path, &answer);
		if (ret == CLI_OK)
			print_history(cli, json_object_get(answer, "history"));
	}
	json_decref(answer);
	free(path);
	return ret;
}

/* --- differences --------------------------------------------------------------------------- */

struct printer {
	const char *object, *name;
	bool is_coloured;
};

/* A listener as an endpoint, a string as it is, anything else as JSON. Owned by the caller. */
static char *value_text(const json_t *value)
{
	char buf[VIEW_BYTES], *text, *safe;

	if (json_is_string(json_object_get(value, "address")))
		return text_safe(view_endpoint(value, buf));
	if (json_is_string(value))
		return text_safe(json_string_value(value));
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	safe = text_safe(text ? text : "?");
	free(text);
	return safe;
}

/* "~ service web: backends.b1.weight 1 -> 5" */
static void print_difference(void *arg, const char *path, const json_t *before, const json_t *after)
{
	const struct printer *p = arg;
	char *old = before ? value_text(before) : NULL, *new = after ? value_text(after) : NULL;
	char *name = text_safe(p->name), *field = text_safe(path);
	char sign = !before ? '+' : !after ? '-' : '~';
	const char *colour = !p->is_coloured ? "" : !before ? "\033[32m" : !after ? "\033[31m" : "";

	printf("%s%c %s %s: %s %s%s%s%s\n", colour, sign, p->object, name, field, old ? old : "",
	       old && new ? " -> " : "", new ? new : "", *colour ? "\033[0m" : "");
	free(field);
	free(name);
	free(new);
	free(old);
}

/* null is nothing for us. */
static const json_t *side(const json_t *change, const char *key)
{
	const json_t *value = json_object_get(change, key);

	return json_is_null(value) ? NULL : value;
}

static void print_changes(const struct cli *cli, const json_t *changes)
{
	const json_t *change;
	size_t i;

	json_array_foreach (changes, i, change) {
		struct printer p = { view_string(change, "object"), view_string(change, "name"),
				     cli_is_coloured(cli) };

		difference_find(side(change, "before"), side(change, "after"), print_difference,
				&p);
	}
	if (json_array_size(changes) == 0)
		puts("nothing differs");
}

int run_diff(struct cli *cli, char *const args[], size_t n)
{
	json_t *answer = NULL;
	char *path;
	int ret;

	for (size_t i = 0; i < n; i++)
		if (!cli_is_number(args[i])) {
			cli_error("\"%s\" is not a generation's number", args[i]);
			return CLI_USAGE;
		}
	path = mem_printf("/v1/diff?from=%s%s%s", args[0], n > 1 ? "&to=" : "",
			  n > 1 ? args[1] : "");
	if (cli_is_json(cli)) {
		ret = cli_show(cli, path);
	} else {
		ret = cli_get(cli, path, &answer);
		if (ret == CLI_OK)
			print_changes(cli, json_object_get(answer, "changes"));
	}
	json_decref(answer);
	free(path);
	return ret;
}
