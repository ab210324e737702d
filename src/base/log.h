/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's log: one line an event, `level subsystem: message`, to stderr
 * (with the <N> prefix of sd-daemon(3) when stderr is the journal, see
 * JOURNAL_STREAM in systemd.exec(5)). May be called from any thread.
 */
#ifndef FNAT_BASE_LOG_H
#define FNAT_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error", "warn", "info", "debug": 0, or -EINVAL for another word. */
int log_level_parse(const char *word, enum log_level *level);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/*
 * From now on one JSON object a line: {"time": RFC 3339 with microseconds and offset Z, "level",
 * "subsystem", "message"}, whole and valid even when the message was cut. The journal's <N> prefix
 * stays in front; journald takes it off.
 */
void log_set_json(bool is_json);
/* From now on to syslog(3) instead, as a daemon without stderr does. ident is static. */
void log_to_syslog(const char *ident);

/* subsystem is a short constant word: "nft", "engine", "api", ... */
void log_error(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
