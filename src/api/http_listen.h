/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listening Unix socket.
 */
#ifndef FNAT_API_HTTP_LISTEN_H
#define FNAT_API_HTTP_LISTEN_H

#include <sys/types.h>

#include "base/err.h"

struct unix_listener {
	int fd;     /* non-blocking, close-on-exec */
	char *path; /* owned */
	dev_t dev;  /* of the file, so that only this one is removed */
	ino_t ino;
};

/* See http_listen_unix(). */
int unix_listener_open(const char *path, mode_t mode, gid_t gid, struct unix_listener *out,
		       struct err *err);

/* Removes the file unless somebody else has put another one there. Does not close fd. */
void unix_listener_remove(struct unix_listener *l);

#endif
