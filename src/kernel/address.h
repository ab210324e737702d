/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of interfaces (rtnetlink(7), RTM_GETADDR; linux/if_addr.h). Not
 * thread safe: a socket belongs to one thread and to the network namespace it
 * was opened in.
 */
#ifndef FNAT_KERNEL_ADDRESS_H
#define FNAT_KERNEL_ADDRESS_H

#include "base/addr.h"
#include "kernel/netlink.h"

struct interface_address {
	struct addr address; /* the interface's own, also of a point-to-point link */
	uint8_t prefix;      /* bits that the link shares */
	uint8_t protocol;    /* IFA_PROTO; 0: nobody said */
	uint32_t flags;      /* IFA_F_DADFAILED, ... */
	unsigned int ifindex;
};

/*
 * What fnat's addresses carry as IFA_PROTO, so that they are told from those of others, also after
 * a crash: the kernel keeps it with the address (since 5.18; before, it is ignored). The kernel's
 * own are 1 to 3. A daemon with a table of another name has another number, which two names may
 * share.
 */
#define ADDRESS_PROTOCOL 250
uint8_t address_protocol(const char *table);

/*
 * Add /32 or /128: for IPv6 without duplicate address detection (another balancer may have it, too)
 * and never chosen as the source of the machine's own packets. 0, -EEXIST or the kernel's errno.
 */
int address_add(struct netlink *nl, const struct addr *a, unsigned int ifindex, uint8_t protocol);
int address_delete(struct netlink *nl, const struct interface_address *a);

/* All addresses; the caller frees *out with free(). 0 or a negative errno. */
int address_list(struct netlink *nl, struct interface_address **out, size_t *n);

/* Is b in the network of a's first `prefix` bits? Both of one family. */
bool address_shares(const struct addr *a, const struct addr *b, uint8_t prefix);

#endif
