/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fnatd tells as it happens. In a pipe its lines go on as they come, one write each, so that
 * whoever reads them is never behind; on a terminal each becomes a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/commands.h"
#include "fnatctl/lines.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"

struct follower {
	struct cli *cli;
	long long last; /* number of the last event */
	bool is_dropped;
};

/* ": service web changed, pool lan added and 3 more" */
static void print_objects(const json_t *event)
{
	const json_t *objects = json_object_get(event, "objects"), *o;
	long long n = view_integer(event, "n_objects");
	const size_t most = 3;
	size_t i;

	json_array_foreach (objects, i, o) {
		char *name = text_safe(view_string(o, "name"));

		if (i < most)
			printf("%s %s %s %s", i ? "," : ":", view_string(o, "object"), name,
			       view_string(o, "change"));
		free(name);
	}
	if (n > (long long)most)
		printf(" and %lld more", n - (long long)most);
}

static void print_generation(const json_t *event)
{
	char *what = text_safe(view_string(event, "what")), buf[VIEW_BYTES];

	printf("generation %lld by %s", view_integer(event, "generation"), view_user(event, buf));
	if (view_integer(event, "uid") >= 0)
		printf(" (pid %lld)", view_integer(event, "pid"));
	printf(", %s", what);
	print_objects(event);
	free(what);
}

static void print_drift(const json_t *event)
{
	printf("drift: somebody else changed the table; repaired with %lld operations",
	       view_integer(event, "operations"));
}

static void print_warning(const json_t *event)
{
	char *what = text_safe(view_string(event, "what"));
	char *remedy = text_safe(view_string(event, "remedy"));

	printf("%s %s: %s; remedy: %s", view_string(event, "severity"), view_string(event, "id"),
	       what, remedy);
	free(remedy);
	free(what);
}

/* "web/a up -> down: connection refused (3 ms)" */
static void print_backend_state(const json_t *event)
{
	char *reason = text_safe(view_string(event, "reason"));

	printf("%s/%s %s -> %s: %s (%lld ms)", view_string(event, "service"),
	       view_string(event, "backend"), view_string(event, "before"),
	       view_string(event, "state"), reason, view_integer(event, "duration_us") / 1000);
	free(reason);
}

/* "web/a drained after 12 s: all gone" */
static void print_backend_drained(const json_t *event)
{
	bool is_left = *view_string(event, "reason") == 'd';
	bool is_cut = json_is_true(json_object_get(event, "cut"));

	printf("%s/%s drained after %lld s: ", view_string(event, "service"),
	       view_string(event, "backend"), view_integer(event, "duration_ms") / 1000);
	if (is_left)
		printf("deadline, %lld connections %s", view_integer(event, "connections"),
		       is_cut ? "cut" : "left");
	else
		printf("no connection is left");
}

/* "pool lan: 10.1.0.50 to 10.1.0.11:80 (tcp) warn -> full: 61287 of 64512 ports, ..." */
static void print_ports(const json_t *event)
{
	printf("pool %s: %s to %s (%s) %s -> %s: %lld of %lld ports; %lld addresses take new "
	       "connections to it",
	       view_string(event, "pool"), view_string(event, "address"),
	       view_string(event, "backend"), view_string(event, "protocol"),
	       view_string(event, "from"), view_string(event, "to"), view_integer(event, "used"),
	       view_integer(event, "ports"), view_integer(event, "addresses_left"));
}

static void print_dropped(const json_t *event)
{
	char *reason = text_safe(view_string(event, "reason"));

	printf("dropped: %s", reason);
	free(reason);
}

static const struct {
	const char *type;
	void (*print)(const json_t *event);
} types[] = {
	{ "generation", print_generation },
	{ "drift", print_drift },
	{ "warning", print_warning },
	{ "backend_state", print_backend_state },
	{ "backend_drained", print_backend_drained },
	{ "ports", print_ports },
	{ "dropped", print_dropped },
};

/* A type that is new is shown as it came. */
static void print_event(const json_t *event, const char *line)
{
	char buf[VIEW_BYTES], *safe;

	printf("%-19s  ", view_time(event, buf));
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].type, view_string(event, "type"))) {
			types[i].print(event);
			putchar('\n');
			return;
		}
	safe = text_safe(line);
	puts(safe);
	free(safe);
}

static bool take_line(void *arg, char *line)
{
	struct follower *f = arg;
	json_t *event = json_loads(line, 0, NULL);
	long long number = view_integer(event, "event");

	f->last = number ? number : f->last;
	f->is_dropped |= !strcmp(view_string(event, "type"), "dropped");
	if (cli_is_json(f->cli) || !event)
		puts(line);
	else
		print_event(event, line);
	json_decref(event);
	return fflush(stdout) == 0;
}

int run_events(struct cli *cli, char *const args[], size_t n)
{
	char *path = mem_printf("/v1/events%s%s", cli->since ? "?since=" : "",
				cli->since ? cli->since : "");
	struct follower f = { .cli = cli };
	struct lines lines = { .take = take_line, .arg = &f };
	struct request rq = { .method = "GET",
			      .path = path,
			      .take = lines_piece,
			      .take_arg = &lines,
			      .is_endless = true };
	struct reply reply;
	int ret = cli_call(cli, &rq, NULL, &reply);

	(void)args;
	(void)n;
	if (ret == CLI_OK) {
		reply_fini(&reply);
		ret = f.is_dropped ? CLI_REFUSED : CLI_UNREACHABLE;
		cli_error("fnatd ended the stream");
	}
	if (f.last && ret == CLI_UNREACHABLE)
		cli_error("`fnatctl events --since %lld` goes on from here", f.last);
	lines_fini(&lines);
	free(path);
	return ret;
}
