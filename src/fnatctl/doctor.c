/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon looks, where there is one: it may be in another network namespace than whoever asks.
 * Otherwise this process looks by the same checks, with a configuration from a file; that is also
 * how a machine is seen before the first start.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/commands.h"
#include "fnatctl/finding.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"
#include "kernel/preflight.h"
#include "model/json.h"

#define DEFAULT_FILE "/etc/fnat/fnat.json"

/* --- what this process sees ---------------------------------------------------------------- */

static void add_not_running(const struct cli *cli, struct findings *list)
{
	struct finding *f = findings_add(list, "daemon-not-running", SEVERITY_WARNING);

	f->what = mem_printf("fnatd does not answer on %s", cli->socket_path);
	f->why = mem_strdup("connections go on as the kernel has them, but nothing that changes is "
			    "seen or repaired");
	f->remedy = mem_strdup("systemctl start fnatd");
}

static void look(const struct config *c, struct findings *out)
{
	struct preflight_input in = {
		.services = c->services,
		.n_services = c->n_services,
		.pools = c->pools,
		.n_pools = c->n_pools,
		.own_table = "fnat",
		.is_before_start = true,
	};

	preflight_run(&in, out);
}

/* CLI_OK, or a message. Without a path nothing is configured. */
static int read_config(const char *path, struct config *c)
{
	struct err err = ERR_INIT;
	struct document d = { 0 };
	int code = 0;

	*c = (struct config){ 0 };
	if (path)
		code = document_read(path, &d, &err);
	if (path && code == 0) {
		code = config_parse(d.text, d.len, c, &err);
		document_fini(&d);
	}
	cli_problems(&err);
	err_fini(&err);
	return code < 0 ? CLI_REFUSED : CLI_OK;
}

static int look_here(const struct cli *cli, const char *path, bool is_running, json_t **out)
{
	struct findings found = { 0 };
	struct config c;
	int ret = read_config(path, &c);

	if (ret != CLI_OK)
		return ret;
	if (geteuid() != 0)
		cli_error("not root: firewalls and what the kernel can do are not looked at");
	if (!is_running)
		add_not_running(cli, &found);
	look(&c, &found);
	*out = json_pack("{s:o, s:o}", "findings", findings_to_json(&found), "checked",
			 findings_checked_to_json(&found));
	findings_fini(&found);
	config_fini(&c);
	return CLI_OK;
}

/* --- who looks ----------------------------------------------------------------------------- */

/* CLI_OK and *out; CLI_OK and NULL when no daemon runs. */
static int ask_daemon(struct cli *cli, json_t **out)
{
	struct request rq = { .method = "GET", .path = "/v1/doctor" };
	struct err err = ERR_INIT;
	struct reply reply;
	int code, ret = CLI_OK;

	*out = NULL;
	cli->client = cli->client ? cli->client : client_new(cli->socket_path, cli->timeout_s);
	code = client_send(cli->client, &rq, &reply, &err);
	if (code == 0 && reply.status == 200)
		ret = (*out = cli_json(&reply)) ? CLI_OK : CLI_REFUSED;
	else if (code == 0)
		ret = cli_refused(cli, rq.path, &reply, NULL);
	else if (code != -ENOENT && code != -ECONNREFUSED)
		ret = CLI_UNREACHABLE;
	if (ret == CLI_UNREACHABLE)
		cli_problems(&err);
	err_fini(&err);
	reply_fini(&reply);
	return ret;
}

static int look_without(struct cli *cli, json_t **out)
{
	const char *path = access(DEFAULT_FILE, R_OK) == 0 ? DEFAULT_FILE : NULL;

	if (path)
		cli_error("fnatd does not run: this process looks, with the configuration in %s",
			  path);
	else
		cli_error("fnatd does not run: this process looks, without a configuration, and so "
			  "not at addresses and routes; `fnatctl doctor FILE` names one");
	return look_here(cli, path, false, out);
}

/* --- what is shown ------------------------------------------------------------------------- */

static size_t count(const json_t *findings, const char *severity)
{
	json_t *f;
	size_t i, n = 0;

	json_array_foreach (findings, i, f) {
		n += !strcmp(view_string(f, "severity"), severity);
	}
	return n;
}

static void print_checked(const struct cli *cli, const json_t *checked)
{
	static const char *const headings[] = { "CHECK", "RESULT", NULL };
	struct columns *c = columns_new(headings);
	char text[64];
	json_t *item;
	size_t i;

	json_array_foreach (checked, i, item) {
		long long n = view_integer(item, "findings");

		columns_cell(c, "%s", view_string(item, "id"));
		columns_cell(c, "%s",
			     n ? text_count((unsigned long long)n, "finding", text) : "good");
	}
	columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);
}

static void print_text(const struct cli *cli, const json_t *answer)
{
	const json_t *findings = json_object_get(answer, "findings");
	char errors[64], warnings[64];

	print_checked(cli, json_object_get(answer, "checked"));
	finding_print_all(cli, findings);
	printf("\n%s, %s, %zu for information\n",
	       text_count(count(findings, "error"), "error", errors),
	       text_count(count(findings, "warning"), "warning", warnings),
	       count(findings, "info"));
}

int run_doctor(struct cli *cli, char *const args[], size_t n)
{
	json_t *answer = NULL;
	const json_t *findings;
	int ret;

	if (n > 0) {
		ret = look_here(cli, args[0], true, &answer);
	} else {
		ret = ask_daemon(cli, &answer);
		if (ret == CLI_OK && !answer)
			ret = look_without(cli, &answer);
	}
	if (ret != CLI_OK)
		return ret;
	if (cli_is_json(cli))
		cli_print_json(cli, answer);
	else
		print_text(cli, answer);
	findings = json_object_get(answer, "findings");
	if (count(findings, "error") || count(findings, "warning"))
		ret = CLI_REFUSED;
	json_decref(answer);
	return ret;
}
