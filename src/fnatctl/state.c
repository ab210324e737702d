/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * States of backends. fnatd knows when one has drained, and is asked for that; it answers after a
 * while at the latest, so that a connection that broke is noticed, and is asked again.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fnatctl/change.h"
#include "fnatctl/commands.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"
#include "model/json.h"

#define WAIT_MAX_S 60

/* The state of a backend, after a while or when it has drained. Survives a restart of fnatd. */
static int get_state(struct cli *cli, const struct target *t, json_t **out)
{
	long wait_s = cli->timeout_s ? (cli->timeout_s + 1) / 2 : WAIT_MAX_S;
	char *path =
		mem_printf("%s?wait_s=%ld", t->path, wait_s < WAIT_MAX_S ? wait_s : WAIT_MAX_S);
	struct request rq = { .method = "GET", .path = path };
	struct err err = ERR_INIT;
	struct reply reply;
	int ret = CLI_OK;

	if (client_send(cli->client, &rq, &reply, &err) < 0) {
		ret = cli_wait_for_daemon(cli);
		*out = NULL;
	} else if (reply.status == 200) {
		*out = cli_json(&reply);
		ret = *out ? CLI_OK : CLI_REFUSED;
	} else {
		ret = cli_refused(cli, path, &reply, NULL);
	}
	reply_fini(&reply);
	err_fini(&err);
	free(path);
	return ret;
}

static int print_end(const struct cli *cli, const struct target *t, const json_t *state)
{
	const json_t *drain = json_object_get(state, "drain");
	long long ms = view_integer(drain, "done_ms") - view_integer(drain, "since_ms");
	long long n = view_integer(drain, "connections");
	bool is_cut = json_is_true(json_object_get(drain, "cut"));
	bool is_left = *view_string(drain, "reason") == 'd';
	char took[64];

	text_duration((unsigned long long)(ms > 0 ? ms / 1000 : 0), took);
	if (cli_is_json(cli))
		cli_print_json(cli, state);
	else if (is_left)
		printf("%s: %lld connections %s after %s\n", t->what, n,
		       is_cut ? "were cut" : "are left", took);
	else
		printf("%s drained in %s, no connection is left\n", t->what, took);
	return is_left && !is_cut ? CLI_REFUSED : CLI_OK;
}

static int wait_for_end(struct cli *cli, const struct target *t)
{
	json_t *state = NULL;
	int ret;

	for (;;) {
		ret = get_state(cli, t, &state);
		if (ret != CLI_OK)
			return ret;
		if (state && !json_object_get(state, "drain")) {
			cli_error("%s does not drain any more, it is %s", t->what,
				  view_string(state, "state"));
			ret = CLI_REFUSED;
			break;
		}
		if (json_is_true(json_object_get(json_object_get(state, "drain"), "done"))) {
			ret = print_end(cli, t, state);
			break;
		}
		json_decref(state);
	}
	json_decref(state);
	return ret;
}

static json_t *state_value(enum backend_state state)
{
	return json_pack("{s:s}", "state", backend_state_name(state));
}

int run_drain(struct cli *cli, char *const args[], size_t n)
{
	json_t *value = state_value(BACKEND_DRAINING);
	struct target t;
	int ret = target_init(&t, "backend", args[0]);

	(void)n;
	if (cli->given & CLI_DEADLINE)
		json_object_set_new(value, "drain_timeout_s", json_integer(cli->deadline_s));
	if (cli->given & CLI_CUT)
		json_object_set_new(value, "on_drain_timeout",
				    json_string(on_drain_timeout_name(ON_DRAIN_CUT)));
	if (ret == CLI_OK) {
		target_to_state(&t);
		ret = change_object(cli, "PUT", &t, value, "draining");
		if (ret == CLI_OK && cli->given & CLI_WAIT && !(cli->given & CLI_DRY_RUN))
			ret = wait_for_end(cli, &t);
		target_fini(&t);
	}
	json_decref(value);
	return ret;
}

int run_disable(struct cli *cli, char *const args[], size_t n)
{
	json_t *value = state_value(BACKEND_DISABLED);
	struct target t;
	int ret = target_init(&t, "backend", args[0]);

	(void)n;
	if (ret == CLI_OK) {
		target_to_state(&t);
		ret = change_object(cli, "PUT", &t, value, "disabled");
		target_fini(&t);
	}
	json_decref(value);
	return ret;
}

/* The weight that it is to have; -1: the one it has. */
static int find_weight(struct cli *cli, const struct target *t, const char *given,
		       long long *weight)
{
	json_t *backend;
	char *end;
	int ret;

	if (given) {
		errno = 0;
		*weight = strtoll(given, &end, 10);
		if (!errno && !*end && end != given)
			return CLI_OK;
		cli_error("\"%s\" is not a weight", given);
		return CLI_USAGE;
	}
	ret = cli_get(cli, t->path, &backend);
	*weight = view_integer(backend, "weight") ? -1 : 1;
	json_decref(backend);
	return ret;
}

/* The state alone is what can be changed in file mode, too. */
static int enable(struct cli *cli, struct target *t, long long weight)
{
	json_t *value = state_value(BACKEND_ENABLED);
	int ret;

	if (weight >= 0)
		json_object_set_new(value, "weight", json_integer(weight));
	else
		target_to_state(t);
	ret = change_object(cli, weight >= 0 ? "PATCH" : "PUT", t, value, "enabled");
	json_decref(value);
	return ret;
}

int run_enable(struct cli *cli, char *const args[], size_t n)
{
	long long weight;
	struct target t;
	int ret = target_init(&t, "backend", args[0]);

	if (ret != CLI_OK)
		return ret;
	ret = find_weight(cli, &t, n > 1 ? args[1] : NULL, &weight);
	if (ret == CLI_OK)
		ret = enable(cli, &t, weight);
	target_fini(&t);
	return ret;
}
