/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The health of backends as a table, or of one backend with its results one by one.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"

/* So much of the history fits a line; all of it is in JSON. */
#define HISTORY_SHOWN 16

static const json_t *last_result(const json_t *b)
{
	return json_array_get(json_object_get(b, "results"), 0);
}

static const char *history(const json_t *b)
{
	const char *text = view_string(b, "history");
	size_t len = strlen(text);

	return len > HISTORY_SHOWN ? text + len - HISTORY_SHOWN : text;
}

static unsigned long long seconds_since(const json_t *b)
{
	long long ms = (long long)time(NULL) * 1000 - view_integer(b, "since_ms");

	return ms > 0 ? (unsigned long long)ms / 1000 : 0;
}

/* "down, drain, 50 %": what the agent beside the check says against it; "" where there is nothing.
 * The caller frees it. */
static char *agent_against(const json_t *b)
{
	const json_t *agent = json_object_get(b, "agent"), *percent;
	const char *order = view_string(agent, "order");
	char weight[32] = "";

	percent = json_object_get(agent, "weight_percent");
	if (percent && json_integer_value(percent) != 100)
		snprintf(weight, sizeof(weight), ", %lld %%",
			 (long long)json_integer_value(percent));
	if (strcmp(order, "ready") == 0)
		order = "";
	return mem_printf("%s%s%s%s", json_is_true(json_object_get(agent, "down")) ? ", down" : "",
			  *order ? ", " : "", order, weight);
}

static void add_backend(struct columns *c, const char *service, const char *check, const char *name,
			const json_t *b)
{
	const json_t *last = last_result(b);
	char buf[64], *against = agent_against(b);

	columns_cell(c, "%s", service);
	columns_cell(c, "%s", name);
	columns_cell(c, "%s", view_string(b, "state"));
	columns_cell(c, "%s", text_duration(seconds_since(b), buf));
	columns_cell(c, "%s", check);
	columns_cell(c, "%s", history(b));
	if (last)
		columns_cell(c, "%.1f ms", (double)view_integer(last, "duration_us") / 1000);
	else
		columns_cell(c, "%s", "");
	columns_cell(c, "%s%s%s%s%s", view_string(last, "reason"), *against ? "; agent: " : "",
		     *against ? against + 2 : "", *view_string(b, "warning") ? "; WARNING: " : "",
		     view_string(b, "warning"));
	free(against);
}

static void print_all(const struct cli *cli, json_t *services)
{
	static const char *const headings[] = { "SERVICE", "BACKEND",     "STATE",
						"SINCE",   "CHECK",       "HISTORY",
						">TOOK",   "LAST RESULT", NULL };
	struct columns *c = columns_new(headings);
	const char *service, *name;
	json_t *s, *b;

	json_object_foreach (services, service, s) {
		const char *shown = service; /* on its first line */

		json_object_foreach (json_object_get(s, "backends"), name, b) {
			add_backend(c, shown, view_string(s, "check"), name, b);
			shown = "";
		}
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("no backends are checked: give services a check, fnatctl service set SERVICE "
		     "check.type=tcp");
	columns_free(c);
}

static void print_results(const struct cli *cli, const json_t *b)
{
	static const char *const headings[] = { "WHEN", "RESULT", ">TOOK", "WHY", NULL };
	struct columns *c = columns_new(headings);
	char buf[VIEW_BYTES];
	json_t *r;
	size_t i;

	json_array_foreach (json_object_get(b, "results"), i, r) {
		columns_cell(c, "%s", view_time(r, buf));
		columns_cell(c, "%s", view_string(r, "result"));
		columns_cell(c, "%.1f ms", (double)view_integer(r, "duration_us") / 1000);
		columns_cell(c, "%s", view_string(r, "reason"));
	}
	if (columns_rows(c))
		columns_print(c, cli_is_coloured(cli), stdout);
	else
		puts("there are no results yet");
	columns_free(c);
}

static void print_replies(struct columns *c, const json_t *replies)
{
	columns_cell(c, "replies");
	columns_cell(c, "%.2f ms of late, %.2f ms on average, %lld connections%s",
		     (double)view_integer(replies, "smoothed_us") / 1000,
		     (double)view_integer(replies, "mean_us") / 1000,
		     view_integer(replies, "connections"),
		     json_is_true(json_object_get(replies, "exact")) ? "" : "; not exact");
}

static void print_agent(struct columns *c, const json_t *b)
{
	const json_t *agent = json_object_get(b, "agent");
	char *against = agent_against(b);

	columns_cell(c, "agent");
	columns_cell(c, "%s; last: %s", *against ? against + 2 : "nothing against it",
		     view_string(last_result(agent), "reason"));
	columns_cell(c, "agent asked");
	columns_cell(c, "%lld ok, %lld failed, %lld undone", view_integer(agent, "ok"),
		     view_integer(agent, "failed"), view_integer(agent, "undone"));
	free(against);
}

static void print_one(const struct cli *cli, const char *name, const json_t *b)
{
	struct columns *c = columns_new((const char *const[]){ "BACKEND", name, NULL });
	char buf[VIEW_BYTES], *warning = text_safe(view_string(b, "warning"));

	columns_cell(c, "state");
	columns_cell(c, "%s, since %s", view_string(b, "state"),
		     text_duration(seconds_since(b), buf));
	if (view_integer(b, "needed")) {
		columns_cell(c, "needed");
		columns_cell(c, "%lld more in a row", view_integer(b, "needed"));
	}
	columns_cell(c, "asked at");
	columns_cell(c, "%s", view_endpoint(b, buf));
	columns_cell(c, "checks");
	columns_cell(c, "%lld ok, %lld failed, %lld undone", view_integer(b, "ok"),
		     view_integer(b, "failed"), view_integer(b, "undone"));
	if (json_object_get(b, "next_in_ms")) {
		columns_cell(c, "next");
		columns_cell(c, "in %.1f s", (double)view_integer(b, "next_in_ms") / 1000);
	}
	if (json_object_get(b, "replies"))
		print_replies(c, json_object_get(b, "replies"));
	if (json_object_get(b, "agent"))
		print_agent(c, b);
	columns_cell(c, "history");
	columns_cell(c, "%s", view_string(b, "history"));
	if (*warning) {
		columns_cell(c, "warning");
		columns_cell(c, "%s", warning);
	}
	columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);
	putchar('\n');
	print_results(cli, b);
	free(warning);
}

/* The backend of "web/a" in the health of its service, or NULL and a message. */
static json_t *find_backend(json_t *service, const char *name, const char *backend)
{
	json_t *b = json_object_get(json_object_get(service, "backends"), backend);

	if (!b)
		cli_error("backend %s: no such backend, or it is not checked", name);
	return b;
}

static int health_of(struct cli *cli, const char *name)
{
	const char *slash = strchr(name, '/');
	char *service = slash ? mem_strndup(name, (size_t)(slash - name)) : mem_strdup(name);
	char *base = cli_path("/v1/services/", service), *path = mem_printf("%s/health", base);
	json_t *s = NULL, *shown = NULL, *all;
	int ret = cli_get(cli, path, &s);

	if (ret == CLI_OK)
		shown = slash ? find_backend(s, name, slash + 1) : s;
	if (ret == CLI_OK && !shown)
		ret = CLI_REFUSED;
	if (shown && cli_is_json(cli)) {
		cli_print_json(cli, shown);
	} else if (shown && slash) {
		print_one(cli, name, shown);
	} else if (shown) {
		all = json_pack("{s:O}", service, s);
		print_all(cli, all);
		json_decref(all);
	}
	json_decref(s);
	free(path);
	free(base);
	free(service);
	return ret;
}

int run_health(struct cli *cli, char *const args[], size_t n)
{
	json_t *services;
	int ret;

	if (n > 0)
		return health_of(cli, args[0]);
	ret = cli_get(cli, "/v1/health", &services);
	if (ret != CLI_OK)
		return ret;
	if (cli_is_json(cli))
		cli_print_json(cli, services);
	else
		print_all(cli, services);
	json_decref(services);
	return ret;
}
