/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Assigns addresses to interfaces and announces them: a thread of its own,
 * because a pool may have 65,536 of them. Removes only what it added, which
 * the kernel remembers (ADDRESS_PROTOCOL, address.h).
 */
#ifndef FNAT_KERNEL_ASSIGNER_H
#define FNAT_KERNEL_ASSIGNER_H

#include "base/err.h"
#include "model/model.h"

struct assigner;

/* In the network namespace of the calling thread. Nothing is touched before the first changes
 * come. table: which daemon this is. */
int assigner_new(const char *table, struct assigner **out, struct err *err);
/* Addresses stay. NULL is fine. */
void assigner_free(struct assigner *a);

/* The next accepted changes; the first are all that there is. Never blocks. */
void assigner_follow(struct assigner *a, const struct changes *c);

/* Remove all addresses that a daemon with this table has added. */
int assigner_flush(const char *table, struct err *err);

#endif
