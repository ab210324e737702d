/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients' connections say about a backend, without any test traffic: after so many failures
 * in a row it is out of use for a time, which doubles when that was of no use (as DPVS does it).
 * Pure; times are microseconds of one clock.
 */
#ifndef FNAT_HEALTH_PASSIVE_H
#define FNAT_HEALTH_PASSIVE_H

#include <stdbool.h>
#include <stdint.h>

struct passive_rule {
	uint32_t failures;  /* in a row, without one connection that was answered in between ... */
	uint64_t window_us; /* ... and within this time */
	uint64_t inhibit_us, inhibit_max_us;
};

/* All zero: nothing is known. */
struct passive {
	uint32_t n_failed;   /* in a row */
	uint64_t first_us;   /* of these */
	uint64_t inhibit_us; /* the last time out of use took so long; 0: there was none */
	uint64_t until_us;   /* of the last time out of use */
	bool is_down;
};

/* A connection failed. True: it is out of use now, until p->until_us. */
bool passive_failed(struct passive *p, const struct passive_rule *rule, uint64_t now_us);
/* A connection was answered. */
void passive_answered(struct passive *p);
/* The time is over: it is tried again. */
void passive_over(struct passive *p);

#endif
