/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of fnatctl as a table: help, usage errors, suggestions and the
 * shell's completion are made of it.
 */
#ifndef FNAT_FNATCTL_COMMANDS_H
#define FNAT_FNATCTL_COMMANDS_H

#include <stddef.h>

#include "fnatctl/cli.h"

struct command {
	const char *section; /* of the help, before this row; or NULL */
	const char *words;   /* its name, "backend set" */
	const char *alias;   /* another name, "set backend"; or NULL */
	/*
	 * Arguments, separated by one blank, by what they are: SERVICE,
	 * SERVICE/BACKEND, POOL, FILE, PATH, BODY, KEY=VALUE, GENERATION, WEIGHT,
	 * COMMAND. "[X]" may be left out, "X..." is one or more. "" when there are none.
	 */
	const char *args;
	unsigned int options; /* CLI_DRY_RUN ...: those it takes besides the general ones */
	int (*run)(struct cli *cli, char *const args[], size_t n); /* returns the exit status */
	const char *object;  /* what it is about, for handlers of several commands; or NULL */
	const char *summary; /* one line */
	const char *details; /* paragraphs, or NULL */
	const char *example; /* a command line, or NULL */
};

/* The table's rows, i from 0; NULL after the last. */
const struct command *command_at(size_t i);

/* The command that argv begins with; *n_words of argv are its name. NULL (and a message with a
 * suggestion) when there is none. */
const struct command *command_find(char *const argv[], size_t n, size_t *n_words);

/* The same without a message. */
const struct command *command_lookup(char *const argv[], size_t n, size_t *n_words);

/* How many arguments a command takes; *max is SIZE_MAX for no limit. */
void command_arity(const struct command *c, size_t *min, size_t *max);

/* Argument number i as the row has it ("KEY=VALUE..."), *len without what follows; the last one
 * again when it may be repeated; NULL when there is none. */
const char *command_argument(const struct command *c, size_t i, size_t *len);

/* The name of the command, or its alias, that begins with these words; NULL when none does. */
const char *command_name(const struct command *c, char *const words[], size_t n);

/* Does a name begin with these words? */
bool command_name_begins(const char *name, char *const words[], size_t n);

/* Word i of a name; NULL after the last. Ends at a blank or NUL: *len. */
const char *command_word(const char *name, size_t i, size_t *len);

/* The handlers, a file for each kind. */
int run_status(struct cli *cli, char *const args[], size_t n); /* status.c */
int run_show(struct cli *cli, char *const args[], size_t n);   /* show.c */
int run_show_pool(struct cli *cli, char *const args[], size_t n);
int run_show_config(struct cli *cli, char *const args[], size_t n);
int run_list(struct cli *cli, char *const args[], size_t n);
int run_list_backends(struct cli *cli, char *const args[], size_t n);
int run_show_object(struct cli *cli, char *const args[], size_t n);
int run_add(struct cli *cli, char *const args[], size_t n); /* change.c */
int run_set(struct cli *cli, char *const args[], size_t n);
int run_del(struct cli *cli, char *const args[], size_t n);
int run_drain(struct cli *cli, char *const args[], size_t n); /* state.c */
int run_enable(struct cli *cli, char *const args[], size_t n);
int run_disable(struct cli *cli, char *const args[], size_t n);
int run_apply(struct cli *cli, char *const args[], size_t n); /* config.c */
int run_plan(struct cli *cli, char *const args[], size_t n);
int run_rollback(struct cli *cli, char *const args[], size_t n);
int run_confirm(struct cli *cli, char *const args[], size_t n);
int run_verify(struct cli *cli, char *const args[], size_t n);
int run_flush(struct cli *cli, char *const args[], size_t n);
int run_history(struct cli *cli, char *const args[], size_t n); /* history.c */
int run_diff(struct cli *cli, char *const args[], size_t n);
int run_events(struct cli *cli, char *const args[], size_t n); /* events.c */
int run_doctor(struct cli *cli, char *const args[], size_t n); /* doctor.c */
int run_top(struct cli *cli, char *const args[], size_t n);    /* top.c */
int run_stats(struct cli *cli, char *const args[], size_t n);  /* stats.c */
int run_stats_zero(struct cli *cli, char *const args[], size_t n);
int run_import(struct cli *cli, char *const args[], size_t n);           /* import_command.c */
int run_health(struct cli *cli, char *const args[], size_t n);           /* health.c */
int run_limits_show(struct cli *cli, char *const args[], size_t n);      /* limits.c */
int run_persistence_show(struct cli *cli, char *const args[], size_t n); /* persistence.c */
int run_persistence_del(struct cli *cli, char *const args[], size_t n);
int run_ruleset(struct cli *cli, char *const args[], size_t n); /* raw.c */
int run_metrics(struct cli *cli, char *const args[], size_t n);
int run_raw(struct cli *cli, char *const args[], size_t n);
int run_completion(struct cli *cli, char *const args[], size_t n); /* completion.c */
int run_complete(struct cli *cli, char *const args[], size_t n);   /* complete.c */
int run_version(struct cli *cli, char *const args[], size_t n);    /* help.c */
int run_help(struct cli *cli, char *const args[], size_t n);

int run_connections(struct cli *cli, char *const args[], size_t n); /* connections.c */
int run_connections_delete(struct cli *cli, char *const args[], size_t n);
int run_explain(struct cli *cli, char *const args[], size_t n); /* explain.c */
int run_origin(struct cli *cli, char *const args[], size_t n);

#endif
