/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What table.c and table_compare.c share. Nobody else includes it. */
#ifndef FNAT_ENGINE_TABLE_INTERNAL_H
#define FNAT_ENGINE_TABLE_INTERNAL_H

#include "engine/entries.h"
#include "engine/table.h"
#include "kernel/nft.h"
#include "plan/garbage.h"

struct table {
	struct nft *nft;
	struct plan *plan;
	struct garbage *garbage;
	struct forget *forget;
	char *name;
	struct listener *appeared; /* since they were taken last */
	size_t n_appeared, cap_appeared;
	bool is_flushed;
	bool is_unconfigured;          /* see struct engine_options */
	unsigned int collect_failures; /* in a row */
	uint64_t watch_after_ms;       /* no earlier look at what others did */
	uint64_t batches, batch_failures, last_commit_ns, drift_repaired;
};

/* table.c */

/* When what goes with a change of now may be removed. */
uint64_t table_due_ms(const struct table *t);
/* A stage of operations to the kernel: all of it, or (negative) nothing. */
int table_send(struct table *t, const struct op_list *stage, struct err *err);

/* table_compare.c */

/* Read the kernel and compare it with what the plan wants now. */
int table_compare(struct table *t, struct ops *ops, struct err *err);
/* The kernel counts no connections any more: nothing is to lead to gates that did, until the engine
 * has it counted anew. For the plan alone. */
void table_lose_counts(struct table *t);
/* The operations that were found so. What is there and not wanted is all the garbage there is. */
int table_send_compared(struct table *t, struct ops *ops, struct err *err);

#endif
