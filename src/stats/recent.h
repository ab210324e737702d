/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends of connections that were counted just now. Pure.
 *
 * The kernel tells an end once, unless somebody else's listener wants reliable delivery and does
 * not keep up: then it tries again, and tells everybody again. Up to 1 % of a burst was seen to
 * come twice.
 */
#ifndef FNAT_STATS_RECENT_H
#define FNAT_STATS_RECENT_H

#include <stdbool.h>

#include "stats/flow.h"

/* Forgotten after so long without a repetition. */
#define RECENT_S 10
/* Ends that are remembered, the latest ones; a megabyte. */
#define RECENT_BUCKETS 16384
#define RECENT_WAYS    8 /* a line of the cache */

struct recent_slot {
	uint32_t print, second;
};

/* All zero at first. */
struct recent {
	struct recent_slot (*buckets)[RECENT_WAYS];
};

void recent_fini(struct recent *r);
/* Was this FLOW_DESTROY told before? Remembers it. */
bool recent_is_again(struct recent *r, const struct flow *f);

#endif
