/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/lanes.h"

#include <assert.h>

bool lanes_take(struct lanes *l, unsigned int lane)
{
	uint64_t bit = 1ull << lane % 64;

	if (lane >= l->total || l->taken[lane / 64] & bit)
		return false;
	l->taken[lane / 64] |= bit;
	l->used++;
	return true;
}

int lanes_take_any(struct lanes *l)
{
	if (l->used >= l->total)
		return -1;
	for (unsigned int i = 0; i * 64 < l->total; i++) {
		unsigned int lane = i * 64;

		if (~l->taken[i] == 0)
			continue;
		lane += (unsigned int)__builtin_ctzll(~l->taken[i]);
		return lanes_take(l, lane) ? (int)lane : -1;
	}
	return -1;
}

void lanes_give(struct lanes *l, unsigned int lane)
{
	uint64_t bit = 1ull << lane % 64;

	assert(lane < l->total && l->taken[lane / 64] & bit);
	l->taken[lane / 64] &= ~bit;
	l->used--;
}
