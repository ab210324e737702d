/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that programs of checks and hooks left behind outside of their process group: who calls
 * setsid(2) or setpgid(2) is not reached by a signal to the group. They become children of
 * this process when their parent ends (prctl(2), PR_SET_CHILD_SUBREAPER), and are killed then.
 *
 * For the main thread, which must never fork: its children are those, and no others.
 */
#ifndef FNAT_HEALTH_ORPHANS_H
#define FNAT_HEALTH_ORPHANS_H

#include <stddef.h>

/* From now on they come here. No effect where the kernel does not list a thread's children
 * (CONFIG_PROC_CHILDREN), and for a process with number 1, to which others' orphans come, too. */
void orphans_adopt(void);

/* Kill and reap those that are here. One that is in the process group of a program that still
 * runs stays: it goes with that. Returns how many are to be looked at again, because they
 * were still there or may have left some of their own. */
size_t orphans_sweep(void);

/* Until there are none, but no longer than a moment. */
void orphans_end(void);

#endif
