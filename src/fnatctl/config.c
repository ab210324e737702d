/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about the configuration as a whole, and about the table that is made of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/commands.h"
#include "fnatctl/outcome.h"
#include "fnatctl/view.h"

int run_apply(struct cli *cli, char *const args[], size_t n)
{
	struct err err = ERR_INIT;
	struct document d;
	struct reply reply;
	char *path;
	int ret;

	(void)n;
	if (document_read(args[0], &d, &err) < 0) {
		cli_problems(&err);
		err_fini(&err);
		return CLI_REFUSED;
	}
	path = cli_query(cli, "/v1/config");
	ret = cli_call(cli,
		       &(struct request){ .method = "PUT",
					  .path = path,
					  .body = d.text,
					  .len = d.len,
					  .content_type = CLI_JSON_TYPE,
					  .if_match = cli->if_match },
		       &d, &reply);
	if (ret == CLI_OK)
		ret = outcome_print(cli, "configuration", "applied", &reply);
	free(path);
	document_fini(&d);
	return ret;
}

int run_plan(struct cli *cli, char *const args[], size_t n)
{
	cli->given |= CLI_DRY_RUN;
	return run_apply(cli, args, n);
}

/* A generation from the command line; 0 is the first one. */
static int read_generation(const char *arg)
{
	if (cli_is_number(arg))
		return CLI_OK;
	cli_error("\"%s\" is not a generation's number", arg);
	return CLI_USAGE;
}

/* Did it change anything? */
static bool is_changed(const struct reply *r)
{
	json_t *answer = json_loadb(r->body, r->len, 0, NULL);
	bool is_same = json_is_false(json_object_get(answer, "changed"));

	json_decref(answer);
	return !is_same;
}

int run_rollback(struct cli *cli, char *const args[], size_t n)
{
	int ret = read_generation(args[0]);
	struct reply reply;
	char *path, *body;

	(void)n;
	if (ret != CLI_OK)
		return ret;
	path = cli_query(cli, "/v1/rollback");
	body = mem_printf("{\"generation\":%llu}", strtoull(args[0], NULL, 10));
	ret = cli_call(cli,
		       &(struct request){ .method = "POST",
					  .path = path,
					  .body = body,
					  .len = strlen(body),
					  .content_type = CLI_JSON_TYPE,
					  .if_match = cli->if_match },
		       NULL, &reply);
	if (ret == CLI_OK)
		ret = outcome_print(cli, "configuration",
				    is_changed(&reply) ? "rolled back" : "unchanged", &reply);
	free(body);
	free(path);
	return ret;
}

int run_confirm(struct cli *cli, char *const args[], size_t n)
{
	struct request rq = { .method = "POST", .path = "/v1/confirm" };
	struct reply reply;
	int ret = cli_call(cli, &rq, NULL, &reply);

	(void)args;
	(void)n;
	return ret == CLI_OK ? outcome_print(cli, "configuration", "confirmed", &reply) : ret;
}

/* --- the kernel's table -------------------------------------------------------------------- */

static int post(struct cli *cli, const char *path, json_t **out)
{
	struct reply reply;
	int ret = cli_call(cli, &(struct request){ .method = "POST", .path = path }, NULL, &reply);

	*out = NULL;
	if (ret != CLI_OK)
		return ret;
	*out = reply.len ? cli_json(&reply) : json_object();
	reply_fini(&reply);
	return *out ? CLI_OK : CLI_REFUSED;
}

int run_verify(struct cli *cli, char *const args[], size_t n)
{
	json_t *answer;
	int ret = post(cli, "/v1/verify", &answer);

	(void)args;
	(void)n;
	if (ret == CLI_OK && cli_is_json(cli))
		cli_print_json(cli, answer);
	else if (ret == CLI_OK && view_integer(answer, "operations"))
		printf("repaired: %lld operations\n", view_integer(answer, "operations"));
	else if (ret == CLI_OK)
		puts("the kernel's table is as it should be");
	json_decref(answer);
	return ret;
}

int run_flush(struct cli *cli, char *const args[], size_t n)
{
	json_t *answer;
	int ret = post(cli, "/v1/flush", &answer);

	(void)args;
	(void)n;
	if (ret == CLI_OK && cli_is_json(cli))
		cli_print_json(cli, answer);
	else if (ret == CLI_OK)
		puts("the table is removed; `fnatctl verify` puts it back");
	json_decref(answer);
	return ret;
}
