/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections come as lines and go on as lines; there may be a million. On a terminal they are
 * tables of some hundred rows, each as wide as what is in it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/conditions.h"
#include "fnatctl/connections_top.h"
#include "fnatctl/lines.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"

#define ROWS_A_TABLE 500
#define TOP_DEFAULT  10

struct listing {
	struct cli *cli;
	struct top *top;         /* NULL: not wanted */
	struct columns *columns; /* NULL: JSON */
	char *error;             /* why the daemon ended the list early; owned */
};

static const char *const headings[] = { "PROTOCOL", "STATE",   ">AGE",    "CLIENT",
					"VIRTUAL",  "SERVICE", "BACKEND", "LOCAL",
					"SERVER",   ">IN",     ">OUT",    NULL };

static void endpoint_cell(struct columns *c, const json_t *connection, const char *key)
{
	char buf[VIEW_BYTES];

	columns_cell(c, "%s", view_endpoint(json_object_get(connection, key), buf));
}

static void bytes_cell(struct columns *c, const json_t *connection, const char *key)
{
	if (json_is_integer(json_object_get(connection, key)))
		columns_cell(c, "%lld", view_integer(connection, key));
	else
		columns_cell(c, "?");
}

static void add_row(struct columns *c, const json_t *connection)
{
	const char *backend = view_string(json_object_get(connection, "backend"), "name");
	char buf[64];

	columns_cell(c, "%s", view_string(connection, "protocol"));
	columns_cell(c, "%s", view_string(connection, "state"));
	if (json_is_integer(json_object_get(connection, "age_s")))
		columns_cell(
			c, "%s",
			text_duration((unsigned long long)view_integer(connection, "age_s"), buf));
	else
		columns_cell(c, "?");
	endpoint_cell(c, connection, "client");
	endpoint_cell(c, connection, "virtual");
	columns_cell(c, "%s", view_string(connection, "service"));
	columns_cell(c, "%s", *backend ? backend : "-");
	endpoint_cell(c, connection, "local");
	endpoint_cell(c, connection, "backend");
	bytes_cell(c, connection, "inbytes");
	bytes_cell(c, connection, "outbytes");
}

static void print_table(struct listing *l)
{
	if (!l->columns)
		return;
	if (columns_rows(l->columns) > 0)
		columns_print(l->columns, cli_is_coloured(l->cli), stdout);
	columns_free(l->columns);
	l->columns = NULL;
}

static void add_to_table(struct listing *l, const json_t *connection)
{
	if (!l->columns)
		l->columns = columns_new(headings);
	add_row(l->columns, connection);
	if (columns_rows(l->columns) == ROWS_A_TABLE)
		print_table(l);
}

static bool take_line(void *arg, char *line)
{
	struct listing *l = arg;
	json_t *connection;
	const char *error;

	if (!l->top && cli_is_json(l->cli) && strncmp(line, "{\"error\"", 8) != 0)
		return puts(line) >= 0;
	connection = json_loads(line, 0, NULL);
	error = json_string_value(json_object_get(connection, "error"));
	if (error && !l->error)
		l->error = mem_strdup(error);
	else if (!error && l->top)
		top_add(l->top, connection);
	else if (!error)
		add_to_table(l, connection);
	json_decref(connection);
	return true;
}

static void print_top(const struct listing *l)
{
	size_t most = l->cli->max ? strtoul(l->cli->max, NULL, 10) : TOP_DEFAULT, i;
	json_t *rows = top_result(l->top, most), *row;
	const char *const top_headings[] = { l->cli->top, ">connections", ">in", ">out", NULL };
	struct columns *c;

	if (cli_is_json(l->cli)) {
		cli_print_json(l->cli, rows);
		json_decref(rows);
		return;
	}
	c = columns_new(top_headings);
	json_array_foreach (rows, i, row) {
		columns_cell(c, "%s",
			     json_string_value(json_object_iter_value(json_object_iter(row))));
		columns_cell(c, "%lld", view_integer(row, "connections"));
		columns_cell(c, "%lld", view_integer(row, "inbytes"));
		columns_cell(c, "%lld", view_integer(row, "outbytes"));
	}
	columns_print(c, cli_is_coloured(l->cli), stdout);
	columns_free(c);
	json_decref(rows);
}

static int list(struct cli *cli, const char *path)
{
	struct listing l = { .cli = cli };
	struct lines lines = { .take = take_line, .arg = &l };
	struct request rq = { .method = "GET",
			      .path = path,
			      .take = lines_piece,
			      .take_arg = &lines,
			      .is_endless = true };
	struct reply reply;
	int ret;

	l.top = cli->top ? top_new(cli->top) : NULL;
	ret = cli_call(cli, &rq, NULL, &reply);
	if (ret == CLI_OK) {
		reply_fini(&reply);
		print_table(&l);
		if (l.top)
			print_top(&l);
	}
	if (l.error) {
		cli_error("the list is not complete: %s", l.error);
		ret = CLI_REFUSED;
	}
	if (l.columns)
		columns_free(l.columns);
	top_free(l.top);
	lines_fini(&lines);
	free(l.error);
	return ret;
}

/* The number that an answer is about, alone on a terminal. */
static int print_number(struct cli *cli, const char *method, const char *path, const char *member)
{
	struct request rq = { .method = method, .path = path };
	struct reply reply;
	json_t *value;
	int ret = cli_call(cli, &rq, NULL, &reply);

	if (ret != CLI_OK)
		return ret;
	value = cli_json(&reply);
	reply_fini(&reply);
	if (!value)
		return CLI_REFUSED;
	if (cli_is_json(cli))
		cli_print_json(cli, value);
	else
		printf("%lld\n", view_integer(value, member));
	json_decref(value);
	return CLI_OK;
}

/* path + query + more, as one query. Owned by the caller. */
static char *target(const char *query, const char *more)
{
	return mem_printf("/v1/connections%s%s%s", query, !*more ? "" : *query ? "&" : "?", more);
}

int run_connections(struct cli *cli, char *const args[], size_t n)
{
	char *query, *more, *path;
	int ret;

	if ((cli->given & CLI_COUNT) && cli->top) {
		cli_error("--count and --top exclude each other");
		return CLI_USAGE;
	}
	query = conditions_query(args, n);
	if (!query)
		return CLI_USAGE;
	if (cli->given & CLI_COUNT)
		more = mem_strdup("count=1");
	else if (cli->max && !cli->top)
		more = mem_printf("max=%s", cli->max);
	else
		more = mem_strdup("");
	path = target(query, more);
	if (cli->given & CLI_COUNT)
		ret = print_number(cli, "GET", path, "connections");
	else
		ret = list(cli, path);
	free(path);
	free(more);
	free(query);
	return ret;
}

int run_connections_delete(struct cli *cli, char *const args[], size_t n)
{
	bool is_all = cli->given & CLI_ALL;
	char *query, *path;
	int ret;

	if (is_all == (n > 0)) {
		cli_error(is_all ? "--all goes with no condition"
				 : "which connections? Give a condition, such as service=web, or "
				   "--all");
		return CLI_USAGE;
	}
	query = conditions_query(args, n);
	if (!query)
		return CLI_USAGE;
	path = target(query, is_all ? "all=1" : "");
	ret = print_number(cli, "DELETE", path, "deleted");
	free(path);
	free(query);
	return ret;
}

/* --- origin -------------------------------------------------------------------------------- */

static void print_connection(const struct cli *cli, const json_t *connection)
{
	struct columns *c = columns_new(headings);

	add_row(c, connection);
	columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);
}

int run_origin(struct cli *cli, char *const args[], size_t n)
{
	char *protocol = client_escape(args[0]), *local = client_escape(args[1]);
	char *backend = client_escape(args[2]);
	char *path =
		mem_printf("/v1/origin?protocol=%s&local=%s&backend=%s", protocol, local, backend);
	json_t *connection;
	int ret = cli_get(cli, path, &connection);

	(void)n;
	if (ret == CLI_OK && cli_is_json(cli))
		cli_print_json(cli, connection);
	else if (ret == CLI_OK)
		print_connection(cli, connection);
	if (ret == CLI_OK)
		json_decref(connection);
	free(path);
	free(backend);
	free(local);
	free(protocol);
	return ret;
}
