/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an operator wants to see first: is the daemon well, is the machine well, and where do the
 * connections go. The last is a request for each service, so with many of them only the numbers
 * are shown.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/finding.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"

/* With more services than this, `status` does not list them. */
#define SERVICES_LISTED_MAX 50

/* --- the daemon ---------------------------------------------------------------------------- */

static void print_confirm(const json_t *st)
{
	const json_t *confirm = json_object_get(st, "confirm");
	char left[64];

	if (json_is_object(confirm))
		printf("confirm   generation %lld comes back in %s unless `fnatctl confirm` comes "
		       "first\n",
		       view_integer(confirm, "rollback_to"),
		       text_duration((unsigned long long)view_integer(confirm, "seconds_left"),
				     left));
}

static void print_daemon(const json_t *st)
{
	const json_t *table = json_object_get(st, "table"), *lanes = json_object_get(st, "lanes");
	char n1[64], n2[64], n3[64], n4[64], up[64];

	printf("daemon    fnatd %s, pid %lld, up %s\n", view_string(st, "version"),
	       view_integer(st, "pid"),
	       text_duration((unsigned long long)view_integer(st, "uptime_s"), up));
	printf("config    generation %lld%s: %s, %s, %s, %s\n", view_integer(st, "generation"),
	       json_is_true(json_object_get(st, "durable")) ? "" : " (not stored on disk)",
	       text_count((unsigned long long)view_integer(st, "services"), "service", n1),
	       text_count((unsigned long long)view_integer(st, "listeners"), "listener", n2),
	       text_count((unsigned long long)view_integer(st, "backends"), "backend", n3),
	       text_count((unsigned long long)view_integer(st, "pools"), "pool", n4));
	printf("kernel    table inet %s, %s: %s, %s; lanes %lld of %lld used\n",
	       view_string(table, "name"),
	       json_is_true(json_object_get(st, "flushed"))    ? "FLUSHED"
	       : json_is_true(json_object_get(table, "owner")) ? "owned by fnatd"
							       : "not owned",
	       text_count((unsigned long long)view_integer(st, "elements"), "element", n1),
	       text_count((unsigned long long)view_integer(st, "programs"), "program", n2),
	       view_integer(lanes, "used"), view_integer(lanes, "total"));
	if (view_integer(lanes, "without"))
		printf("          %s without a lane: weighted random instead of round robin\n",
		       text_count((unsigned long long)view_integer(lanes, "without"), "listener",
				  n1));
	printf("commits   %lld, the last took %lld us; %lld failed; %s repaired; %lld pending\n",
	       view_integer(st, "batches"), view_integer(st, "last_commit_us"),
	       view_integer(st, "batch_failures"),
	       text_count((unsigned long long)view_integer(st, "drift_repaired"), "foreign change",
			  n1),
	       view_integer(st, "pending"));
	print_confirm(st);
}

/* --- where connections go ------------------------------------------------------------------ */

static long long total_weight(const json_t *backends, int family)
{
	long long sum = 0;
	const char *name;
	json_t *b;

	json_object_foreach ((json_t *)backends, name, b) {
		if (view_family(b) == family)
			sum += view_integer(b, "weight");
	}
	return sum;
}

/* ppm as "0 %", "0.02 %", "12.5 %". */
static const char *percent(double ppm, char buf[32])
{
	double p = ppm / 10000;

	snprintf(buf, 32, p == 0 ? "0 %%" : p < 1 ? "%.2f %%" : "%.1f %%", p);
	return buf;
}

static const json_t *find_placement(const json_t *placements, const json_t *listener)
{
	size_t i;
	json_t *p;

	json_array_foreach (json_object_get(placements, "placements"), i, p) {
		if (json_equal(json_object_get(p, "listener"), listener))
			return p;
	}
	return NULL;
}

static void listener_cells(struct columns *c, const json_t *listener, const json_t *placements)
{
	const json_t *p = find_placement(placements, listener);
	char buf[VIEW_BYTES], number[32];

	columns_cell(c, "%s", view_endpoint(listener, buf));
	columns_cell(c, "%s", view_string(p, "program"));
	if (p)
		columns_cell(c, "%s", percent((double)view_integer(p, "error_ppm"), number));
	else
		columns_cell(c, "?");
}

static void backend_cells(struct columns *c, const char *name, const json_t *b, long long total)
{
	double weight = (double)view_integer(b, "weight");
	char buf[VIEW_BYTES], number[32];

	columns_cell(c, "%s", name);
	columns_cell(c, "%s", view_endpoint(b, buf));
	columns_cell(c, "%lld", view_integer(b, "weight"));
	columns_cell(c, "%s", total ? percent(weight / (double)total * 1e6, number) : "0 %");
}

/* The next listener (from *i) or backend (from *iter) of a family, or NULL. */
static const json_t *next_listener(const json_t *list, size_t *i, int family)
{
	while (*i < json_array_size(list)) {
		const json_t *l = json_array_get(list, (*i)++);

		if (view_family(l) == family)
			return l;
	}
	return NULL;
}

static void *next_backend(json_t *backends, void *iter, int family)
{
	while (iter && view_family(json_object_iter_value(iter)) != family)
		iter = json_object_iter_next(backends, iter);
	return iter;
}

/* Listeners on the left and the backends that they all share on the right, line by line. */
static void add_family(struct columns *c, const char **name, json_t *s, const json_t *placements,
		       int family)
{
	json_t *backends = json_object_get(s, "backends");
	const json_t *listeners = json_object_get(s, "listeners"), *l;
	void *iter = next_backend(backends, json_object_iter(backends), family);
	long long total = total_weight(backends, family);
	size_t i = 0;

	l = next_listener(listeners, &i, family);
	if (!l)
		return;
	while (l || iter) {
		columns_cell(c, "%s", *name);
		columns_cell(c, "%s", **name ? view_string(s, "scheduler") : "");
		*name = "";
		if (l)
			listener_cells(c, l, placements);
		else
			for (int k = 0; k < 3; k++)
				columns_cell(c, "%s", "");
		if (iter) {
			backend_cells(c, json_object_iter_key(iter), json_object_iter_value(iter),
				      total);
			iter = next_backend(backends, json_object_iter_next(backends, iter),
					    family);
		}
		columns_end_row(c);
		l = next_listener(listeners, &i, family);
	}
}

static int add_service(struct cli *cli, struct columns *c, const char *name, json_t *s)
{
	char *base = cli_path("/v1/services/", name), *path = mem_printf("%s/placements", base);
	json_t *placements;
	int ret = cli_get(cli, path, &placements);

	if (ret == CLI_OK) {
		add_family(c, &name, s, placements, AF_INET);
		add_family(c, &name, s, placements, AF_INET6);
	}
	json_decref(placements);
	free(path);
	free(base);
	return ret;
}

static int print_placements(struct cli *cli, json_t *services)
{
	static const char *const headings[] = { "SERVICE", "SCHEDULER", "LISTENER", "PROGRAM",
						">ERROR",  "BACKEND",   "ADDRESS",  ">WEIGHT",
						">SHARE",  NULL };
	struct columns *c = columns_new(headings);
	const char *name;
	int ret = CLI_OK;
	json_t *s;

	json_object_foreach (services, name, s) {
		ret = add_service(cli, c, name, s);
		if (ret != CLI_OK)
			break;
	}
	if (ret == CLI_OK && columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);
	return ret;
}

static int status_of_service(struct cli *cli, const char *name)
{
	char *path = cli_path("/v1/services/", name),
	     *placements = mem_printf("%s/placements", path);
	json_t *object = NULL;
	int ret = cli_get(cli, cli_is_json(cli) ? placements : path, &object);

	if (ret == CLI_OK && cli_is_json(cli)) {
		cli_print_json(cli, object);
		json_decref(object);
	} else if (ret == CLI_OK) {
		json_t *services = json_pack("{s:o}", name, object);

		ret = print_placements(cli, services);
		json_decref(services);
	}
	free(path);
	free(placements);
	return ret;
}

static int print_services(struct cli *cli, const json_t *st)
{
	json_t *services;
	char n[64];
	int ret;

	if (view_integer(st, "services") == 0)
		return CLI_OK;
	putchar('\n');
	if (view_integer(st, "services") > SERVICES_LISTED_MAX) {
		printf("%s: `fnatctl status SERVICE` shows one, `fnatctl show services` all\n",
		       text_count((unsigned long long)view_integer(st, "services"), "service", n));
		return CLI_OK;
	}
	ret = cli_get(cli, "/v1/services", &services);
	if (ret == CLI_OK)
		ret = print_placements(cli, services);
	json_decref(services);
	return ret;
}

int run_status(struct cli *cli, char *const args[], size_t n)
{
	json_t *st;
	int ret;

	if (cli->given & CLI_WAIT && cli_wait_for_daemon(cli) != CLI_OK)
		return CLI_UNREACHABLE;
	if (n > 0)
		return status_of_service(cli, args[0]);
	ret = cli_get(cli, "/v1/status", &st);
	if (ret != CLI_OK)
		return ret;
	if (cli_is_json(cli)) {
		cli_print_json(cli, st);
	} else {
		print_daemon(st);
		ret = print_services(cli, st);
		finding_print_all(cli, json_object_get(st, "preflight"));
	}
	json_decref(st);
	return ret;
}
