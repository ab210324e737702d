/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load-aware schedulers (lc, wlc, sed, nq, ovf, twos): from how many connections each backend has
 * to the slots that each should have until the next look. Pure. Definitions: those of IPVS
 * (net/netfilter/ipvs/ip_vs_lc.c and so on); active connections are established, inactive ones in
 * any other state.
 */
#ifndef FNAT_PLAN_BALANCE_H
#define FNAT_PLAN_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One backend. What follows load is zero before the first step. */
struct balance_backend {
	/* In */
	uint32_t weight; /* 0: takes no new connections */
	uint32_t active, inactive;
	/* Out: slots; all 0 when nobody may take a connection (ovf) */
	uint32_t share;
	/* Private: how long connections stay in each state, and who had which part */
	double part, arrivals_s, active_avg, inactive_avg;
};

struct balance {
	const char *scheduler;
	double interval_s; /* until the next step */
	double arrivals_s; /* new connections a second that are expected */
	uint32_t slots;    /* that there are to give */
	bool is_first;     /* shares of an earlier step mean nothing */
};

/*
 * One step for the backends of a service and family. Shares stay as they are while they do well
 * enough, so that slots do not move for noise: true when they changed.
 */
bool balance_step(const struct balance *how, struct balance_backend *b, size_t n);

/*
 * How uneven the load is: the largest deviation of a backend's load, in its scheduler's terms, from
 * the mean, in parts per million of the mean. Of those that take new connections.
 */
uint32_t balance_error_ppm(const char *scheduler, const struct balance_backend *b, size_t n);

#endif
