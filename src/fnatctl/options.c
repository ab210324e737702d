/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One row an option. getopt_long(3) would do but for the suggestion, the list of options that a
 * command takes, and help from the same table.
 */
#include "fnatctl/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

static int set_socket(struct cli *cli, const char *value)
{
	cli->socket_path = value;
	return *value ? 0 : -EINVAL;
}

static int set_json(struct cli *cli, const char *value)
{
	(void)value;
	cli->output = OUTPUT_JSON;
	return 0;
}

static int set_output(struct cli *cli, const char *value)
{
	if (!strcmp(value, "json"))
		cli->output = OUTPUT_JSON;
	else if (!strcmp(value, "table"))
		cli->output = OUTPUT_TABLE;
	else
		return -EINVAL;
	return 0;
}

static int set_timeout(struct cli *cli, const char *value)
{
	char *end;

	errno = 0;
	cli->timeout_s = strtol(value, &end, 10);
	return errno || *end || end == value || cli->timeout_s < 0 || cli->timeout_s > 86400
		       ? -EINVAL
		       : 0;
}

static int set_if_match(struct cli *cli, const char *value)
{
	cli->if_match = value;
	return cli_is_number(value) ? 0 : -EINVAL;
}

static int set_since(struct cli *cli, const char *value)
{
	cli->since = value;
	return cli_is_number(value) ? 0 : -EINVAL;
}

static int set_before(struct cli *cli, const char *value)
{
	cli->before = value;
	return cli_is_number(value) ? 0 : -EINVAL;
}

static int set_max(struct cli *cli, const char *value)
{
	cli->max = value;
	return cli_is_number(value) ? 0 : -EINVAL;
}

static int set_pool(struct cli *cli, const char *value)
{
	cli->pool = value;
	return *value ? 0 : -EINVAL;
}

static int set_top(struct cli *cli, const char *value)
{
	static const char *const words[] = { "clients", "backends", "services" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], value) == 0)
			cli->top = words[i];
	return cli->top ? 0 : -EINVAL;
}

static int set_watch(struct cli *cli, const char *value)
{
	cli->watch_s = cli_is_number(value) ? strtol(value, NULL, 10) : 0;
	return cli->watch_s > 0 && cli->watch_s <= 86400 ? 0 : -EINVAL;
}

static int set_confirm(struct cli *cli, const char *value)
{
	cli->confirm_s = cli_is_number(value) ? strtol(value, NULL, 10) : 0;
	return cli->confirm_s > 0 && cli->confirm_s <= 86400 ? 0 : -EINVAL;
}

static int set_deadline(struct cli *cli, const char *value)
{
	cli->deadline_s = cli_is_number(value) ? strtol(value, NULL, 10) : -1;
	return cli->deadline_s >= 0 && cli->deadline_s <= 2678400 ? 0 : -EINVAL;
}

static int set_help(struct cli *cli, const char *value)
{
	(void)value;
	cli->wants_help = true;
	return 0;
}

static int set_version(struct cli *cli, const char *value)
{
	(void)value;
	cli->wants_version = true;
	return 0;
}

static int set_nothing(struct cli *cli, const char *value)
{
	(void)cli;
	(void)value;
	return 0;
}

static const struct option_row rows[] = {
	{ "--socket", NULL, "PATH", 0, set_socket, "a path",
	  "the daemon's socket (" CLI_SOCKET ")" },
	{ "--json", "-j", NULL, 0, set_json, NULL, "JSON also on a terminal" },
	{ "--output", "-o", "json|table", 0, set_output, "json or table",
	  "one or the other, wherever the output goes" },
	{ "--timeout", NULL, "SECONDS", 0, set_timeout, "0 to 86400 seconds",
	  "how long to wait for an answer (120; 0: for ever)" },
	{ "--help", "-h", NULL, 0, set_help, NULL, "how the command is used" },
	{ "--version", NULL, NULL, 0, set_version, NULL, "print the version" },
	{ "--dry-run", "-n", NULL, CLI_DRY_RUN, set_nothing, NULL,
	  "print what would be done, change nothing" },
	{ "--verbose", "-v", NULL, CLI_VERBOSE, set_nothing, NULL,
	  "print operations as commands of nft" },
	{ "--if-match", NULL, "GENERATION", CLI_IF_MATCH, set_if_match, "a generation's number",
	  "only if nothing has changed since that generation" },
	{ "--confirm", NULL, "SECONDS", CLI_CONFIRM, set_confirm, "1 to 86400 seconds",
	  "go back by itself unless `fnatctl confirm` comes in time" },
	{ "--wait", NULL, NULL, CLI_WAIT, set_nothing, NULL,
	  "until the daemon answers (status; as long as --timeout), or the backend has drained" },
	{ "--deadline", NULL, "SECONDS", CLI_DEADLINE, set_deadline, "0 to 2678400 seconds",
	  "drain for so long at most (0: as long as it takes)" },
	{ "--cut", NULL, NULL, CLI_CUT, set_nothing, NULL,
	  "remove the connections that are left at the deadline" },
	{ "--since", NULL, "EVENT", CLI_SINCE, set_since, "an event's number",
	  "begin after that event; 0: with the oldest that is kept" },
	{ "--before", NULL, "GENERATION", CLI_BEFORE, set_before, "a generation's number",
	  "only older ones" },
	{ "--max", NULL, "NUMBER", CLI_MAX, set_max, "a number",
	  "at most so many (history: 100, --top: 10)" },
	{ "--count", NULL, NULL, CLI_COUNT, set_nothing, NULL, "only how many" },
	{ "--top", NULL, "clients|backends|services", CLI_TOP, set_top,
	  "clients, backends or services", "those with the most connections" },
	{ "--all", NULL, NULL, CLI_ALL, set_nothing, NULL, "all of all services" },
	{ "--pool", NULL, "ADDRESSES", CLI_POOL, set_pool,
	  "addresses, ranges or prefixes, separated by commas",
	  "local addresses that connections to backends shall come from" },
	{ "--rate", "-r", NULL, CLI_RATE, set_nothing, NULL, "what happens a second" },
	{ "--watch", "-w", "SECONDS", CLI_WATCH, set_watch, "1 to 86400 seconds",
	  "again and again, until ^C" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const struct option_row *options_at(size_t i)
{
	return i < N_ROWS ? &rows[i] : NULL;
}

const struct option_row *options_find(char *arg, char **value)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct option_row *row = &rows[i];
		size_t len = strlen(row->name);

		*value = NULL;
		if (!strcmp(arg, row->name) || (row->letter && !strcmp(arg, row->letter)))
			return row;
		if (!strncmp(arg, row->name, len) && arg[len] == '=') {
			*value = arg + len + 1;
			return row;
		}
		if (row->letter && row->argument && !strncmp(arg, row->letter, 2)) {
			*value = arg + 2;
			return row;
		}
	}
	return NULL;
}

static int unknown(const char *arg)
{
	struct suggest s = suggest_for(arg);

	for (size_t i = 0; i < N_ROWS; i++)
		suggest_offer(&s, rows[i].name);
	if (s.best && strlen(arg) > 2)
		cli_error("%s is not an option: did you mean %s?", arg, s.best);
	else
		cli_error("%s is not an option: see `fnatctl help`", arg);
	return CLI_USAGE;
}

static int take(struct cli *cli, const struct option_row *row, char *value)
{
	if (value && !row->argument) {
		cli_error("%s takes no value", row->name);
		return CLI_USAGE;
	}
	if (!value && row->argument) {
		cli_error("%s needs a value: %s", row->name, row->expected);
		return CLI_USAGE;
	}
	if (row->set(cli, value) < 0) {
		cli_error("%s: \"%s\" is not %s", row->name, value, row->expected);
		return CLI_USAGE;
	}
	cli->given |= row->bit;
	return CLI_OK;
}

int options_parse(struct cli *cli, char *argv[], size_t *n)
{
	size_t n_left = 1;

	for (size_t i = 1; i < *n; i++) {
		const struct option_row *row;
		char *value;
		int ret;

		if (!strcmp(argv[i], "--")) {
			while (++i < *n)
				argv[n_left++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || !argv[i][1]) {
			argv[n_left++] = argv[i];
			continue;
		}
		row = options_find(argv[i], &value);
		if (!row)
			return unknown(argv[i]);
		if (row->argument && !value && i + 1 < *n)
			value = argv[++i];
		ret = take(cli, row, value);
		if (ret != CLI_OK)
			return ret;
	}
	*n = n_left;
	return CLI_OK;
}

void options_help(unsigned int of, FILE *out)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct option_row *row = &rows[i];
		char left[64];

		if (of ? !(row->bit & of) : row->bit)
			continue;
		snprintf(left, sizeof(left), "%s%s%s%s%s", row->letter ? row->letter : "",
			 row->letter ? ", " : "    ", row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
		fprintf(out, "  %-28s  %s\n", left, row->help);
	}
}

const char *options_name(unsigned int of)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].bit & of)
			return rows[i].name;
	return "";
}
