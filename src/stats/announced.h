/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that helpers (FTP) announced: who announced which. Pure.
 *
 * The event of their end does not name the connection that announced them; the event of the
 * announcement does, and comes before.
 */
#ifndef FNAT_STATS_ANNOUNCED_H
#define FNAT_STATS_ANNOUNCED_H

#include <stdbool.h>
#include <stddef.h>

#include "stats/flow.h"

/* The latest that are remembered; taken when the first one comes. */
#define ANNOUNCED_BUCKETS 1024
#define ANNOUNCED_WAYS    4

struct announcement {
	struct flow_end to, master_to;
	uint8_t protocol;
};

/* All zero at first. */
struct announced {
	struct announcement (*buckets)[ANNOUNCED_WAYS];
};

void announced_fini(struct announced *a);
/* A FLOW_ANNOUNCED. */
void announced_note(struct announced *a, const struct flow *f);
/* Where the connection went that announced f; NULL: not known. Borrowed until the next note. */
const struct flow_end *announced_find(const struct announced *a, const struct flow *f);

#endif
