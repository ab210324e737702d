/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conntrack entries that would go round a listener that has just appeared, or that lead to a
 * backend that is gone, and the thread that deletes them: finding them means to walk all of
 * conntrack's table.
 */
#ifndef FNAT_ENGINE_SWEEP_H
#define FNAT_ENGINE_SWEEP_H

#include "base/mailbox.h"
#include "engine/job.h"

/*
 * Listeners that the operations add to the services maps and that were not there before, sorted:
 * a listener whose program changes is deleted and added. The caller frees the array.
 */
struct listener *listeners_appeared(const struct op_list *stage, size_t *n);

struct sweeper;

/*
 * Starts the thread, in the calling thread's network namespace. Without conntrack it still
 * takes jobs, and says once in the log what is missing.
 */
int sweeper_new(struct mailbox *done, struct sweeper **out, struct err *err);
/* After the last job has come back. */
void sweeper_free(struct sweeper *s);

/* Gives the job away; it comes back through `done` when what appeared and departed
 * with it is swept. */
void sweeper_send(struct sweeper *s, struct job *job);

#endif
