/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers that only the kernel has, brought into the statistics: how many connections met a limit
 * (counters of the table, one for each service with limits), how many began (begun.h), and how many
 * clients persistence remembers. Main loop only; what reads the kernel is a thread of its own.
 *
 * How fresh they are: the counters are read whenever somebody asks (tally_refresh()), all of them
 * in one dump, and every TALLY_INTERVAL_MS. That takes the thread 15 ms for 4,000 of them and 300
 * for 40,000, three times as long at most while the table changes; changes do not wait for it. What
 * is remembered is counted every TALLY_INTERVAL_MS, more seldom when that would take more than 2 %
 * of a core (1,000,000 clients: every two minutes or so), and not at all where nothing lives; of
 * one service also when somebody asks for that.
 */
#ifndef FNAT_ENGINE_TALLY_H
#define FNAT_ENGINE_TALLY_H

#include "engine/observer.h"

#define TALLY_INTERVAL_MS 10000

struct tally;

/*
 * After the observer, and before engine_start(); both must live longer. Where no thread or socket
 * is to be had it says so in the log, and these numbers stay zero.
 */
struct tally *tally_new(struct event_base *base, struct engine *e, struct observer *o,
			const char *table);
/* Before observer_drain(): who waits is handed on to the observer. */
void tally_drain(struct tally *t);
/* After engine_free(): what the engine was asked for may come until then. */
void tally_free(struct tally *t);

/*
 * As observer_refresh(), and the counters are no older than this call either (but for
 * BEGUN_AT_ONCE), nor is what is remembered of the service, and what began there (a name; NULL:
 * none).
 */
void tally_refresh(struct tally *t, const char *service, observer_fn *fn, void *arg);

#endif
