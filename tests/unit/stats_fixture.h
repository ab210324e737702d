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

#endif
