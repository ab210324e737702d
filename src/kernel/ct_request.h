/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to ctnetlink (linux/netfilter/nfnetlink_conntrack.h) and their parts.
 */
#ifndef FNAT_KERNEL_CT_REQUEST_H
#define FNAT_KERNEL_CT_REQUEST_H

#include "kernel/nl.h"
#include "stats/flow.h"

/* Begin a request (IPCTNL_MSG_CT_...) in buf, NL_REQUEST_BYTES. */
struct nlmsghdr *ct_request_start(char *buf, uint16_t type, uint8_t family);

/* A tuple, type CTA_TUPLE_ORIG or CTA_TUPLE_REPLY, for a request of the addresses' family. */
void ct_put_tuple(struct nlmsghdr *nlh, uint16_t type, uint8_t protocol, const struct flow_end *src,
		  const struct flow_end *dst);

#endif
