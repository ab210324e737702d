/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fnatd as a process: becoming a daemon, telling who started it, directories. */
#ifndef FNAT_FNATD_PROCESS_H
#define FNAT_FNATD_PROCESS_H

#include <stdint.h>

#include "base/err.h"

/*
 * Fork. The parent waits for process_ready() in the child and exits with 0, or
 * with the child's status when that ends before. Returns in the child: the descriptor for
 * process_ready(). Before any thread is made.
 */
int process_daemonize(void);

/*
 * The service is up: lets the parent go (fd from process_daemonize(), or -1)
 * and tells systemd (sd_notify(3)). A daemon lets go of the terminal, and logs to syslog(3)
 * unless its stderr is a file.
 */
void process_ready(int fd);

/* The path as it will mean the same after a daemon's chdir(2). The caller frees it; NULL of NULL.
 */
char *process_absolute(const char *path);

/* To $NOTIFY_SOCKET, see sd_notify(3); nothing when there is none. */
void process_notify(const char *state);

/* The configuration is being read again; "READY=1" ends it. */
void process_notify_reloading(void);

/*
 * How often systemd wants to hear WATCHDOG=1 (sd_watchdog_enabled(3)), in microseconds; 0: never,
 * also when another process was meant.
 */
uint64_t process_watchdog_us(void);

/* The directory that a path lies in, and what leads there (0755). */
int process_make_parents(const char *path, struct err *err);

/* As many open files as the hard limit allows: a client is one. */
void process_raise_files(void);

/* ERR_SYSTEM when the limit of open files is too low for a daemon without clients and checks. */
int process_check_files(struct err *err);

/* A listening socket handed over by systemd (sd_listen_fds(3)), close-on-exec; 0: none. */
int process_activated_socket(void);

/* ERR_CONFLICT when a process accepts connections on this Unix socket. */
int process_check_socket(const char *path, struct err *err);

#endif
