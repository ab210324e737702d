/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slow start: which backends are warming up, since when, and the timer that gives them more of
 * their weight. Main loop only.
 *
 * A backend warms up when health says that it is up again, and when the operator adds it to a
 * service that is there already, enables it or gives it a weight. Not when fnatd starts, and not
 * with a service that is new: then all are equally cold.
 */
#ifndef FNAT_ENGINE_WARMUP_H
#define FNAT_ENGINE_WARMUP_H

#include <event2/event.h>

#include "model/model.h"
#include "plan/effective.h"

struct warmup;

/* Called as time passes: the backend has this part of its weight, 0: all of it. */
typedef void warmup_fn(const char *service, const char *backend, uint16_t permille, void *arg);

struct warmup *warmup_new(struct event_base *base, warmup_fn *fn, void *arg);
void warmup_free(struct warmup *w);

/*
 * What is known of the backend is about to be *at: begin when it comes up, end when it goes down,
 * and put what it has now into at->warm_permille.
 */
void warmup_runtime(struct warmup *w, const struct service *s, const char *backend,
		    const struct backend_runtime *was, struct backend_runtime *at);
/* These changes are accepted. */
void warmup_accepted(struct warmup *w, const struct changes *c);

#endif
