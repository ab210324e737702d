/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that change one object. Each change is one request, so that it takes effect as a whole
 * or not at all. With --confirm it goes to /v1/changes, which can be confirmed; the routes of the
 * objects cannot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/assign.h"
#include "fnatctl/change.h"
#include "fnatctl/commands.h"
#include "fnatctl/outcome.h"
#include "fnatctl/target.h"
#include "fnatctl/view.h"
#include "model/json.h"

static bool is_accepted(const struct reply *r)
{
	return r->status >= 200 && r->status < 300;
}

/* The status of the only change in an answer of /v1/changes. */
static void take_status(struct reply *r)
{
	json_t *answer = is_accepted(r) ? json_loadb(r->body, r->len, 0, NULL) : NULL;
	const json_t *results = json_object_get(answer, "results");
	long long status = view_integer(json_array_get(results, 0), "status");

	r->status = status ? (long)status : r->status;
	json_decref(answer);
}

static char *changes_body(const char *method, const char *path, const json_t *value)
{
	json_t *change = json_pack("{s:s,s:s}", "method", method, "path", path), *all;
	char *text;

	if (value)
		json_object_set(change, "body", (json_t *)value);
	all = json_pack("{s:[o]}", "changes", change);
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return text;
}

static int send_object(struct cli *cli, const char *method, const struct target *t,
		       const json_t *value, bool only_creates, struct reply *out)
{
	bool is_listed = cli->given & CLI_CONFIRM;
	char *path = cli_query(cli, is_listed ? "/v1/changes" : t->path);
	char *body = is_listed ? changes_body(method, t->path, value)
		     : value   ? json_dumps(value, JSON_COMPACT)
			       : NULL;
	struct request rq = { .method = is_listed ? "POST" : method,
			      .path = path,
			      .if_match = cli->if_match,
			      .only_creates = !is_listed && only_creates };
	int ret;

	if (body) {
		rq.body = body;
		rq.len = strlen(body);
		rq.content_type = !strcmp(rq.method, "PATCH") ? CLI_PATCH_TYPE : CLI_JSON_TYPE;
	}
	ret = cli_send(cli, &rq, out);
	if (ret == CLI_OK && is_listed)
		take_status(out);
	free(body);
	free(path);
	return ret;
}

static int finish(struct cli *cli, const struct target *t, const char *result, struct reply *r)
{
	int ret;

	if (is_accepted(r))
		return outcome_print(cli, t->what, r->status == 201 ? "created" : result, r);
	ret = cli_refused(cli, t->path, r, NULL);
	reply_fini(r);
	return ret;
}

/* Makes the object of the patch applied to nothing. */
static int create(struct cli *cli, const struct target *t, const json_t *patch_value,
		  struct reply *out)
{
	json_t *value = json_merge_patch(NULL, patch_value);
	int ret = send_object(cli, "PUT", t, value, true, out);

	json_decref(value);
	return ret;
}

/*
 * Is the object there? Asked before a change that is to be confirmed: fnatd prepares the way back
 * first, and one change that is refused would stand in the way of the next. If it is not there,
 * that is made a condition.
 */
static int look(struct cli *cli, const struct target *t, bool *is_there, char **generation)
{
	struct request now = { .method = "GET", .path = "/v1/status" };
	struct request there = { .method = "GET", .path = t->path };
	struct reply reply;
	int ret = cli_call(cli, &now, NULL, &reply);

	if (ret != CLI_OK)
		return ret;
	*generation = mem_printf("%llu", (unsigned long long)reply.generation);
	reply_fini(&reply);
	ret = cli_send(cli, &there, &reply);
	if (ret != CLI_OK)
		return ret;
	*is_there = reply.status != 404;
	if (!*is_there && !cli->if_match)
		cli->if_match = *generation;
	reply_fini(&reply);
	return CLI_OK;
}

/* What is there is patched; what is not there yet is made. */
static int patch_or_create(struct cli *cli, const struct target *t, const json_t *value)
{
	char *generation = NULL;
	bool is_there = true;
	struct reply reply;
	int ret = cli->given & CLI_CONFIRM ? look(cli, t, &is_there, &generation) : CLI_OK;

	if (ret == CLI_OK && is_there)
		ret = send_object(cli, "PATCH", t, value, false, &reply);
	if (ret == CLI_OK && is_there && reply.status == 404) {
		reply_fini(&reply);
		is_there = false;
	}
	if (ret == CLI_OK && !is_there)
		ret = create(cli, t, value, &reply);
	if (ret == CLI_OK)
		ret = finish(cli, t, "changed", &reply);
	free(generation);
	return ret;
}

static int add(struct cli *cli, const struct target *t, const json_t *value)
{
	struct reply reply;
	int ret = create(cli, t, value, &reply);

	if (ret == CLI_OK && reply.status == 412) {
		cli_error("%s exists already: `fnatctl %s set` changes it", t->what,
			  cli->command->object);
		reply_fini(&reply);
		return CLI_REFUSED;
	}
	return ret == CLI_OK ? finish(cli, t, "created", &reply) : ret;
}

/* The target that args[0] names, and what the others say about it. */
static int assigned(struct cli *cli, char *const args[], size_t n,
		    int (*act)(struct cli *cli, const struct target *t, const json_t *value))
{
	struct err err = ERR_INIT;
	struct target t;
	int ret = target_init(&t, cli->command->object, args[0]);
	json_t *value;

	if (ret != CLI_OK)
		return ret;
	value = assign_parse(cli->command->object, args + 1, n - 1, &err);
	if (value) {
		ret = act(cli, &t, value);
	} else {
		cli_problems(&err);
		ret = err.kind == ERR_SYNTAX ? CLI_USAGE : CLI_REFUSED;
	}
	json_decref(value);
	err_fini(&err);
	target_fini(&t);
	return ret;
}

int run_add(struct cli *cli, char *const args[], size_t n)
{
	return assigned(cli, args, n, add);
}

int run_set(struct cli *cli, char *const args[], size_t n)
{
	return assigned(cli, args, n, patch_or_create);
}

int change_object(struct cli *cli, const char *method, const struct target *t, const json_t *value,
		  const char *result)
{
	struct reply reply;
	int ret = send_object(cli, method, t, value, false, &reply);

	return ret == CLI_OK ? finish(cli, t, result, &reply) : ret;
}

int run_del(struct cli *cli, char *const args[], size_t n)
{
	struct target t;
	int ret = target_init(&t, cli->command->object, args[0]);

	(void)n;
	if (ret != CLI_OK)
		return ret;
	ret = change_object(cli, "DELETE", &t, NULL, "removed");
	target_fini(&t);
	return ret;
}
