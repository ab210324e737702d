/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that began, as the kernel counts them where a service has "count_begun": an element
 * of a set for each backend (RULE_BEGUN). They go on while nobody reads them, so they tell of what
 * conntrack's events did not. Reading is for a thread, what was read is for the main loop.
 */
#ifndef FNAT_ENGINE_BEGUN_H
#define FNAT_ENGINE_BEGUN_H

#include "kernel/nl.h"
#include "plan/plan.h"
#include "stats/stats.h"

/* What the sets of some services say. */
struct begun_counts;

/*
 * Up to so many services all are read at once, whoever is asked for: that takes 5 ms. 10,000 take 2
 * seconds, because the kernel looks for a set by going through them.
 */
#define BEGUN_AT_ONCE 250

/*
 * Of those services that are wanted (NULL: of all); while the table changes perhaps not all of it,
 * or one twice. What cannot be read is logged and missing. NULL: none is counted. go_on(arg) is
 * called before each service; when it says false that is the end.
 */
struct begun_counts *begun_read(struct nl *nl, const char *table, const struct owned_services *of,
				const bool *is_wanted, bool (*go_on)(void *), void *arg);
/* How many services are counted. */
size_t begun_n(const struct owned_services *of);
void begun_counts_free(struct begun_counts *c); /* NULL is fine */

/* What each element has said already: one whose backend goes and comes back begins anew there. */
struct begun;

struct begun *begun_new(void);
void begun_free(struct begun *b); /* NULL is fine */
/* The next n of the counts (NULL is fine) or a few more into the statistics. True: there are more.
 */
bool begun_take(struct begun *b, struct stats *stats, const struct model *m, struct begun_counts *c,
		size_t n);
/* The service's sets are gone. */
void begun_forget(struct begun *b, const char *service);

#endif
