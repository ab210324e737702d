/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets of probes: what they need to connect without waiting.
 */
#ifndef FNAT_HEALTH_PROBE_SOCKET_H
#define FNAT_HEALTH_PROBE_SOCKET_H

#include <sys/socket.h>

#include "health/probe.h"

/* For address and port; returns its length. */
socklen_t probe_sockaddr(const struct addr *address, uint16_t port, struct sockaddr_storage *out);

/* The address in a socket address; AF_UNSPEC when it has none. */
struct addr probe_address(const struct sockaddr_storage *name);

/* A non-blocking socket of SOCK_STREAM or SOCK_DGRAM, bound to the probe's source if it has one; or
 * -1 and errno. */
int probe_socket(const struct probe *p, int type);
/* For whoever reads that errno: what it is about. */
const char *probe_socket_what(int code);

/*
 * A non-blocking socket of SOCK_STREAM or SOCK_DGRAM, bound to the probe's source if it has one,
 * and a connection to its target begun. The file descriptor, to be closed with probe_close() or
 * probe_abort(), for it counts; or -1 and probe_done() was called.
 */
int probe_connect(struct probe *p, int type);

/* The outcome of that, once it is writable: 0 or an errno. */
int probe_connect_error(int fd);
bool probe_is_connected(int fd);

/* Reset a TCP connection; the socket is as before connect(2). False: it is of no use any more. */
bool probe_disconnect(int fd);
/* Begin a connection to the target with a socket that has none. False: with errno. */
bool probe_reconnect(const struct probe *p, int fd);

void probe_close(const struct probe *p, int fd);
/* The same for a TCP connection, with a reset: no TIME_WAIT here, 10,000 checks a second leave
 * none.
 */
void probe_abort(const struct probe *p, int fd);
/* The same for one that does not count. */
void probe_close_reset(int fd);
/* May one that has done its work stay open until the next check? */
bool probe_may_keep(const struct probe *p);

#endif
