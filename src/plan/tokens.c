/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who can be alive at any time after the count: those counted; those that used a token of the old
 * gate since `used` was read, of which there are no more than it had left then; those that its
 * reserve lets through, at a time; and the same of the new gate. Some are counted twice that way,
 * which errs on the safe side: connections between the reading and the count, and the old reserve's
 * own, until the next renewal.
 *
 * So a renewal is worth while when little is left, and when more is gained than lost.
 */
#include "plan/tokens.h"

#define RESERVE_PART 32
#define RESERVE_MIN  4
/* Due when no more than this part of max_connections is left ... */
#define LEFT_PART 4
/* ... and this part of it, or more, is gained. */
#define GAIN_PART 16

uint32_t tokens_reserve(uint32_t max)
{
	uint32_t part = max / RESERVE_PART;

	if (max <= TOKENS_RESERVE_MAX)
		return max;
	if (part < RESERVE_MIN)
		return RESERVE_MIN;
	return part < TOKENS_RESERVE_MAX ? part : TOKENS_RESERVE_MAX;
}

void tokens_split(uint32_t max, uint32_t room, uint32_t *tokens, uint32_t *reserve)
{
	uint32_t most = tokens_reserve(max);

	*reserve = room < most ? room : most;
	*tokens = room - *reserve;
}

static uint32_t left_of(const struct tokens *t)
{
	return t->issued > t->used ? t->issued - t->used : 0;
}

uint32_t tokens_renewed(uint32_t max, const struct tokens *t)
{
	uint64_t taken = (uint64_t)t->open + left_of(t) + t->reserve + tokens_reserve(max);

	return max > taken ? (uint32_t)(max - taken) : 0;
}

bool tokens_are_due(uint32_t max, const struct tokens *t)
{
	uint64_t left = left_of(t);

	return left <= max / LEFT_PART && tokens_renewed(max, t) > left + max / GAIN_PART;
}
