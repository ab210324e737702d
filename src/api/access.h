/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what. The kernel says who is at the other end of a Unix socket
 * (SO_PEERCRED, SO_PEERGROUPS: unix(7)); nothing the client sends is believed.
 */
#ifndef FNAT_API_ACCESS_H
#define FNAT_API_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "api/http.h"

#define ACCESS_GROUP_DEFAULT "fnat"
#define ACCESS_NOBODY        ((gid_t)-1)

struct access_rule {
	gid_t writers; /* ACCESS_NOBODY: root (and the daemon's own user) alone */
	gid_t readers; /* ACCESS_NOBODY: only who may write */
};

/*
 * Groups by name: a group that has no default name must exist. NULL readers: none.
 * ERR_INVALID with the name otherwise.
 */
int access_init(struct access_rule *a, const char *writers, const char *readers, struct err *err);

/* Mode of the socket: who may not connect cannot be told why. */
mode_t access_socket_mode(const struct access_rule *a);

/* In the handler of the request. */
bool access_is_allowed(const struct access_rule *a, const struct http_request *req, bool is_write);

#endif
