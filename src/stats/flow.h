/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of one connection, as a plain value: from an event, or from a dump of
 * conntrack's table. kernel/ct_flow.h makes it of a netlink message; all that counts takes it.
 */
#ifndef FNAT_STATS_FLOW_H
#define FNAT_STATS_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum flow_kind {
	FLOW_NEW,       /* its first packet went through */
	FLOW_UPDATE,    /* it changed: first reply, state */
	FLOW_DESTROY,   /* it is over, the counters are final */
	FLOW_LISTED,    /* it is in the table (dump) */
	FLOW_ANNOUNCED, /* a helper expects it: protocol, client, to (ports may be 0), master_to */
};

/* Bits of status, linux/netfilter/nf_conntrack_common.h (enum ip_conntrack_status). */
#define FLOW_EXPECTED   0x001u /* a data connection that a helper (FTP) announced */
#define FLOW_SEEN_REPLY 0x002u
#define FLOW_ASSURED    0x004u
#define FLOW_SRC_NAT    0x010u
#define FLOW_DST_NAT    0x020u
#define FLOW_DYING      0x200u
#define FLOW_FULLNAT    (FLOW_SRC_NAT | FLOW_DST_NAT)

struct flow_end {
	struct addr address;
	uint16_t port; /* 0: of a protocol without ports */
};

/* As the client sees it (original), and as the backend does (reply, turned round). */
struct flow {
	uint8_t kind, protocol;
	uint8_t state;     /* TCP, SCTP: linux/netfilter/nf_conntrack_{tcp,sctp}.h; 0: not told */
	bool has_counters; /* nf_conntrack_acct is on, and the message carries them */
	bool is_expired;   /* FLOW_DESTROY: its timeout was over, nobody deleted it */
	uint16_t zone;
	uint32_t status, id;            /* id: CTA_ID, unique only while the entry lives */
	struct flow_end client, to;     /* original source and destination */
	struct flow_end backend, local; /* reply source and destination */
	struct flow_end master_to;      /* of the connection that announced it; else family 0 */
	uint64_t packets_in, packets_out, bytes_in, bytes_out; /* in: from the client */
	uint64_t start_ns, stop_ns; /* CLOCK_REALTIME; 0: nf_conntrack_timestamp is off */
	uint64_t event_ns;          /* of an event, likewise; 0: also before 6.14 */
	uint64_t read_ns;           /* of an event: CLOCK_MONOTONIC when it was read */
};

#endif
