/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * May clients that a service knows stay with their backend? Pure.
 */
#ifndef FNAT_PLAN_STAY_H
#define FNAT_PLAN_STAY_H

#include "model/model.h"

/*
 * May new connections of clients that are known (remembered, or pinned) go to this backend of the
 * service, as it is effective (plan/effective.h)? Not to one that is down, and to one that
 * drains (weight 0) only where the configuration says so. One that has all the connections it may
 * have keeps its clients, as in IPVS.
 */
bool backend_takes_known(const struct service *s, const struct backend *b);

/* The backend of that name that an entry means, or NULL; port 0: of any port. */
const struct backend *backend_of_entry(const struct service *s, const struct addr *to,
				       uint16_t port);

/*
 * May entries that were good for `before` be bad for `after`? Either may be NULL: no such service.
 * False where `after` has no persistence.
 */
bool entries_may_be_stale(const struct service *before, const struct service *after);

#endif
