/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How full backends are.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/view.h"

static void print_limits(const struct cli *cli, const json_t *answer)
{
	static const char *const headings[] = { "BACKEND",     ">CONNECTIONS", ">MAX",
						">MIN",        "LIMIT",        "FULL",
						">TIMES FULL", ">OVERSHOOT",   ">OVERFLOWED",
						NULL };
	struct columns *c = columns_new(headings);
	const char *name;
	json_t *b;

	json_object_foreach (json_object_get(answer, "backends"), name, b) {
		columns_cell(c, "%s", name);
		columns_cell(c, "%lld", view_integer(b, "connections"));
		columns_cell(c, "%lld", view_integer(b, "max_connections"));
		columns_cell(c, "%lld", view_integer(b, "min_connections"));
		columns_cell(c, "%s", view_string(answer, "limit"));
		columns_cell(c, "%s", json_is_true(json_object_get(b, "full")) ? "yes" : "no");
		columns_cell(c, "%lld", view_integer(b, "times_full"));
		columns_cell(c, "%lld", view_integer(b, "overshoot"));
		columns_cell(c, "%lld", view_integer(b, "overflowed"));
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("no backend has a limit");
	columns_free(c);
}

int run_limits_show(struct cli *cli, char *const args[], size_t n)
{
	char *base = cli_path("/v1/services/", args[0]), *path = mem_printf("%s/limits", base);
	json_t *answer = NULL;
	int ret = cli_get(cli, path, &answer);

	(void)n;
	if (ret == CLI_OK && cli_is_json(cli))
		cli_print_json(cli, answer);
	else if (ret == CLI_OK)
		print_limits(cli, answer);
	json_decref(answer);
	free(path);
	free(base);
	return ret;
}
