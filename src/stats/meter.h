/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of one service, listener, backend or pool address. Pure arithmetic.
 *
 * Names and meanings are those of IPVS (ipvsadm(8)): conns counts connections from their
 * beginning, in is from the client, packets and bytes are those of the IP layer. Totals are what
 * connections that ended had, plus what the living ones had when they were last listed. They only
 * grow.
 */
#ifndef FNAT_STATS_METER_H
#define FNAT_STATS_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/flow.h"

/* What has a rate, in IPVS's order: the rates are cps, inpps, outpps, inbps, outbps. */
enum meter_sum { SUM_CONNS, SUM_INPKTS, SUM_OUTPKTS, SUM_INBYTES, SUM_OUTBYTES, N_SUMS };

/* How connections ended that did not end well. */
enum meter_end {
	END_REFUSED,   /* the backend answered the first packet with a reset */
	END_TIMED_OUT, /* the timeout of an answered TCP connection that was not closed */
	END_FAILED,    /* no answer at all */
	N_ENDS
};

struct meter {
	uint64_t ended[N_SUMS]; /* private: of connections that ended before the last listing began
				 */
	uint32_t active, inactive;
	uint64_t begun; /* by FLOW_NEW */
	uint32_t open;  /* of both: those that are not closed, as ct count counts */
	uint64_t ends[N_ENDS];
	uint64_t shown[N_SUMS]; /* the totals */
	uint64_t overflowed;    /* of services and backends: connections that met a limit */
	uint64_t counted;       /* likewise: connections that began, by the kernel's counters */
	uint64_t remembered;    /* clients that are, by persistence, when they were last counted */
	double rates[N_SUMS];   /* a second */
	struct {
		uint64_t sums[N_SUMS], ends[N_ENDS], overflowed, counted;
	} zero; /* the totals when they were zeroed: to be taken off */

	/* Private. */
	uint64_t late[N_SUMS];    /* ... and while a listing goes on */
	uint64_t listed[N_SUMS];  /* of living ones, in listing number `listing` */
	uint64_t sampled[N_SUMS]; /* the totals when rates were last made */
	uint64_t sampled_ns;
	uint64_t listing;
	/* The kernel's counters of overflowed ones, and of a backend's that began: what they said.
	 */
	struct meter_counter {
		uint64_t handle, read;
	} counter, counter_begun;
	uint32_t listed_active, listed_inactive, listed_open;
	uint32_t late_begun; /* while a listing goes on: perhaps it has them, perhaps not */
};

/* What outlives a restart; nothing but 64-bit numbers. */
struct meter_saved {
	uint64_t ended[N_SUMS], shown[N_SUMS], zero_sums[N_SUMS];
	uint64_t ends[N_ENDS], zero_ends[N_ENDS];
	/* Since version 2 of the file. */
	uint64_t overflowed, zero_overflowed, counter_handle, counter_read;
	/* Since version 3. */
	uint64_t counted, zero_counted, counter_begun_handle, counter_begun_read;
};

void meter_save(const struct meter *m, struct meter_saved *out);
/* Of a meter that has counted nothing yet. */
void meter_restore(struct meter *m, const struct meter_saved *from);
/* Could meter_save() have made it? */
bool meter_saved_is_sane(const struct meter_saved *s);

/* Established (TCP, SCTP), or answered (others). */
bool flow_is_active(const struct flow *f);
/* Closed, or it would count for `ct count` (linux: nf_conncount.c, already_closed()). */
bool flow_is_closed(const struct flow *f);
/* How it ended: enum meter_end, or N_ENDS: well. Of a FLOW_DESTROY. */
enum meter_end flow_end_of(const struct flow *f);

/* A connection began (FLOW_NEW), or changed its state (FLOW_UPDATE); counts the living only.
 * is_listing: a listing is going on. */
void meter_begin(struct meter *m, bool is_listing);
void meter_update(struct meter *m, const struct flow *f);
/* It ended. */
void meter_end(struct meter *m, const struct flow *f, bool is_listing);

/* Listing number `listing`, greater than any before, has this one. */
void meter_list(struct meter *m, const struct flow *f, uint64_t listing);

/*
 * The kernel's counter of connections that met a limit. It goes on while no daemon reads it; one
 * with another handle, or with less than before, is another one, and begins at zero. Returns how
 * many are new.
 */
uint64_t meter_overflowed(struct meter *m, uint64_t handle, uint64_t packets);

/*
 * Likewise, of connections that began, of a backend. before: what the counter is known to have said
 * already, perhaps to somebody else; 0 if nothing is.
 */
uint64_t meter_counted(struct meter *m, uint64_t handle, uint64_t before, uint64_t packets);

/* As `ipvsadm -Z`: totals count from here. */
void meter_zero(struct meter *m);

/* It has rested, and something happens to it now; rates are measured from since_ns. */
void meter_wake(struct meter *m, uint64_t since_ns);

/*
 * The listing is over, and everything was heard of connections that ended until now. has_lost:
 * events were lost since the last listing; then what had been shown of connections that are gone
 * without a trace stays in the totals. False: nothing lives, and no rate is left.
 */
bool meter_settle(struct meter *m, uint64_t listing, uint64_t now_ns, bool has_lost);
/* The listing broke off. */
void meter_cancel(struct meter *m);

#endif
