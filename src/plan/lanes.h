/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which lanes are taken: a value, so that a copy undoes a change.
 */
#ifndef FNAT_PLAN_LANES_H
#define FNAT_PLAN_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "plan/plan.h"

struct lanes {
	unsigned int total, used;
	uint64_t taken[PLAN_LANES_MAX / 64];
};

/* False when there is no such lane, or it is taken. */
bool lanes_take(struct lanes *l, unsigned int lane);
/* The lowest free lane (lanes near each other share maps), or -1. */
int lanes_take_any(struct lanes *l);
void lanes_give(struct lanes *l, unsigned int lane);

#endif
