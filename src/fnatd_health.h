/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from the health of backends: this ties the checks to the engine.
 */
#ifndef FNAT_FNATD_HEALTH_H
#define FNAT_FNATD_HEALTH_H

#include <event2/event.h>

#include "engine/engine.h"
#include "engine/observer.h"
#include "health/health.h"

struct keeper_of_health;

/* Before engine_start(), so that it sees all services. The engine and the
 * observer must live longer, and nothing is counted any more when it is freed. programs: directory
 * of what checks may run, NULL for nothing; borrowed. */
struct keeper_of_health *fnatd_health_new(struct event_base *base, struct engine *e,
					  struct observer *o, const char *programs,
					  const char *memory);
/* After engine_start(). */
void fnatd_health_started(struct keeper_of_health *k);
void fnatd_health_free(struct keeper_of_health *k); /* NULL is fine */

/* For the API. Borrowed. */
struct health *fnatd_health(struct keeper_of_health *k);

#endif
