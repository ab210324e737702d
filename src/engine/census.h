/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that lists conntrack's table, which takes about a second for a million connections.
 */
#ifndef FNAT_ENGINE_CENSUS_H
#define FNAT_ENGINE_CENSUS_H

#include "base/err.h"
#include "base/mailbox.h"
#include "kernel/ct_events.h"

struct census;

/*
 * Starts the thread, in the calling thread's network namespace. What it finds goes to `out`
 * (borrowed): CT_BATCH_LISTED, then one CT_BATCH_END.
 */
int census_new(struct mailbox *out, struct census **c, struct err *err);
/* Breaks off what goes on. Batches in `out` or elsewhere stay the receiver's. */
void census_free(struct census *c);

/* Any thread. One listing at a time. */
void census_start(struct census *c, uint64_t number);
/* Only a few batches are under way at a time. */
void census_return(struct census *c, struct ct_batch *batch);

#endif
