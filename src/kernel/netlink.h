/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question to the kernel over netlink and its answers, for those who only
 * read. Not thread safe: a socket belongs to one thread and to the network
 * namespace it was opened in.
 */
#ifndef FNAT_KERNEL_NETLINK_H
#define FNAT_KERNEL_NETLINK_H

#include <libmnl/libmnl.h>

struct netlink {
	struct mnl_socket *socket; /* NULL: closed */
	uint32_t seq;
	int bus;
};

/* bus: NETLINK_ROUTE, ... 0 or a negative errno. */
int netlink_open(struct netlink *nl, int bus);
void netlink_close(struct netlink *nl); /* also of one that was never opened but is zeroed */

/* Begin a request in buf, which is zeroed and has room for all that will be put there. */
struct nlmsghdr *netlink_request(struct netlink *nl, char *buf, uint16_t type, uint16_t flags);

/*
 * Send it, and give every answer to cb (NULL: ignore them). A dump that
 * changed while it was read is taken as it is: this is for looks round, not
 * for bookkeeping. 0 or a negative errno, the kernel's included.
 */
int netlink_transact(struct netlink *nl, const struct nlmsghdr *request, mnl_cb_t cb, void *data);

#endif
