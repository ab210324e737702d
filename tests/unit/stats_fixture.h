/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world of a test of accounting: made anew for each, and what is fed to it. One file's own. */
#ifndef FNAT_TESTS_STATS_FIXTURE_H
#define FNAT_TESTS_STATS_FIXTURE_H

#include "stats_testing.h"

#define S 1000000000ull

static struct world w;

static void setup(void)
{
	world_init(&w);
}

static void teardown(void)
{
	world_fini(&w);
}

static void feed(const struct flow *f)
{
	stats_flow(w.s, w.m, f);
}

static inline void feed_listed(uint64_t packets, uint64_t bytes)
{
	struct flow f = make_flow(FLOW_LISTED, packets, bytes);

	feed(&f);
}

/* A listing is over. */
static inline void settle(uint64_t at_ns)
{
	stats_list_end(w.s, w.m, at_ns, false);
}

#endif
