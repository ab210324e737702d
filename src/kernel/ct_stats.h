/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conntrack's own counters (CTA_STATS_... of linux/netfilter/nfnetlink_conntrack.h), of the network
 * namespace: of all connections, not only FULLNATed ones.
 */
#ifndef FNAT_KERNEL_CT_STATS_H
#define FNAT_KERNEL_CT_STATS_H

#include "kernel/nl.h"

struct ct_stats {
	uint64_t insert_failed; /* new connections that found no free tuple, or lost a race for one
				 */
	uint64_t drop;          /* those, and others that were dropped: the table is full */
	uint64_t early_drop;    /* connections that had to make room */
};

/* 0, or a negative errno. Each processor's counter has 32 bits. */
int ct_stats_read(struct nl *nl, struct ct_stats *out);

#endif
