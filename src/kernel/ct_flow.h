/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a ctnetlink message (linux/netfilter/nfnetlink_conntrack.h) to a plain value.
 */
#ifndef FNAT_KERNEL_CT_FLOW_H
#define FNAT_KERNEL_CT_FLOW_H

#include <libmnl/libmnl.h>

#include "stats/flow.h"

/*
 * False: not about a connection of IPv4 or IPv6, or not as the kernel writes it; *out is then
 * undefined. kind is FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY as for an event; a message of a dump
 * (NLM_F_MULTI) is FLOW_LISTED, one about an expectation FLOW_ANNOUNCED. The message is whole
 * (nl_message_ok()); nothing else is taken for granted of it.
 */
bool ct_flow_read(const struct nlmsghdr *nlh, struct flow *out);

#endif
