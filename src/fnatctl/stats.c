/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes through each service and its backends, in the order and the words of ipvsadm
 * --stats and --rate. With --watch it is asked again and again; a terminal is written over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/stats_numbers.h"
#include "fnatctl/view.h"

static void add_row(struct columns *c, const struct number *numbers, const char *name,
		    const char *part, const json_t *object)
{
	columns_cell(c, "%s%s%s", name, part ? "/" : "", part ? part : "");
	for (; numbers->key; numbers++) {
		const json_t *number = json_object_get(object, numbers->key);

		if (number)
			columns_cell(c, "%.0f", json_number_value(number));
		else
			columns_cell(c, "-");
	}
}

/* What the table has, ended by a row of NULLs. */
static void choose_numbers(bool is_rate, json_t *services,
			   struct number numbers[STATS_NUMBERS_MAX + 1])
{
	const struct number *from = is_rate ? stats_rates : stats_totals;
	const char *name;
	bool is_counted = false;
	json_t *s;
	size_t n = 0;

	json_object_foreach (services, name, s) {
		is_counted = is_counted || json_object_get(s, stats_begun.key);
	}
	while (from[n].key) {
		numbers[n] = from[n];
		n++;
	}
	if (is_counted && !is_rate)
		numbers[n++] = stats_begun;
	numbers[n] = (struct number){ NULL, NULL };
}

static void print_table(const struct cli *cli, json_t *stats)
{
	const char *headings[STATS_NUMBERS_MAX + 2] = { "SERVICE" };
	json_t *services = json_object_get(stats, "services"), *s, *b;
	struct number numbers[STATS_NUMBERS_MAX + 1];
	const char *name, *part;
	struct columns *c;

	choose_numbers(cli->given & CLI_RATE, services, numbers);
	for (size_t i = 0; numbers[i].key; i++)
		headings[i + 1] = numbers[i].heading;
	c = columns_new(headings);
	json_object_foreach (services, name, s) {
		add_row(c, numbers, name, NULL, s);
		json_object_foreach (json_object_get(s, "backends"), part, b) {
			add_row(c, numbers, name, part, b);
		}
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("there are no services");
	columns_free(c);
}

static int show_once(struct cli *cli, const char *path)
{
	json_t *stats;
	int ret;

	if (cli_is_json(cli))
		return cli_show(cli, path);
	ret = cli_get(cli, path, &stats);
	if (ret != CLI_OK)
		return ret;
	if (cli->given & CLI_WATCH && cli->is_terminal)
		fputs("\033[H\033[J", stdout); /* home, and nothing below */
	print_table(cli, stats);
	json_decref(stats);
	return CLI_OK;
}

/* "/v1/stats", "/v1/stats?service=web". Owned by the caller. */
static char *path_of(char *const args[], size_t n)
{
	char *name = n ? client_escape(args[0]) : NULL;
	char *path = mem_printf("/v1/stats%s%s", name ? "?service=" : "", name ? name : "");

	free(name);
	return path;
}

static void rest(long seconds)
{
	struct timespec left = { .tv_sec = seconds };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

int run_stats(struct cli *cli, char *const args[], size_t n)
{
	char *path = path_of(args, n);
	int ret = show_once(cli, path);

	while (cli->given & CLI_WATCH && ret == CLI_OK && fflush(stdout) == 0) {
		rest(cli->watch_s);
		if (!cli->is_terminal && !cli_is_json(cli))
			putchar('\n');
		ret = show_once(cli, path);
	}
	free(path);
	return ret;
}

int run_stats_zero(struct cli *cli, char *const args[], size_t n)
{
	char *path = path_of(args, n);
	struct request rq = { .method = "DELETE", .path = path };
	struct reply reply;
	int ret = cli_call(cli, &rq, NULL, &reply);

	if (ret == CLI_OK)
		reply_fini(&reply);
	free(path);
	return ret;
}
