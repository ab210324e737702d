/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Acts on the port budget (stats/ports.h): where a local address has few ports left towards a
 * backend there is an event (type "ports"), and where it has hardly any, new connections go around
 * it. Main loop only.
 *
 * While an address has half of its ports in use, conntrack is asked for the events of connections
 * that begin, so that the numbers are of now and not of the last listing.
 */
#ifndef FNAT_ENGINE_BUDGET_H
#define FNAT_ENGINE_BUDGET_H

#include "engine/observer.h"
#include "stats/ports.h"

struct budget;

/* After the observer, and before engine_start(). Both must live longer. */
struct budget *budget_new(struct engine *e, struct observer *o);
void budget_free(struct budget *b);

/* How many (local address, backend, protocol) are at least at each level; [PORTS_OK] is 0. */
struct budget_status {
	size_t n_pairs[N_PORTS_LEVELS];
};
struct budget_status budget_status(const struct budget *b);

#endif
