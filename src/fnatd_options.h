/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fnatd's command line. */
#ifndef FNAT_FNATD_OPTIONS_H
#define FNAT_FNATD_OPTIONS_H

#include "api/http.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/observer.h"

struct fnatd_options {
	const char *config;          /* seeds an empty store; NULL: nothing does */
	const char *config_readonly; /* file mode, without a store; NULL: no */
	const char *check;           /* not NULL: only validate this file */
	const char *socket_path;
	const char *state_dir;
	struct engine_options engine;
	struct observer_options observer;
	unsigned int event_buffer_mib; /* observer.events.buffer_bytes */
	struct http_limits limits;
	enum log_level log_level;
	unsigned int history;       /* generations to keep */
	const char *group;          /* may use the API; NULL: "fnat" */
	const char *on_change;      /* program; NULL: none */
	const char *session_log;    /* a file, or SESSION_LOG_JOURNAL; NULL: off */
	const char *programs;       /* directory of programs; NULL: nothing is run */
	const char *read_group;     /* may read; NULL: nobody else */
	const char *origin_address; /* UDP and TCP, tells backends their clients; NULL: off */
	const char *origin_allow;   /* who may ask there */
	const char *status_address; /* TCP, /v1/status and /metrics; NULL: off */
	bool is_new_store;          /* although a damaged one was put aside */
	bool is_foreground;
	bool is_trace, is_log_json;
	bool is_flush; /* only remove the table */
};

#define EXIT_USAGE 2

/* True: go on. False: *status is what to exit with; help, version or a complaint was printed. */
bool fnatd_options_parse(int argc, char **argv, struct fnatd_options *out, int *status);

#endif
