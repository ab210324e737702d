/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One row an option: name, argument, setter and help stand together, and --help and the parser
 * are both made of the rows.
 */
#include "fnatd_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "engine/session_log.h"
#include "model/json.h"

#define BODY_MIN_BYTES    1024u
#define HEADERS_MIN_BYTES 1024u
#define HEADERS_MAX_BYTES 1048576u
#define CONNECTIONS_MAX   100000
#define HISTORY_MAX       100000
#define DAY_S             86400.0
#define TIMEOUT_MIN_S     0.1

struct option_row {
	const char *name;
	const char *argument; /* NULL: takes none */
	/* 0, or -EINVAL: not as `expected` says. NULL: handled by the parser itself */
	int (*set)(struct fnatd_options *o, const char *value);
	const char *expected;
	const char *help;
};

/* An option whose argument is kept as it is, and must not be empty. */
#define TEXT_SETTER(function, field)                                                               \
	static int function(struct fnatd_options *o, const char *value)                            \
	{                                                                                          \
		o->field = value;                                                                  \
		return *value ? 0 : -EINVAL;                                                       \
	}

#define FLAG_SETTER(function, field)                                                               \
	static int function(struct fnatd_options *o, const char *value)                            \
	{                                                                                          \
		(void)value;                                                                       \
		o->field = true;                                                                   \
		return 0;                                                                          \
	}

TEXT_SETTER(set_config, config)
TEXT_SETTER(set_config_readonly, config_readonly)
TEXT_SETTER(set_check, check)
TEXT_SETTER(set_state_dir, state_dir)
TEXT_SETTER(set_on_change, on_change)
TEXT_SETTER(set_session_text, session_log)
TEXT_SETTER(set_group, group)
TEXT_SETTER(set_read_group, read_group)
TEXT_SETTER(set_origin_listen, origin_address)
TEXT_SETTER(set_origin_allow, origin_allow)
TEXT_SETTER(set_status_listen, status_address)
FLAG_SETTER(set_foreground, is_foreground)
FLAG_SETTER(set_log_json, is_log_json)
FLAG_SETTER(set_trace, is_trace)
FLAG_SETTER(set_flush, is_flush)
FLAG_SETTER(set_plain_table, engine.plain_table)
FLAG_SETTER(set_new_store, is_new_store)
FLAG_SETTER(set_event_reliable, observer.events.is_reliable)

static int set_socket(struct fnatd_options *o, const char *value)
{
	size_t len = strlen(value);

	o->socket_path = value;
	return len > 0 && len < 108 ? 0 : -EINVAL; /* sun_path, unix(7) */
}

/* What nft takes as an identifier without quotes, and no longer than a service's name. */
static int set_table(struct fnatd_options *o, const char *value)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				     "0123456789-.";
	size_t len = strlen(value);

	o->engine.table = value;
	return strchr(letters, *value) && *value && strspn(value, others) == len &&
			       len <= MODEL_NAME_MAX
		       ? 0
		       : -EINVAL;
}

static int set_programs(struct fnatd_options *o, const char *value)
{
	o->programs = strcmp(value, "none") == 0 ? NULL : value;
	return *value ? 0 : -EINVAL;
}

static int set_log_level(struct fnatd_options *o, const char *value)
{
	return log_level_parse(value, &o->log_level);
}

static int parse_size(const char *text, unsigned long long min, unsigned long long max,
		      unsigned long long *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || *out < min || *out > max)
		return -EINVAL;
	return 0;
}

/* A number of `field`'s type, from min to max. */
#define NUMBER_SETTER(function, field, min, max)                                                   \
	static int function(struct fnatd_options *o, const char *value)                            \
	{                                                                                          \
		unsigned long long n;                                                              \
		int code = parse_size(value, min, max, &n);                                        \
                                                                                                   \
		o->field = (typeof(o->field))n;                                                    \
		return code;                                                                       \
	}

NUMBER_SETTER(set_lanes, engine.lanes, 0, PLAN_LANES_MAX)
NUMBER_SETTER(set_history, history, 1, HISTORY_MAX)
NUMBER_SETTER(set_max_body, limits.body_max_bytes, BODY_MIN_BYTES, JSON_FILE_MAX_BYTES)
NUMBER_SETTER(set_max_header, limits.headers_max_bytes, HEADERS_MIN_BYTES, HEADERS_MAX_BYTES)
NUMBER_SETTER(set_event_buffer, event_buffer_mib, 1, CT_EVENTS_BUFFER_MIB_MAX)
NUMBER_SETTER(set_max_connections, limits.connections_max, 1, CONNECTIONS_MAX)

static int parse_seconds(const char *text, double min, double max, unsigned int *out_ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= min && s <= max))
		return -EINVAL;
	*out_ms = (unsigned int)(s * 1000);
	return 0;
}

/* Seconds, with a fraction or without, for a field in milliseconds. */
#define SECONDS_SETTER(function, field, min)                                                       \
	static int function(struct fnatd_options *o, const char *value)                            \
	{                                                                                          \
		return parse_seconds(value, min, DAY_S, &o->field);                                \
	}

static int set_session_log(struct fnatd_options *o, const char *value)
{
	if (*value != '/' && strcmp(value, SESSION_LOG_JOURNAL) != 0)
		return -EINVAL;
	return set_session_text(o, value);
}

SECONDS_SETTER(set_verify_interval, engine.verify_interval_ms, 0)
SECONDS_SETTER(set_stats_interval, observer.interval_ms, 0)
SECONDS_SETTER(set_request_timeout, limits.request_timeout_ms, TIMEOUT_MIN_S)
SECONDS_SETTER(set_idle_timeout, limits.idle_timeout_ms, TIMEOUT_MIN_S)

#define STR_(x) #x
#define STR(x)  STR_(x)

static const struct option_row rows[] = {
	{ "config", "FILE", set_config, "a file name",
	  "configuration (fnat.json(5)) that seeds an empty store" },
	{ "config-readonly", "FILE", set_config_readonly, "a file name",
	  "no store: FILE is the configuration, read again at SIGHUP" },
	{ "check", "FILE", set_check, "a file name",
	  "validate FILE, print its problems, exit; touches nothing" },
	{ "socket", "PATH", set_socket, "a path of 1 to 107 bytes",
	  "where the API listens (/run/fnat/fnatd.sock)" },
	{ "state-dir", "DIR", set_state_dir, "a directory", "where the store is (/var/lib/fnat)" },
	{ "history", "N", set_history, "a number from 1 to " STR(HISTORY_MAX),
	  "generations kept for history and rollback (1000)" },
	{ "new-store", NULL, set_new_store, NULL,
	  "begin anew although a damaged store was put aside" },
	{ "on-change", "PROGRAM", set_on_change, "a path", "run at each change of health" },
	{ "programs", "DIR", set_programs, "a directory, or none",
	  "where programs of exec checks are (/etc/fnat/programs)" },
	{ "group", "NAME", set_group, "a group's name",
	  "whose members may use the API, beside root (fnat)" },
	{ "read-group", "NAME", set_read_group, "a group's name", "whose members may read" },
	{ "status-listen", "ADDRESS:PORT", set_status_listen, "ADDRESS:PORT",
	  "serve /v1/status and /metrics over TCP (off)" },
	{ "origin-listen", "ADDRESS:PORT", set_origin_listen, "ADDRESS:PORT",
	  "tell backends who their clients are, over UDP and TCP (off)" },
	{ "origin-allow", "PREFIXES", set_origin_allow, "prefixes, ranges and addresses",
	  "who may ask there" },
	{ "table", "NAME", set_table,
	  "a letter, then letters, digits, '_', '-', '.', at most " STR(MODEL_NAME_MAX),
	  "name of the nftables table, inet (fnat)" },
	{ "foreground", NULL, set_foreground, NULL, "do not become a daemon" },
	{ "log-level", "LEVEL", set_log_level, "error, warn, info or debug",
	  "error, warn, info or debug (info)" },
	{ "log-json", NULL, set_log_json, NULL, "log one JSON object a line" },
	{ "trace", NULL, set_trace, NULL,
	  "write netlink messages to standard error, for debugging" },
	{ "flush", NULL, set_flush, NULL, "remove the table from the kernel, exit" },
	{ "plain-table", NULL, set_plain_table, NULL,
	  "do not own the table even where the kernel can do that" },
	{ "lanes", "N", set_lanes, "a number from 0 to " STR(PLAN_LANES_MAX),
	  "round-robin counters: services with exact round robin (" STR(PLAN_LANES_DEFAULT) ")" },
	{ "verify-interval", "SECONDS", set_verify_interval, "0 to 86400 seconds",
	  "how often to look for foreign changes, 0 never (1)" },
	{ "stats-interval", "SECONDS", set_stats_interval, "0 to 86400 seconds",
	  "how often living connections are counted, 0 only when asked (2)" },
	{ "event-buffer", "MIB", set_event_buffer,
	  "a number from 1 to " STR(CT_EVENTS_BUFFER_MIB_MAX),
	  "what the kernel may hold of ended connections for fnatd (512)" },
	{ "event-reliable", NULL, set_event_reliable, NULL,
	  "have the kernel keep what does not fit there" },
	{ "session-log", "TARGET", set_session_log, "an absolute path, or journal",
	  "write a line for each connection that is over (off)" },
	{ "max-body", "BYTES", set_max_body, "a number from 1024 to 268435456",
	  "limit on a request's body (16777216)" },
	{ "max-header", "BYTES", set_max_header, "a number from 1024 to 1048576",
	  "limit on a request's header (32768)" },
	{ "max-connections", "N", set_max_connections, "a number from 1 to " STR(CONNECTIONS_MAX),
	  "clients at a time (1024)" },
	{ "request-timeout", "SECONDS", set_request_timeout, "0.1 to 86400 seconds",
	  "from a request's first byte to its last (30)" },
	{ "idle-timeout", "SECONDS", set_idle_timeout, "0.1 to 86400 seconds",
	  "a client that asks nothing, or does not read (300)" },
	{ "version", NULL, NULL, NULL, "print the version, exit" },
	{ "help", NULL, NULL, NULL, "print this, exit" },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void print_help(void)
{
	printf("Usage: fnatd [OPTION]...\n"
	       "FULLNAT layer-4 load balancer: programs nftables, answers fnatctl.\n\n");
	for (size_t i = 0; i < N_ROWS; i++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
			 rows[i].argument ? rows[i].argument : "");
		printf("  %-26s %s\n", left, rows[i].help);
	}
	printf("\nExit status: 0, 1 failed, 2 usage. See fnatd(8).\n");
}

/* An abbreviation or a typing error: getopt_long() returned '?'. */
static void complain(const char *word)
{
	char name[64];
	struct suggest s;

	if (strncmp(word, "--", 2) != 0) {
		fprintf(stderr, "fnatd: unknown option %s; see fnatd --help\n", word);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	s = suggest_for(name);
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strcmp(name, rows[i].name) == 0) {
			fprintf(stderr, "fnatd: --%s takes no argument\n", name);
			return;
		}
		suggest_offer(&s, rows[i].name);
	}
	if (s.best)
		fprintf(stderr, "fnatd: unknown option --%s; did you mean --%s?\n", name, s.best);
	else
		fprintf(stderr, "fnatd: unknown option --%s; see fnatd --help\n", name);
}

static int next_option(int argc, char **argv, int *row)
{
	static struct option longs[N_ROWS + 1];

	for (size_t i = 0; i < N_ROWS; i++)
		longs[i] = (struct option){ rows[i].name,
					    rows[i].argument ? required_argument : no_argument,
					    NULL, 0 };
	opterr = 0;
	return getopt_long(argc, argv, ":", longs, row);
}

static bool stop(int *status, int with)
{
	*status = with;
	return false;
}

bool fnatd_options_parse(int argc, char **argv, struct fnatd_options *out, int *status)
{
	int code, i = 0;

	*out = (struct fnatd_options){
		.socket_path = "/run/fnat/fnatd.sock",
		.state_dir = "/var/lib/fnat",
		.programs = "/etc/fnat/programs",
		.engine = { .table = "fnat",
			    .lanes = PLAN_LANES_DEFAULT,
			    .verify_interval_ms = 1000 },
		.observer = { .interval_ms = OBSERVER_INTERVAL_MS_DEFAULT },
		.event_buffer_mib = CT_EVENTS_BUFFER_MIB_DEFAULT,
		.limits = { .body_max_bytes = JSON_HTTP_MAX_BYTES },
		.log_level = LOG_LEVEL_INFO,
	};
	while ((code = next_option(argc, argv, &i)) != -1) {
		if (code == ':') {
			fprintf(stderr, "fnatd: %s needs an argument\n", argv[optind - 1]);
			return stop(status, EXIT_USAGE);
		}
		if (code != 0) {
			complain(argv[optind - 1]);
			return stop(status, EXIT_USAGE);
		}
		if (strcmp(rows[i].name, "help") == 0) {
			print_help();
			return stop(status, EXIT_SUCCESS);
		}
		if (strcmp(rows[i].name, "version") == 0) {
			printf("fnatd %s\n", PACKAGE_VERSION);
			return stop(status, EXIT_SUCCESS);
		}
		if (rows[i].set(out, optarg) < 0) {
			fprintf(stderr, "fnatd: --%s: \"%s\": expected %s\n", rows[i].name, optarg,
				rows[i].expected);
			return stop(status, EXIT_USAGE);
		}
	}
	out->observer.events.buffer_bytes = (size_t)out->event_buffer_mib << 20;
	if (optind < argc) {
		fprintf(stderr, "fnatd: unexpected argument \"%s\"; see fnatd --help\n",
			argv[optind]);
		return stop(status, EXIT_USAGE);
	}
	if (!out->origin_address != !out->origin_allow) {
		fputs("fnatd: --origin-listen and --origin-allow go together\n", stderr);
		return stop(status, EXIT_USAGE);
	}
	if (out->config && out->config_readonly) {
		fputs("fnatd: --config and --config-readonly exclude each other\n", stderr);
		return stop(status, EXIT_USAGE);
	}
	return true;
}
