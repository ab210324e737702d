/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration, to look at. In JSON it is what the API says, byte for byte but for the
 * indentation; the tables leave out what does not fit a line.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/target.h"
#include "fnatctl/view.h"

/* How many items of a list a line of a table holds. */
#define LIST_MOST 3

static void print_services(const struct cli *cli, json_t *services)
{
	static const char *const headings[] = { "SERVICE",   "LISTENERS", "POOL",
						"SCHEDULER", ">BACKENDS", NULL };
	struct columns *c = columns_new(headings);
	const char *name;
	json_t *s;

	json_object_foreach (services, name, s) {
		char *listeners = view_listeners(s, LIST_MOST);

		columns_cell(c, "%s", name);
		columns_cell(c, "%s", listeners);
		columns_cell(c, "%s", view_string(s, "pool"));
		columns_cell(c, "%s", view_string(s, "scheduler"));
		columns_cell(c, "%zu", json_object_size(json_object_get(s, "backends")));
		free(listeners);
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("there are no services");
	columns_free(c);
}

static void print_pools(const struct cli *cli, json_t *pools)
{
	static const char *const headings[] = { "POOL", ">IPV4", ">IPV6", "ADDRESSES", NULL };
	struct columns *c = columns_new(headings);
	const char *name;
	json_t *p;

	json_object_foreach (pools, name, p) {
		char *addresses = view_addresses(p, LIST_MOST);

		columns_cell(c, "%s", name);
		columns_cell(c, "%llu", (unsigned long long)view_count_addresses(p, AF_INET));
		columns_cell(c, "%llu", (unsigned long long)view_count_addresses(p, AF_INET6));
		columns_cell(c, "%s", addresses);
		free(addresses);
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("there are no pools");
	columns_free(c);
}

/* "check.interval_ms  2000": every member but the named ones, objects opened. */
static void add_members(struct columns *c, const char *prefix, json_t *object,
			const char *const *but)
{
	const char *key;
	json_t *v;

	json_object_foreach (object, key, v) {
		char *name = mem_printf("%s%s%s", prefix, *prefix ? "." : "", key), *text;
		bool is_skipped = false;

		for (size_t i = 0; but && but[i]; i++)
			is_skipped |= !strcmp(but[i], key);
		if (json_is_object(v) && !is_skipped) {
			add_members(c, name, v, NULL);
		} else if (!is_skipped) {
			text = json_is_string(v) ? mem_strdup(json_string_value(v))
						 : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
			columns_cell(c, "%s", name);
			columns_cell(c, "%s", text ? text : "?");
			free(text);
		}
		free(name);
	}
}

static void print_service(const struct cli *cli, const char *name, json_t *s)
{
	static const char *const backend_headings[] = { "BACKEND", "ADDRESS", ">WEIGHT", NULL };
	static const char *const shown_apart[] = { "listeners", "backends", NULL };
	const json_t *listeners = json_object_get(s, "listeners");
	struct columns *c = columns_new((const char *const[]){ "SERVICE", name, NULL });
	char buf[VIEW_BYTES];
	json_t *b;

	for (size_t i = 0; i < json_array_size(listeners); i++) {
		columns_cell(c, "%s", i ? "" : "listeners");
		columns_cell(c, "%s", view_endpoint(json_array_get(listeners, i), buf));
	}
	add_members(c, "", s, shown_apart);
	columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);

	c = columns_new(backend_headings);
	json_object_foreach (json_object_get(s, "backends"), name, b) {
		columns_cell(c, "%s", name);
		columns_cell(c, "%s", view_endpoint(b, buf));
		columns_cell(c, "%lld", view_integer(b, "weight"));
	}
	putchar('\n');
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("it has no backends: connections are refused");
	columns_free(c);
}

static void print_backend(const struct cli *cli, const char *name, json_t *b)
{
	struct columns *c = columns_new((const char *const[]){ "BACKEND", name, NULL });

	add_members(c, "", b, NULL);
	columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);
}

static void print_pool(const struct cli *cli, const char *name, json_t *p)
{
	struct columns *c = columns_new((const char *const[]){ "POOL", name, NULL });
	const json_t *list = json_object_get(p, "addresses");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		columns_cell(c, "%s", i ? "" : "addresses");
		columns_cell(c, "%s", text ? text : "?");
	}
	columns_cell(c, "in all");
	columns_cell(c, "%llu IPv4, %llu IPv6",
		     (unsigned long long)view_count_addresses(p, AF_INET),
		     (unsigned long long)view_count_addresses(p, AF_INET6));
	columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);
}

/* Where its addresses have most ports in use. */
static void print_occupancy(const struct cli *cli, const json_t *stats)
{
	static const char *const headings[] = { "ADDRESS", "BACKEND", "PROTOCOL", ">PORTS",
						">USED",   "LEVEL",   NULL };
	const json_t *list = json_object_get(stats, "occupancy"), *p;
	struct columns *c = columns_new(headings);
	json_int_t ports = view_integer(stats, "ports");
	size_t i;

	json_array_foreach (list, i, p) {
		columns_cell(c, "%s", view_string(p, "address"));
		columns_cell(c, "%s", view_string(p, "backend"));
		columns_cell(c, "%s", view_string(p, "protocol"));
		columns_cell(c, "%lld", view_integer(p, "used"));
		columns_cell(c, "%.1f %%",
			     100.0 * (double)view_integer(p, "used") / (double)(ports ? ports : 1));
		columns_cell(c, "%s", view_string(p, "level"));
	}
	printf("\n%lld ports an address towards each backend; ", ports);
	if (columns_rows(c)) {
		puts("in use:");
		columns_print(c, cli_is_coloured(cli), stdout);
	} else {
		puts("hardly any in use");
	}
	columns_free(c);
}

int run_show_pool(struct cli *cli, char *const args[], size_t n)
{
	char *name, *path;
	json_t *stats;
	int ret = run_show_object(cli, args, n);

	if (ret != CLI_OK || cli_is_json(cli))
		return ret;
	name = client_escape(args[0]);
	path = mem_printf("/v1/stats?pool=%s", name);
	ret = cli_get(cli, path, &stats);
	if (ret == CLI_OK)
		print_occupancy(cli, json_object_get(json_object_get(stats, "pools"), args[0]));
	json_decref(stats);
	free(path);
	free(name);
	return ret;
}

int run_show(struct cli *cli, char *const args[], size_t n)
{
	json_t *config;
	int ret;

	(void)args;
	(void)n;
	if (cli_is_json(cli))
		return cli_show(cli, "/v1/config");
	ret = cli_get(cli, "/v1/config", &config);
	if (ret != CLI_OK)
		return ret;
	print_services(cli, json_object_get(config, "services"));
	putchar('\n');
	print_pools(cli, json_object_get(config, "pools"));
	json_decref(config);
	return CLI_OK;
}

int run_show_config(struct cli *cli, char *const args[], size_t n)
{
	(void)args;
	(void)n;
	return cli_show(cli, "/v1/config");
}

/* How each kind of object looks. */
static const struct printer {
	const char *object;
	void (*all)(const struct cli *cli, json_t *objects);
	void (*one)(const struct cli *cli, const char *name, json_t *object);
} printers[] = {
	{ "service", print_services, print_service },
	{ "backend", NULL, print_backend },
	{ "pool", print_pools, print_pool },
};

static const struct printer *printer_of(const struct cli *cli)
{
	size_t i = 0;

	while (strcmp(printers[i].object, cli->command->object) != 0)
		i++;
	return &printers[i];
}

int run_list(struct cli *cli, char *const args[], size_t n)
{
	const char *path = target_collection(cli->command->object);
	json_t *objects;
	int ret;

	(void)args;
	(void)n;
	if (cli_is_json(cli))
		return cli_show(cli, path);
	ret = cli_get(cli, path, &objects);
	if (ret == CLI_OK)
		printer_of(cli)->all(cli, objects);
	json_decref(objects);
	return ret;
}

int run_show_object(struct cli *cli, char *const args[], size_t n)
{
	struct target t;
	json_t *object = NULL;
	int ret = target_init(&t, cli->command->object, args[0]);

	(void)n;
	if (ret != CLI_OK)
		return ret;
	if (cli_is_json(cli)) {
		ret = cli_show(cli, t.path);
	} else {
		ret = cli_get(cli, t.path, &object);
		if (ret == CLI_OK)
			printer_of(cli)->one(cli, t.name, object);
	}
	json_decref(object);
	target_fini(&t);
	return ret;
}

/* --- backends ------------------------------------------------------------------------------ */

static void add_backends(struct columns *c, const char *service, json_t *backends)
{
	char buf[VIEW_BYTES];
	const char *name;
	json_t *b;

	json_object_foreach (backends, name, b) {
		columns_cell(c, "%s/%s", service, name);
		columns_cell(c, "%s", view_endpoint(b, buf));
		columns_cell(c, "%lld", view_integer(b, "weight"));
	}
}

/* backends: of each service by its name. */
static void print_backends(const struct cli *cli, json_t *backends)
{
	static const char *const headings[] = { "BACKEND", "ADDRESS", ">WEIGHT", NULL };
	struct columns *c = columns_new(headings);
	const char *service;
	json_t *list;

	json_object_foreach (backends, service, list) {
		add_backends(c, service, list);
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("there are no backends");
	columns_free(c);
}

/* {"web": {"a": {...}}} of one service, or of all. */
static int get_backends(struct cli *cli, const char *service, json_t **out)
{
	char *base = service ? cli_path("/v1/services/", service) : mem_strdup("/v1/services");
	char *path = service ? mem_printf("%s/backends", base) : mem_strdup(base);
	const char *name;
	json_t *answer, *s;
	int ret = cli_get(cli, path, &answer);

	*out = json_object();
	if (ret == CLI_OK && service) {
		json_object_set(*out, service, answer);
	} else if (ret == CLI_OK) {
		json_object_foreach (answer, name, s) {
			json_object_set(*out, name, json_object_get(s, "backends"));
		}
	}
	json_decref(answer);
	free(path);
	free(base);
	return ret;
}

int run_list_backends(struct cli *cli, char *const args[], size_t n)
{
	const char *service = n ? args[0] : NULL;
	json_t *backends;
	int ret = get_backends(cli, service, &backends);

	if (ret == CLI_OK && cli_is_json(cli))
		cli_print_json(cli, service ? json_object_get(backends, service) : backends);
	else if (ret == CLI_OK)
		print_backends(cli, backends);
	json_decref(backends);
	return ret;
}
