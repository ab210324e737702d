/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The API as it is: every route, also one that this fnatctl does not know.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/commands.h"

/* Text as it is, but as a JSON string for who asks for JSON. */
static int print_text(struct cli *cli, const char *path)
{
	struct request rq = { .method = "GET", .path = path };
	struct reply reply;
	json_t *value;
	int ret;

	if (cli->output != OUTPUT_JSON)
		return cli_copy(cli, &rq, NULL);
	ret = cli_call(cli, &rq, NULL, &reply);
	if (ret != CLI_OK)
		return ret;
	value = json_stringn(reply.body, reply.len);
	if (value)
		cli_print_json(cli, value);
	json_decref(value);
	reply_fini(&reply);
	return CLI_OK;
}

int run_ruleset(struct cli *cli, char *const args[], size_t n)
{
	(void)args;
	(void)n;
	return print_text(cli, "/v1/ruleset");
}

int run_metrics(struct cli *cli, char *const args[], size_t n)
{
	(void)args;
	(void)n;
	return print_text(cli, "/metrics");
}

/* JSON from the command line, or @FILE. */
static int read_body(const char *arg, struct document *d)
{
	struct err err = ERR_INIT;
	int ret = CLI_OK;

	if (*arg != '@') {
		*d = (struct document){ mem_strdup("argument"), mem_strdup(arg), strlen(arg) };
	} else if (document_read(arg + 1, d, &err) < 0) {
		cli_problems(&err);
		ret = CLI_REFUSED;
	}
	err_fini(&err);
	return ret;
}

static bool is_stream(const char *path)
{
	size_t len = strlen("/v1/events");

	return !strncmp(path, "/v1/events", len) && (!path[len] || path[len] == '?');
}

static int send_raw(struct cli *cli, const char *path, const struct document *body)
{
	const char *method = cli->command->object;
	char *target = cli_query(cli, path);
	struct request rq = { .method = method,
			      .path = target,
			      .if_match = cli->if_match,
			      .is_endless = is_stream(path) };
	int ret;

	if (body) {
		rq.body = body->text;
		rq.len = body->len;
		rq.content_type = !strcmp(method, "PATCH") ? CLI_PATCH_TYPE : CLI_JSON_TYPE;
	}
	ret = cli_copy(cli, &rq, body);
	free(target);
	return ret;
}

int run_raw(struct cli *cli, char *const args[], size_t n)
{
	struct document body = { 0 };
	int ret = CLI_OK;

	if (args[0][0] != '/' || strpbrk(args[0], " \t\r\n")) {
		cli_error("\"%s\" is not a path: it begins with / and has no blanks", args[0]);
		return CLI_USAGE;
	}
	if (n > 1)
		ret = read_body(args[1], &body);
	if (ret == CLI_OK)
		ret = send_raw(cli, args[0], n > 1 ? &body : NULL);
	document_fini(&body);
	return ret;
}
