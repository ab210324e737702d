/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing about a single command stands here: what is printed is in the tables, so that it cannot
 * be forgotten when a command changes.
 */
#include "fnatctl/help.h"

#include <string.h>

#include "fnatctl/options.h"
#include "plan/scheduler.h"

#define WIDTH 78

/* Text, broken between words. */
static void print_wrapped(const char *text, FILE *out)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column && column + 1 + len > WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s%.*s", column ? " " : "", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static size_t usage_width(const struct command *c, const char *name)
{
	return strlen(name) + strlen(c->args) + 1;
}

/* The commands whose names begin with n words; all of them by section. */
static void print_list(char *const words[], size_t n, FILE *out)
{
	const struct command *c;
	const char *name;
	size_t width = 0;

	for (size_t i = 0; (c = command_at(i)); i++) {
		name = command_name(c, words, n);
		if (name && usage_width(c, name) > width)
			width = usage_width(c, name);
	}
	for (size_t i = 0; (c = command_at(i)); i++) {
		name = command_name(c, words, n);
		if (n == 0 && c->section)
			fprintf(out, "\n%s:\n", c->section);
		if (name && *name != '_')
			fprintf(out, "  %s %-*s  %s\n", name, (int)(width - strlen(name) - 1),
				c->args, c->summary);
	}
}

static void print_schedulers(FILE *out)
{
	const struct scheduler *s;

	for (size_t i = 0; (s = scheduler_at(i)); i++)
		fprintf(out, "  %-7s %s\n", s->name, s->summary);
}

void help_all(FILE *out)
{
	fputs("usage: fnatctl [OPTION...] COMMAND [ARGUMENT...]\n", out);
	print_list(NULL, 0, out);
	fputs("\noptions:\n", out);
	options_help(0, out);
	fputs("\noptions of some commands:\n", out);
	options_help(~0u, out);
	fputs("\nOutput is a table on a terminal and JSON elsewhere.\n"
	      "Exit status: 0 done, 1 refused, 2 not understood, 3 the daemon does not answer.\n",
	      out);
}

void help_usage(const struct command *c, FILE *out)
{
	const char *blank = *c->args ? " " : "";

	fprintf(out, "usage: fnatctl %s%s%s\n", c->words, blank, c->args);
	if (c->alias)
		fprintf(out, "   or: fnatctl %s%s%s\n", c->alias, blank, c->args);
	if (c->example)
		fprintf(out, "example: %s\n", c->example);
}

void help_command(const struct command *c, FILE *out)
{
	fprintf(out, "fnatctl %s - %s\n\n", c->words, c->summary);
	help_usage(c, out);
	if (c->details) {
		fputc('\n', out);
		print_wrapped(c->details, out);
	}
	if (c->options) {
		fputs("\noptions:\n", out);
		options_help(c->options, out);
	}
}

int run_help(struct cli *cli, char *const args[], size_t n)
{
	const struct command *c, *last = NULL;
	size_t n_words, n_matches = 0;

	(void)cli;
	if (n == 0) {
		help_all(stdout);
		return CLI_OK;
	}
	if (n == 1 && strcmp(args[0], "schedulers") == 0) {
		print_schedulers(stdout);
		return CLI_OK;
	}
	for (size_t i = 0; (c = command_at(i)); i++)
		if (command_name(c, args, n)) {
			n_matches++;
			last = c;
		}
	c = command_lookup(args, n, &n_words);
	if (n_matches > 1 && !(c && n_words == n)) {
		print_list(args, n, stdout);
		return CLI_OK;
	}
	if (!c || n_words < n)
		c = last ? last : command_find(args, n, &n_words);
	if (!c)
		return CLI_USAGE;
	help_command(c, stdout);
	if (n_matches > 1) {
		putchar('\n');
		print_list(args, n, stdout);
	}
	return CLI_OK;
}

int run_version(struct cli *cli, char *const args[], size_t n)
{
	struct request rq = { .method = "GET", .path = "/v1/status" };
	json_t *out = json_pack("{s:s}", "fnatctl", PACKAGE_VERSION), *status = NULL;
	struct err err = ERR_INIT;
	const char *version;
	struct reply reply;

	(void)args;
	(void)n;
	cli->client = client_new(cli->socket_path, cli->timeout_s);
	/* Whether the daemon answers is not the question. */
	if (client_send(cli->client, &rq, &reply, &err) == 0 && reply.status == 200)
		status = json_loadb(reply.body, reply.len, 0, NULL);
	version = json_string_value(json_object_get(status, "version"));
	if (version)
		json_object_set_new(out, "fnatd", json_string(version));
	if (cli_is_json(cli))
		cli_print_json(cli, out);
	else
		printf("fnatctl %s\nfnatd %s\n", PACKAGE_VERSION,
		       version ? version : "(does not answer)");
	reply_fini(&reply);
	err_fini(&err);
	json_decref(status);
	json_decref(out);
	return CLI_OK;
}
