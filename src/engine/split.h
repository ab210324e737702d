/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains that must be in the kernel one batch before the elements that lead to them.
 */
#ifndef FNAT_ENGINE_SPLIT_H
#define FNAT_ENGINE_SPLIT_H

#include "plan/image.h"

/*
 * Does a listener that is served already go to a chain that the same stage
 * makes? Then *first gets the maps and chains that are added, *rest all the
 * others. The lists borrow from the stage: free(items) each.
 */
bool split_stage(const struct op_list *stage, struct op_list *first, struct op_list *rest);

/* What takes *first back, borrowing from it: free(items). */
void split_undo(const struct op_list *first, struct op_list *undo);

#endif
