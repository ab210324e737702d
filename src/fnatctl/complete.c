/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the word at the cursor may become, for the shells: their scripts ask here, and know
 * nothing of commands, options and names themselves. So there is one table, and the shell's
 * knowledge is never older than the program.
 *
 * A line of the answer is what the word may become, a tab, and a description that may be empty.
 * ":files" on a line of its own asks the shell for names of files; ":files @" for such after an @.
 * It is an aid: what goes wrong is silent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/assign.h"
#include "fnatctl/commands.h"
#include "fnatctl/names.h"
#include "fnatctl/options.h"
#include "fnatctl/target.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"
#include "stats/flow_filter.h"

/* Nobody waits longer for a shell. */
#define TIMEOUT_S 3

struct completion {
	struct cli *cli;
	const char *word; /* to complete */
	char **words;     /* before it, without options; owned, its items are borrowed */
	size_t n, cap;
	const char *prefix, *suffix; /* of what is offered by found_name() */
};

static void offer(const struct completion *c, const char *text, const char *description)
{
	char *safe;

	if (strncmp(text, c->word, strlen(c->word)) != 0)
		return;
	safe = text_safe(description);
	printf("%s\t%s\n", text, safe);
	free(safe);
}

static void offer_name(void *arg, const char *name)
{
	const struct completion *c = arg;
	char *text = mem_printf("%s%s%s", c->prefix, name, c->suffix);

	offer(c, text, "");
	free(text);
}

static struct client *client_of(struct completion *c)
{
	if (!c->cli->client)
		c->cli->client = client_new(c->cli->socket_path, TIMEOUT_S);
	return c->cli->client;
}

/* The names in a collection of the API, each between prefix and suffix. */
static void offer_names(struct completion *c, const char *path, const char *prefix,
			const char *suffix)
{
	c->prefix = prefix;
	c->suffix = suffix;
	names_get(client_of(c), path, offer_name, c);
}

/* GET path; NULL when it fails. The caller owns it. */
static json_t *get(struct completion *c, const char *path)
{
	struct request rq = { .method = "GET", .path = path };
	struct err err = ERR_INIT;
	struct reply reply;
	json_t *value = NULL;

	if (client_send(client_of(c), &rq, &reply, &err) == 0 && reply.status == 200)
		value = json_loadb(reply.body, reply.len, 0, NULL);
	reply_fini(&reply);
	err_fini(&err);
	return value;
}

/* --- arguments, by what they are ----------------------------------------------------------- */

static void complete_service(struct completion *c)
{
	offer_names(c, "/v1/services", "", "");
}

static void complete_pool(struct completion *c)
{
	offer_names(c, "/v1/pools", "", "");
}

static void complete_backend(struct completion *c)
{
	const char *slash = strchr(c->word, '/');
	char *service, *base, *path, *prefix;

	if (!slash) {
		offer_names(c, "/v1/services", "", "/");
		return;
	}
	service = mem_strndup(c->word, (size_t)(slash - c->word));
	prefix = mem_printf("%s/", service);
	base = cli_path("/v1/services/", service);
	path = mem_printf("%s/backends", base);
	offer_names(c, path, prefix, "");
	free(path);
	free(base);
	free(prefix);
	free(service);
}

static void complete_file(struct completion *c)
{
	(void)c;
	puts(":files");
}

static void complete_body(struct completion *c)
{
	if (*c->word == '@')
		puts(":files @");
}

static void complete_generation(struct completion *c)
{
	json_t *answer = get(c, "/v1/history"), *g;
	size_t i;

	json_array_foreach (json_object_get(answer, "history"), i, g) {
		char number[32], time[VIEW_BYTES], *text;

		snprintf(number, sizeof(number), "%lld", view_integer(g, "generation"));
		text = mem_printf("%s %s", view_time(g, time), view_string(g, "what"));
		offer(c, number, text);
		free(text);
	}
	json_decref(answer);
}

static void complete_path(struct completion *c)
{
	static const char *const paths[] = {
		"/metrics",     "/v1/changes", "/v1/config",    "/v1/confirm",  "/v1/connections",
		"/v1/diff",     "/v1/events",  "/v1/explain",   "/v1/flush",    "/v1/history",
		"/v1/origin",   "/v1/pools",   "/v1/pools/",    "/v1/rollback", "/v1/ruleset",
		"/v1/services", "/v1/status",  "/v1/services/", "/v1/verify",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		offer(c, paths[i], "");
	if (!strncmp(c->word, "/v1/services/", 13))
		offer_names(c, "/v1/services", "/v1/services/", "");
	else if (!strncmp(c->word, "/v1/pools/", 10))
		offer_names(c, "/v1/pools", "/v1/pools/", "");
}

/* Members of an object that exists as "KEY=", those of inner objects as "KEY.KEY=". */
static void offer_members(const struct completion *c, const char *prefix, json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		char *text = mem_printf("%s%s%s", prefix, key, json_is_object(value) ? "." : "=");
		bool is_known = false;

		for (size_t i = 0; assign_field_at(i); i++)
			is_known |= !*prefix && !strcmp(assign_field_at(i)->key, key);
		if (json_is_object(value))
			offer_members(c, text, value);
		else if (!is_known)
			offer(c, text, "");
		free(text);
	}
}

static void complete_key(struct completion *c, const char *object, const char *path)
{
	const struct assign_field *f;
	json_t *present;

	for (size_t i = 0; (f = assign_field_at(i)); i++) {
		char *text = mem_printf("%s=", f->key);

		if (!strcmp(f->object, object))
			offer(c, text, "");
		free(text);
	}
	present = get(c, path);
	json_object_del(present, "backends");
	offer_members(c, "", present);
	json_decref(present);
}

static void complete_value(struct completion *c, const char *object)
{
	size_t len = (size_t)(strchr(c->word, '=') - c->word);
	char *prefix = mem_strndup(c->word, len + 1), *values, *value, *rest;
	const struct assign_field *f;

	for (size_t i = 0; (f = assign_field_at(i)); i++) {
		if (strcmp(f->object, object) != 0 || strlen(f->key) != len ||
		    strncmp(f->key, c->word, len) != 0 || !f->values)
			continue;
		if (!strcmp(f->values, "POOL")) {
			offer_names(c, "/v1/pools", prefix, "");
			continue;
		}
		values = mem_strdup(f->values);
		c->prefix = prefix;
		c->suffix = "";
		for (value = strtok_r(values, " ", &rest); value;
		     value = strtok_r(NULL, " ", &rest))
			offer_name(c, value);
		free(values);
	}
	free(prefix);
}

static void complete_assignment(struct completion *c)
{
	size_t n_words;
	const struct command *command = command_lookup(c->words, c->n, &n_words);
	struct target t;

	if (*c->word == '@') {
		puts(":files @");
		return;
	}
	if (strchr(c->word, '=')) {
		complete_value(c, command->object);
	} else if (target_init(&t, command->object, c->words[n_words]) == CLI_OK) {
		complete_key(c, command->object, t.path);
		target_fini(&t);
	}
}

/* --- words of commands --------------------------------------------------------------------- */

struct offers {
	struct {
		char *text; /* owned */
		const char *description;
	} * items;
	size_t n, cap;
};

/* Once each: "backend" begins many commands. One that is a command itself is described. */
static void add_word(struct offers *o, const char *word, size_t len, const char *description)
{
	for (size_t i = 0; i < o->n; i++)
		if (strlen(o->items[i].text) == len && !strncmp(o->items[i].text, word, len)) {
			if (!*o->items[i].description)
				o->items[i].description = description;
			return;
		}
	(void)VEC_PUSH(o->items, o->n, o->cap);
	o->items[o->n - 1].text = mem_strndup(word, len);
	o->items[o->n - 1].description = description;
}

/* The words that follow words[0..n) in names of commands. */
static void complete_word(struct completion *c, char *const words[], size_t n)
{
	struct offers o = { 0 };
	const struct command *command;
	const char *names[2], *word;
	size_t len;

	for (size_t i = 0; (command = command_at(i)); i++) {
		names[0] = command->words;
		names[1] = command->alias;
		for (size_t k = 0; k < 2 && names[k] && *names[k] != '_'; k++) {
			if (!command_name_begins(names[k], words, n))
				continue;
			word = command_word(names[k], n, &len);
			if (word)
				add_word(&o, word, len, word[len] ? "" : command->summary);
		}
	}
	for (size_t i = 0; i < o.n; i++) {
		offer(c, o.items[i].text, o.items[i].description);
		free(o.items[i].text);
	}
	free(o.items);
}

static void complete_command(struct completion *c)
{
	complete_word(c, c->words + 1, c->n - 1); /* after "help" */
}

static void complete_condition(struct completion *c)
{
	const char *name;

	if (!strncmp(c->word, "service=", 8)) {
		offer_names(c, "/v1/services", "service=", "");
		return;
	}
	for (size_t i = 0; (name = flow_filter_name(i)); i++) {
		char *text = mem_printf("%s=", name);

		offer(c, text, "");
		free(text);
	}
}

static void complete_protocol(struct completion *c)
{
	offer(c, "tcp", "");
	offer(c, "udp", "");
	offer(c, "sctp", "");
}

/* An address and a port: nobody knows which. */
static void complete_nothing(struct completion *c)
{
	(void)c;
}

static const struct argument {
	const char *name;
	void (*complete)(struct completion *c);
} arguments[] = {
	{ "SERVICE", complete_service },
	{ "SERVICE/BACKEND", complete_backend },
	{ "POOL", complete_pool },
	{ "FILE", complete_file },
	{ "BODY", complete_body },
	{ "PATH", complete_path },
	{ "KEY=VALUE", complete_assignment },
	{ "GENERATION", complete_generation },
	{ "COMMAND", complete_command },
	{ "CONDITION", complete_condition },
	{ "PROTOCOL", complete_protocol },
	{ "LOCAL", complete_nothing },
	{ "CLIENT", complete_nothing },
	{ "VIRTUAL", complete_nothing },
	{ "BACKEND", complete_nothing },
};

/* "[X...]" is "X". */
static void complete_argument(struct completion *c, const char *name, size_t len)
{
	if (len && *name == '[') {
		name++;
		len -= 2;
	}
	if (len > 3 && !strncmp(name + len - 3, "...", 3))
		len -= 3;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++)
		if (strlen(arguments[i].name) == len && !strncmp(arguments[i].name, name, len))
			arguments[i].complete(c);
}

/* --- options ------------------------------------------------------------------------------- */

static void complete_option(const struct completion *c)
{
	const struct option_row *row;
	const struct command *command;
	size_t n_words;

	command = command_lookup(c->words, c->n, &n_words);
	for (size_t i = 0; (row = options_at(i)); i++)
		if (!row->bit || !command || row->bit & command->options)
			offer(c, row->name, row->help);
}

/* prefix: what stands before the value in the word, "--output=". */
static void complete_option_value(struct completion *c, const struct option_row *row,
				  const char *prefix)
{
	char *values, *value, *rest;

	if (!strcmp(row->argument, "PATH")) {
		puts(":files");
	} else if (!strcmp(row->argument, "GENERATION")) {
		complete_generation(c);
	} else if (strchr(row->argument, '|')) {
		values = mem_strdup(row->argument);
		c->prefix = prefix;
		c->suffix = "";
		for (value = strtok_r(values, "|", &rest); value;
		     value = strtok_r(NULL, "|", &rest))
			offer_name(c, value);
		free(values);
	}
}

/* The option whose value the last word is; NULL when it is not one. Other words are kept. */
static const struct option_row *take_words(struct completion *c, char *const args[], size_t n,
					   bool *is_ended)
{
	const struct option_row *row = NULL;
	bool is_value = false;
	char *value;

	for (size_t i = 0; i < n; i++) {
		if (is_value) {
			if (!strcmp(row->name, "--socket"))
				c->cli->socket_path = args[i];
			is_value = false;
		} else if (*is_ended || args[i][0] != '-' || !args[i][1]) {
			VEC_PUSH(c->words, c->n, c->cap) = args[i];
		} else if (!strcmp(args[i], "--")) {
			*is_ended = true;
		} else {
			row = options_find(args[i], &value);
			is_value = row && row->argument && !value;
			if (row && value && !strcmp(row->name, "--socket"))
				c->cli->socket_path = value;
		}
	}
	return is_value ? row : NULL;
}

static void complete(struct completion *c)
{
	const struct command *command;
	const char *argument;
	size_t n_words, len;

	complete_word(c, c->words, c->n);
	command = command_lookup(c->words, c->n, &n_words);
	argument = command ? command_argument(command, c->n - n_words, &len) : NULL;
	if (argument)
		complete_argument(c, argument, len);
}

int run_complete(struct cli *cli, char *const args[], size_t n)
{
	struct completion c = { .cli = cli, .word = args[n - 1] };
	const struct option_row *row;
	bool is_ended = false;
	char *value = NULL, *prefix;

	row = take_words(&c, args, n - 1, &is_ended);
	if (row) {
		complete_option_value(&c, row, "");
	} else if (!is_ended && *c.word == '-') {
		row = options_find(args[n - 1], &value);
		if (row && row->argument && value) {
			prefix = mem_strndup(c.word, (size_t)(value - c.word));
			complete_option_value(&c, row, prefix);
			free(prefix);
		} else {
			complete_option(&c);
		}
	} else {
		complete(&c);
	}
	free(c.words);
	return CLI_OK;
}
