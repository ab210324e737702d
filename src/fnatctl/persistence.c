/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a service remembers of its clients.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"

/* "/v1/services/web/persistence", with "?client=" where a client is named. */
static char *entries_path(char *const args[], size_t n)
{
	char *base = cli_path("/v1/services/", args[0]), *path;

	if (n > 1) {
		char *client = cli_path("", args[1]);

		path = mem_printf("%s/persistence?client=%s", base, client);
		free(client);
	} else {
		path = mem_printf("%s/persistence", base);
	}
	free(base);
	return path;
}

static void print_entries(const struct cli *cli, const json_t *answer)
{
	static const char *const headings[] = { "CLIENT", "BACKEND", "ADDRESS", ">EXPIRES", NULL };
	struct columns *c = columns_new(headings);
	const json_t *entry, *list = json_object_get(answer, "entries");
	long long total = view_integer(answer, "total");
	char buf[64];
	size_t i;

	json_array_foreach ((json_t *)list, i, entry) {
		columns_cell(c, "%s", view_string(entry, "client"));
		columns_cell(c, "%s", view_string(entry, "backend"));
		columns_cell(c, "%s", view_string(entry, "address"));
		columns_cell(
			c, "in %s",
			text_duration((unsigned long long)view_integer(entry, "expires_s"), buf));
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	if (total == 0)
		puts("no client is remembered");
	else if ((size_t)total > json_array_size(list))
		printf("... and %lld more\n", total - (long long)json_array_size(list));
	columns_free(c);
}

int run_persistence_show(struct cli *cli, char *const args[], size_t n)
{
	char *path = entries_path(args, n);
	json_t *answer = NULL;
	int ret = cli_get(cli, path, &answer);

	if (ret == CLI_OK && cli_is_json(cli))
		cli_print_json(cli, answer);
	else if (ret == CLI_OK)
		print_entries(cli, answer);
	json_decref(answer);
	free(path);
	return ret;
}

int run_persistence_del(struct cli *cli, char *const args[], size_t n)
{
	char *path = entries_path(args, n);
	struct request rq = { .method = "DELETE", .path = path };
	struct reply reply;
	json_t *answer;
	int ret = cli_call(cli, &rq, NULL, &reply);

	if (ret == CLI_OK) {
		answer = cli_json(&reply);
		if (answer && cli_is_json(cli))
			cli_print_json(cli, answer);
		else if (answer)
			printf("%lld clients forgotten\n", view_integer(answer, "deleted"));
		ret = answer ? CLI_OK : CLI_UNREACHABLE;
		json_decref(answer);
		reply_fini(&reply);
	}
	free(path);
	return ret;
}
