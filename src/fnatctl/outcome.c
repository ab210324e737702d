/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether something waits to be confirmed is asked of the daemon, because it knows: a change that
 * changed nothing is not taken back.
 */
#include "fnatctl/outcome.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fnatctl/operations.h"
#include "fnatctl/view.h"

static int print_dry_run(const struct cli *cli, const struct reply *r)
{
	json_t *answer;

	if (cli_is_json(cli) && !cli->is_terminal) {
		printf("%s\n", r->body);
		return CLI_OK;
	}
	answer = cli_json(r);
	if (!answer)
		return CLI_REFUSED;
	if (cli_is_json(cli))
		cli_print_json(cli, answer);
	else
		operations_print(cli, answer);
	json_decref(answer);
	return CLI_OK;
}

/* Did the daemon make the generation after this one? While a change waits nobody else may. */
static bool is_taken_back(struct cli *cli, uint64_t generation)
{
	char *path = mem_printf("/v1/history?before=%" PRIu64 "&max=1", generation + 2);
	json_t *answer = NULL;
	const json_t *next;
	bool is = false;

	if (cli_get(cli, path, &answer) == CLI_OK) {
		next = json_array_get(json_object_get(answer, "history"), 0);
		is = view_integer(next, "generation") > (long long)generation &&
		     view_integer(next, "uid") < 0;
	}
	json_decref(answer);
	free(path);
	return is;
}

/* What waits to be confirmed, or null. The caller owns it; NULL when it is not known. */
static json_t *get_confirm(struct cli *cli, uint64_t generation, bool *was_taken_back)
{
	json_t *status, *confirm;

	*was_taken_back = false;
	if (cli_get(cli, "/v1/status", &status) != CLI_OK)
		return NULL;
	confirm = json_incref(json_object_get(status, "confirm"));
	if (json_is_null(confirm) && view_integer(status, "generation") > (long long)generation)
		*was_taken_back = is_taken_back(cli, generation);
	json_decref(status);
	return confirm;
}

static void print_json(struct cli *cli, const char *result, uint64_t generation)
{
	json_t *out =
		json_pack("{s:I,s:s}", "generation", (json_int_t)generation, "result", result);
	bool was_taken_back = false;

	if (cli->given & CLI_CONFIRM)
		json_object_set_new(out, "confirm", get_confirm(cli, generation, &was_taken_back));
	if (was_taken_back)
		json_object_set_new(out, "taken_back", json_true());
	cli_print_json(cli, out);
	json_decref(out);
}

static void print_text(struct cli *cli, const char *what, const char *result, uint64_t generation)
{
	bool was_taken_back;
	json_t *confirm;

	printf("%s %s (generation %" PRIu64 ")\n", what, result, generation);
	if (!(cli->given & CLI_CONFIRM))
		return;
	confirm = get_confirm(cli, generation, &was_taken_back);
	if (json_is_object(confirm))
		printf("generation %lld comes back in %lld s unless `fnatctl confirm` comes "
		       "first\n",
		       view_integer(confirm, "rollback_to"), view_integer(confirm, "seconds_left"));
	else if (was_taken_back)
		puts("it was not confirmed in time, and is taken back already");
	else if (confirm)
		puts("nothing was changed by it: there is nothing to confirm");
	json_decref(confirm);
}

int outcome_print(struct cli *cli, const char *what, const char *result, struct reply *r)
{
	int ret = CLI_OK;

	if (cli->given & CLI_DRY_RUN)
		ret = print_dry_run(cli, r);
	else if (cli_is_json(cli))
		print_json(cli, result, r->generation);
	else
		print_text(cli, what, result, r->generation);
	reply_fini(r);
	return ret;
}
