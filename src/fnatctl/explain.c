/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection's way through the ruleset, a line a step.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/commands.h"
#include "fnatctl/view.h"

static void step(const char *name)
{
	printf("%-9s ", name);
}

static void print_endpoint(const json_t *object)
{
	char buf[VIEW_BYTES];

	fputs(view_endpoint(object, buf), stdout);
}

static bool is_verdict(const json_t *e, const char *verdict)
{
	return strcmp(view_string(e, "verdict"), verdict) == 0;
}

static void print_listener(const json_t *e)
{
	step("listener");
	print_endpoint(json_object_get(e, "virtual"));
	if (is_verdict(e, "nobody"))
		printf("/%s: none of a service; fnat leaves it alone\n",
		       view_string(e, "protocol"));
	else
		printf("/%s of service %s\n", view_string(e, "protocol"),
		       view_string(e, "service"));
}

static void print_program(const json_t *e)
{
	const json_t *slot = json_object_get(e, "slot");

	step("program");
	printf("chain %s\n", view_string(e, "program"));
	if (!view_integer(e, "slots"))
		return;
	step("slot");
	if (json_is_integer(slot))
		printf("%lld of %lld, by hash\n", (long long)json_integer_value(slot),
		       view_integer(e, "slots"));
	else
		printf("one of %lld\n", view_integer(e, "slots"));
}

static const char *reason(const json_t *e)
{
	const char *by = view_string(e, "by");

	if (strcmp(by, "pin") == 0)
		return "; the client is pinned to it";
	return strcmp(by, "persistence") == 0 ? "; the service remembers the client" : "";
}

static void print_backends(const json_t *e)
{
	const json_t *backends = json_object_get(e, "backends"), *b;
	bool is_one = is_verdict(e, "backend");
	size_t i;

	json_array_foreach (backends, i, b) {
		step(is_one ? "backend" : i == 0 ? "one of" : "");
		printf("%s, ", view_string(b, "name"));
		print_endpoint(b);
		if (!is_one)
			printf(", %.1f %%", 100.0 * (double)view_integer(b, "slots") /
						    (double)view_integer(e, "slots"));
		puts(reason(e));
	}
	if (is_verdict(e, "refused") || is_verdict(e, "dropped")) {
		step("verdict");
		printf("%s: no backend takes connections\n", view_string(e, "verdict"));
	}
}

static void print_local(const json_t *local)
{
	if (!json_is_object(local))
		return;
	step("local");
	print_endpoint(local);
	printf(", number %lld of %lld of pool %s%s; %s\n", view_integer(local, "index"),
	       view_integer(local, "addresses"), view_string(local, "pool"),
	       json_is_true(json_object_get(local, "detour"))
		       ? ", instead of one without ports for the backend"
		       : "",
	       json_is_integer(json_object_get(local, "port")) ? "another port when that is taken"
							       : "some port of the pool's");
}

static void print_live(const json_t *e)
{
	const json_t *live = json_object_get(e, "live"), *backend;
	const char *name;

	step("live");
	if (!json_is_object(live)) {
		puts("no such connection now");
		return;
	}
	backend = json_object_get(live, "backend");
	name = view_string(backend, "name");
	printf("%s, backend %s, ", view_string(live, "state"), *name ? name : "(not one any more)");
	print_endpoint(backend);
	fputs(", local ", stdout);
	print_endpoint(json_object_get(live, "local"));
	puts(json_is_true(json_object_get(e, "agrees")) ? ": as above"
							: ": not as above; older than a change");
}

static void print_explanation(const json_t *e)
{
	print_listener(e);
	if (!is_verdict(e, "nobody")) {
		print_program(e);
		print_backends(e);
		print_local(json_object_get(e, "local"));
	}
	print_live(e);
}

int run_explain(struct cli *cli, char *const args[], size_t n)
{
	char *protocol = client_escape(args[0]), *client = client_escape(args[1]);
	char *to = client_escape(args[2]);
	char *path =
		mem_printf("/v1/explain?protocol=%s&client=%s&virtual=%s", protocol, client, to);
	json_t *explanation;
	int ret = cli_get(cli, path, &explanation);

	(void)n;
	if (ret == CLI_OK && cli_is_json(cli))
		cli_print_json(cli, explanation);
	else if (ret == CLI_OK)
		print_explanation(explanation);
	if (ret == CLI_OK)
		json_decref(explanation);
	free(path);
	free(to);
	free(client);
	free(protocol);
	return ret;
}
