/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every command of fnatctl works with: the options, the connection, and
 * how to speak to the user. Results go to stdout, everything else to stderr.
 */
#ifndef FNAT_FNATCTL_CLI_H
#define FNAT_FNATCTL_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "fnatctl/client.h"
#include "fnatctl/document.h"

#define CLI_SOCKET    "/run/fnat/fnatd.sock"
#define CLI_TIMEOUT_S 120

/* Content types of bodies. */
#define CLI_JSON_TYPE  "application/json"
#define CLI_PATCH_TYPE "application/merge-patch+json" /* RFC 7396 */

/* Exit status, and what commands return. */
enum {
	CLI_OK = 0,
	CLI_REFUSED = 1,     /* the daemon refused, or something else failed */
	CLI_USAGE = 2,       /* not a command line that we understand */
	CLI_UNREACHABLE = 3, /* the daemon does not answer */
};

/* Options that only some commands take. */
enum {
	CLI_DRY_RUN = 1 << 0,
	CLI_VERBOSE = 1 << 1,
	CLI_IF_MATCH = 1 << 2,
	CLI_CONFIRM = 1 << 3,
	CLI_WAIT = 1 << 4,
	CLI_SINCE = 1 << 5,
	CLI_BEFORE = 1 << 6,
	CLI_MAX = 1 << 7,
	CLI_POOL = 1 << 8,
	CLI_COUNT = 1 << 16,
	CLI_TOP = 1 << 17,
	CLI_ALL = 1 << 18,
	CLI_RATE = 1 << 12,
	CLI_WATCH = 1 << 13,
	CLI_DEADLINE = 1 << 20,
	CLI_CUT = 1 << 21,
};

enum cli_output { OUTPUT_AUTO, OUTPUT_JSON, OUTPUT_TABLE };

struct command;

struct cli {
	const struct command *command; /* the one that runs */
	const char *socket_path;
	long timeout_s;
	enum cli_output output;
	unsigned int given; /* CLI_DRY_RUN ... */
	const char *if_match;
	long confirm_s;
	const char *since, *before, *max; /* digits; NULL: not given */
	const char *pool;                 /* addresses; NULL: not given */
	const char *top;                  /* "clients", "backends", "services"; NULL: not given */
	long watch_s;
	long deadline_s;
	bool wants_help, wants_version;
	bool is_terminal; /* stdout is one */
	struct client *client;
};

/* JSON or tables? As asked, else JSON unless stdout is a terminal. */
bool cli_is_json(const struct cli *cli);
/* Escape sequences on stdout? */
bool cli_is_coloured(const struct cli *cli);

/* "fnatctl: MESSAGE" on stderr, made safe for a terminal. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for each problem of err, "fnatctl: POINTER: MESSAGE". */
void cli_problems(const struct err *err);

/* An answer, whatever its status: CLI_OK; else CLI_UNREACHABLE, and the reason was printed. */
int cli_send(struct cli *cli, const struct request *rq, struct reply *out);

/* Ask until somebody answers, or the time is over: CLI_UNREACHABLE, and the reason was printed. */
int cli_wait_for_daemon(struct cli *cli);

/*
 * An answer of status 2xx: CLI_OK, and the caller frees *out with reply_fini().
 * Else the reason was printed and *out is empty. sent: the document that was
 * the body, to show where it is wrong; or NULL.
 */
int cli_call(struct cli *cli, const struct request *rq, const struct document *sent,
	     struct reply *out);

/* The refusal in an answer of another status to a request for path, printed; returns CLI_REFUSED.
 */
int cli_refused(const struct cli *cli, const char *path, const struct reply *r,
		const struct document *sent);

/* cli_call() of GET path, as a value that the caller owns. */
int cli_get(struct cli *cli, const char *path, json_t **out);

/*
 * The answer's body on stdout as it comes: JSON is indented on a terminal, all else is the same
 * byte for byte. A newline follows where it has none at its end.
 */
int cli_copy(struct cli *cli, const struct request *rq, const struct document *sent);

/* The same for GET path. */
int cli_show(struct cli *cli, const char *path);

/* The answer's body as JSON; NULL (and a message) when it is not. */
json_t *cli_json(const struct reply *r);

/* On stdout: indented on a terminal, on one line otherwise. */
void cli_print_json(const struct cli *cli, const json_t *value);

/* Digits of a number that the API's integers hold? */
bool cli_is_number(const char *text);

/* "/v1/services/" + name, percent-encoded. Owned by the caller. */
char *cli_path(const char *collection, const char *name);

/* path + "?dry_run=1", "?confirm_s=60", as the options say. Owned by the caller. */
char *cli_query(const struct cli *cli, const char *path);

#endif
