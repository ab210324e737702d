/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of this network namespace, TCP and UDP (sock_diag(7)).
 */
#ifndef FNAT_KERNEL_SOCKETS_H
#define FNAT_KERNEL_SOCKETS_H

#include "base/addr.h"

struct socket_entry {
	struct addr address; /* the local one; 0.0.0.0 or :: when it is any */
	uint16_t port;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
};

typedef void sockets_fn(const struct socket_entry *s, void *arg);

/* Calls fn for each socket but those in TIME_WAIT. 0 or a negative errno (-ENOENT: no sock_diag).
 */
int sockets_each(sockets_fn *fn, void *arg);

#endif
