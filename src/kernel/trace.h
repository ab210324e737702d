/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes over netlink, in readable form, on standard error: to see what the
 * kernel was told and what it answered. Objects of nf_tables are written by
 * libnftnl, in the words of `nft --debug=netlink`; of other messages the kind
 * and the length are.
 */
#ifndef FNAT_KERNEL_TRACE_H
#define FNAT_KERNEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

/* Before any thread is made. */
void trace_enable(void);

enum trace_direction { TRACE_SENT, TRACE_RECEIVED };

/* All messages in a datagram of a bus (NETLINK_ROUTE, NETLINK_NETFILTER); nothing unless enabled.
 * Any bytes may be given. */
void trace_datagram(enum trace_direction direction, int bus, const void *bytes, size_t len);

#endif
