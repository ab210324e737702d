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
#define RECENT_WAYS    8

/* Compared all at once. */
typedef uint32_t recent_prints __attribute__((vector_size(4 * RECENT_WAYS), aligned(8)));

/* A line of the cache. */
struct recent_bucket {
	recent_prints prints;
	uint16_t seconds[RECENT_WAYS]; /* the lower half of them */
	uint8_t next;                  /* the oldest one, which makes room */
	uint8_t unused[15];
};

/* All zero at first. */
struct recent {
	struct recent_bucket *buckets;
};

void recent_fini(struct recent *r);
/* Brings what recent_is_again() will look at into the cache of the processor. */
void recent_fetch(const struct recent *r, const struct flow *f);
/* Was this FLOW_DESTROY told before? Remembers it. */
bool recent_is_again(struct recent *r, const struct flow *f);

#endif
