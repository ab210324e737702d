/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command that fails has said why by the time it returns: the functions here print the reason
 * where it is known best, and hand back the exit status.
 */
#include "fnatctl/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "fnatctl/indent.h"
#include "fnatctl/nearest.h"
#include "fnatctl/progress.h"
#include "fnatctl/text.h"

bool cli_is_json(const struct cli *cli)
{
	if (cli->output == OUTPUT_AUTO)
		return !cli->is_terminal;
	return cli->output == OUTPUT_JSON;
}

bool cli_is_coloured(const struct cli *cli)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return cli->is_terminal && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void cli_error(const char *fmt, ...)
{
	char *text, *safe;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = mem_strdup(fmt);
	va_end(ap);
	safe = text_safe(text);
	fflush(stdout);
	fprintf(stderr, "fnatctl: %s\n", safe);
	free(safe);
	free(text);
}

void cli_problems(const struct err *err)
{
	for (size_t i = 0; i < err->n_problems; i++) {
		const struct problem *p = &err->problems[i];

		cli_error("%s%s%s", p->pointer, *p->pointer ? ": " : "", p->message);
	}
	if (err->n_dropped)
		cli_error("and %zu problems more", err->n_dropped);
}

/* Progress is drawn on stderr, and not between the lines of a result on the same terminal. */
static bool is_watched(const struct cli *cli, const struct request *rq)
{
	return progress_is_possible() && !rq->is_endless && !(rq->take && cli->is_terminal);
}

int cli_send(struct cli *cli, const struct request *rq, struct reply *out)
{
	struct progress progress;
	struct err err = ERR_INIT;
	int ret = CLI_OK, code;

	if (!cli->client)
		cli->client = client_new(cli->socket_path, cli->timeout_s);
	progress_init(&progress, stderr);
	client_set_progress(cli->client, is_watched(cli, rq) ? progress_show : NULL, &progress);
	code = client_send(cli->client, rq, out, &err);
	client_set_progress(cli->client, NULL, NULL);
	progress_fini(&progress);
	if (code < 0) {
		cli_problems(&err);
		reply_fini(out);
		ret = code == -ECANCELED ? CLI_REFUSED : CLI_UNREACHABLE;
	}
	err_fini(&err);
	return ret;
}

/* Who may, and how to become one of them. */
static void print_group_advice(const struct cli *cli)
{
	char *group = client_group(cli->socket_path);

	if (group)
		cli_error("members of group %s may: `usermod -aG %s USER` as root, then log in "
			  "again",
			  group, group);
	else
		cli_error("fnatd lets in root only; `fnatd --group GROUP` names a group that "
			  "may, too");
	free(group);
}

/* What the status alone does not tell the user how to mend. */
static void print_advice(const struct cli *cli, long status)
{
	if (status == 413)
		cli_error("fnatd takes larger documents when it is started with --max-body BYTES");
	else if (status == 412)
		cli_error("somebody else has made a change meanwhile; look at it and try again");
	else if (status == 403)
		print_group_advice(cli);
}

/* The problems of application/problem+json; 0 when there are none. */
static size_t print_problems(const json_t *body)
{
	const json_t *problem;
	size_t i;

	json_array_foreach (json_object_get(body, "problems"), i, problem) {
		const char *pointer = json_string_value(json_object_get(problem, "pointer"));
		const char *message = json_string_value(json_object_get(problem, "message"));

		pointer = pointer ? pointer : "";
		cli_error("%s%s%s", pointer, *pointer ? ": " : "", message ? message : "?");
	}
	return json_array_size(json_object_get(body, "problems"));
}

/* Nothing of that name: one that is like it. */
static void print_nearest(const struct cli *cli, const char *path)
{
	char *name = nearest_name(cli->client, path);

	if (name)
		cli_error("did you mean \"%s\"?", name);
	free(name);
}

int cli_refused(const struct cli *cli, const char *path, const struct reply *r,
		const struct document *sent)
{
	json_t *body = json_loadb(r->body, r->len, 0, NULL);
	const char *detail = json_string_value(json_object_get(body, "detail"));
	const char *title = json_string_value(json_object_get(body, "title"));

	if (r->status == 400 && sent && document_explain(sent, stderr))
		; /* the file, line and column say more than the daemon could */
	else if (print_problems(body) == 0)
		cli_error("%s (HTTP status %ld)",
			  detail  ? detail
			  : title ? title
				  : "refused without a reason",
			  r->status);
	print_advice(cli, r->status);
	if (r->status == 404)
		print_nearest(cli, path);
	json_decref(body);
	return CLI_REFUSED;
}

int cli_wait_for_daemon(struct cli *cli)
{
	static const struct timespec pause = { .tv_nsec = 100000000 };
	struct request rq = { .method = "GET", .path = "/v1/status" };
	long n_left = cli->timeout_s * 10;

	if (!cli->client)
		cli->client = client_new(cli->socket_path, cli->timeout_s);
	for (;;) {
		struct err err = ERR_INIT;
		struct reply reply;
		int code = client_send(cli->client, &rq, &reply, &err);
		bool is_over = cli->timeout_s && --n_left <= 0;

		reply_fini(&reply);
		if (code < 0 && is_over)
			cli_problems(&err);
		err_fini(&err);
		if (code == 0 || is_over)
			return code == 0 ? CLI_OK : CLI_UNREACHABLE;
		nanosleep(&pause, NULL);
	}
}

int cli_call(struct cli *cli, const struct request *rq, const struct document *sent,
	     struct reply *out)
{
	int ret = cli_send(cli, rq, out);

	if (ret != CLI_OK || (out->status >= 200 && out->status < 300))
		return ret;
	ret = cli_refused(cli, rq->path, out, sent);
	reply_fini(out);
	return ret;
}

struct copy {
	bool may_indent, is_begun;
	bool is_indented;
	struct indent indent;
	char last; /* whether the last byte was a newline */
};

static bool copy_piece(void *arg, const char *data, size_t len)
{
	struct copy *c = arg;

	if (!c->is_begun)
		c->is_indented = c->may_indent && (*data == '{' || *data == '[');
	c->is_begun = true;
	c->last = c->is_indented ? '\0' : data[len - 1];
	if (c->is_indented)
		indent_take(&c->indent, data, len);
	else
		fwrite(data, 1, len, stdout);
	if (!c->may_indent)
		fflush(stdout); /* a stream may pause here */
	return !ferror(stdout);
}

int cli_copy(struct cli *cli, const struct request *rq, const struct document *sent)
{
	struct copy copy = { .may_indent = cli->is_terminal && !rq->is_endless,
			     .indent = { .out = stdout },
			     .last = '\n' };
	struct request copied = *rq;
	struct reply reply;
	int ret;

	copied.take = copy_piece;
	copied.take_arg = &copy;
	if (copy.may_indent)
		setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* not a write for each line */
	ret = cli_call(cli, &copied, sent, &reply);
	if (copy.last != '\n')
		putchar('\n');
	if (ret == CLI_OK)
		reply_fini(&reply);
	return ret;
}

int cli_show(struct cli *cli, const char *path)
{
	return cli_copy(cli, &(struct request){ .method = "GET", .path = path }, NULL);
}

json_t *cli_json(const struct reply *r)
{
	json_error_t error;
	json_t *value = json_loadb(r->body, r->len, JSON_DECODE_ANY, &error);

	if (!value)
		cli_error("fnatd's answer is not JSON: %s", error.text);
	return value;
}

int cli_get(struct cli *cli, const char *path, json_t **out)
{
	struct request rq = { .method = "GET", .path = path };
	struct reply reply;
	int ret = cli_call(cli, &rq, NULL, &reply);

	*out = NULL;
	if (ret != CLI_OK)
		return ret;
	*out = cli_json(&reply);
	reply_fini(&reply);
	return *out ? CLI_OK : CLI_REFUSED;
}

void cli_print_json(const struct cli *cli, const json_t *value)
{
	size_t flags = JSON_ENCODE_ANY | (cli->is_terminal ? JSON_INDENT(2) : JSON_COMPACT);

	json_dumpf(value, stdout, flags);
	fputc('\n', stdout);
}

bool cli_is_number(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len > 0 && len < 19 && !text[len];
}

char *cli_path(const char *collection, const char *name)
{
	char *escaped = client_escape(name), *path = mem_printf("%s%s", collection, escaped);

	free(escaped);
	return path;
}

char *cli_query(const struct cli *cli, const char *path)
{
	char mark = strchr(path, '?') ? '&' : '?';

	if (cli->given & CLI_DRY_RUN)
		return mem_printf("%s%cdry_run=1", path, mark);
	if (cli->given & CLI_CONFIRM)
		return mem_printf("%s%cconfirm_s=%ld", path, mark, cli->confirm_s);
	return mem_strdup(path);
}
