/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session log: a line for each connection that is over (stats/session.h), to a file or to the
 * journal, by a thread of its own. Main loop only.
 *
 * Who counts never waits for the disk: what does not fit into a bounded queue is lost, counted and
 * told. About 0.2 us a connection here, 2 us on the thread.
 */
#ifndef FNAT_ENGINE_SESSION_LOG_H
#define FNAT_ENGINE_SESSION_LOG_H

#include <event2/event.h>

#include "base/err.h"
#include "stats/stats.h"

#define SESSION_LOG_JOURNAL "journal"
/* Connections that wait to be written, at most. */
#define SESSION_LOG_QUEUE 65536

struct session_log;

/* to: SESSION_LOG_JOURNAL or the path of a file, which is appended to. Negative: it cannot be
 * opened. */
int session_log_new(struct event_base *base, struct stats *stats, const char *to,
		    struct session_log **out, struct err *err);
/* Writes what waits; before the statistics go. NULL is fine. */
void session_log_free(struct session_log *l);

/* Open the file anew, after what is before this is written: it was moved away. */
void session_log_reopen(struct session_log *l);

struct session_log_status {
	uint64_t n_written, n_lost;
};
struct session_log_status session_log_status(const struct session_log *l);

#endif
