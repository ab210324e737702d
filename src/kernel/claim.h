/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One fnatd at a time uses a table that the kernel does not protect: the claim of it, which lasts
 * as long as a file descriptor, and holds in one network namespace.
 */
#ifndef FNAT_KERNEL_CLAIM_H
#define FNAT_KERNEL_CLAIM_H

#include "base/err.h"

/*
 * In the network namespace of the calling thread. 0: *fd has the claim, and the caller closes it;
 * or it is -1, when a process of another user is in the way: only root's and the own user's count.
 * ERR_CONFLICT when another process has it.
 */
int claim_take(const char *table, int *fd, struct err *err);

#endif
