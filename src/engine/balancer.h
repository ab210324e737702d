/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services with a load-aware scheduler: twice a second, or as often as takes a twentieth of a
 * core's time, what it makes of the kernel included, but every 8 s, the live connections of their
 * backends become shares (plan/balance.h). Main loop only.
 *
 * While there is such a service conntrack is asked for the events of connections that begin and
 * change, beside those that end: kernel/ct_events.h says what they cost.
 */
#ifndef FNAT_ENGINE_BALANCER_H
#define FNAT_ENGINE_BALANCER_H

#include "engine/observer.h"

#define BALANCER_INTERVAL_MS 500

struct balancer;

/* After the observer, and before engine_start(). All must live longer. */
struct balancer *balancer_new(struct event_base *base, struct engine *e, struct observer *o);
void balancer_free(struct balancer *b);

struct balancer_status {
	uint32_t error_ppm; /* see balance_error_ppm(); of the family that has more */
	uint64_t n_steps;   /* looks at its load */
	uint64_t n_changes; /* ... after which slots moved */
	uint64_t n_moved;   /* slots that changed hands, at least: their numbers changed by that */
};
/* False: the service has no such scheduler. */
bool balancer_status(const struct balancer *b, const char *service, struct balancer_status *out);
/* Of all such services together, error_ppm the largest; returns how many there are. */
size_t balancer_total(const struct balancer *b, struct balancer_status *out);

#endif
