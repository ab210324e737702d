/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stage 2 of earlier changes still has to remove. A packet that is
 * halfway through the chains may still look those things up, so they stay for
 * a grace period; meanwhile a new change may want the same key again.
 */
#ifndef FNAT_PLAN_GARBAGE_H
#define FNAT_PLAN_GARBAGE_H

#include "plan/image.h"

struct garbage;

struct garbage *garbage_new(void);
void garbage_free(struct garbage *g);
size_t garbage_count(const struct garbage *g);

/* Does what this operation would remove wait already? */
bool garbage_has(const struct garbage *g, const struct op *op);

/*
 * After reading the kernel, image_diff() finds again what waits here: start
 * with a new garbage then, and let it take that stage 2.
 *
 * Rewrite stage 1 of a new change for what is still there: adding an element
 * that waits for removal becomes DEL + ADD, a chain OP_SET_CHAIN, a map
 * nothing. garbage_resolve() only rewrites; once the kernel has accepted the
 * change, garbage_take() drops what was resurrected and takes the change's
 * stage 2 (which is empty afterwards) with the time at which it may go.
 */
void garbage_resolve(const struct garbage *g, struct ops *ops);
void garbage_take(struct garbage *g, struct ops *ops, uint64_t due_ms);

/*
 * What is due at now_ms, in an order the kernel accepts (elements before
 * chains before maps), moved to *out, whose strings are in storage and which
 * the caller ends with op_list_fini(). What a kernel before 6.2 does not
 * remove together with this is left for the next call: while
 * garbage_wait_ms() is 0, there is more.
 */
void garbage_collect(struct garbage *g, uint64_t now_ms, struct op_list *out, struct ops *storage);

/* Milliseconds until something is due: 0 now, -1 nothing waits. */
int garbage_wait_ms(const struct garbage *g, uint64_t now_ms);

#endif
