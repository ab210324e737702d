/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the routing tables say about an address (rtnetlink(7), RTM_GETROUTE),
 * and which interfaces there are. Only reads. Not thread safe: a socket
 * belongs to one thread and to the network namespace it was opened in.
 */
#ifndef FNAT_KERNEL_ROUTE_H
#define FNAT_KERNEL_ROUTE_H

#include <net/if.h>

#include "base/addr.h"
#include "base/err.h"

struct route;

/* ERR_SYSTEM when there is no socket to be had. */
int route_open(struct route **out, struct err *err);
void route_close(struct route *r); /* NULL is fine */

enum route_kind {
	ROUTE_NONE,    /* no route, or one that refuses (unreachable, blackhole, prohibit) */
	ROUTE_LOCAL,   /* an address of this machine */
	ROUTE_UNICAST, /* sent on, to the address itself or to a gateway */
	ROUTE_OTHER,   /* broadcast, multicast */
};

struct route_result {
	enum route_kind kind;
	int reason;            /* ROUTE_NONE: ENETUNREACH, EHOSTUNREACH, ... */
	char ifname[IFNAMSIZ]; /* "" for ROUTE_NONE; "lo" mostly for ROUTE_LOCAL */
	struct addr gateway;   /* AF_UNSPEC: on the link */
	uint32_t mtu;          /* of this route alone (RTAX_MTU); 0: that of the interface */
	struct addr source;    /* that the machine's own packets would have; AF_UNSPEC: unknown */
};

/* Where a packet of this machine to dst would go. 0, or a negative errno of the question itself. */
int route_lookup(struct route *r, const struct addr *dst, struct route_result *out);

struct link {
	char name[IFNAMSIZ];
	unsigned int index, mtu;
	uint8_t mac[6];
	bool has_mac;       /* Ethernet: neighbours are asked for */
	unsigned int flags; /* IFF_UP, IFF_LOOPBACK, ...: net/if.h */
	bool is_port;       /* of a bridge or a bond: has no addresses of its own */
};

/* All interfaces; the caller frees *out with free(). 0 or a negative errno. */
int route_links(struct route *r, struct link **out, size_t *n);

#endif
