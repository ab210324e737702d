/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the limit holds: while a gate is open the connections that it lets through are at most
 * `room`, and those from before it only become fewer, from at most `of` - `room`. Between two gates
 * nothing is let through at all. What is known of living connections (`open`) may be wrong, but for
 * the count of a gate that has been shut for long enough; it decides when, not how many.
 */
#include "plan/admission.h"

#include "plan/threshold.h"
#include "plan/tokens.h"

bool admission_look(struct admission *a, const struct backend *b, uint32_t open, bool has_refused)
{
	bool is_full = open >= b->max_connections;
	bool has_more = has_refused && (open < threshold_lower(b) || a->of < b->max_connections);

	a->is_full = a->is_full || (a->state == ADMISSION_SHUT && is_full);
	if (a->state != ADMISSION_OPEN || (!is_full && !has_more))
		return false;
	admission_close(a);
	a->is_full = is_full;
	return true;
}

void admission_close(struct admission *a)
{
	a->state = ADMISSION_CLOSING;
	a->is_full = false;
}

void admission_shut(struct admission *a, uint64_t now_ms)
{
	a->state = ADMISSION_SHUT;
	a->shut_ms = now_ms;
}

/* With so many it stays shut. */
static uint32_t stop_at(const struct admission *a, const struct backend *b)
{
	return a->is_full ? threshold_lower(b) : b->max_connections;
}

static bool is_at_rest(const struct admission *a, uint64_t now_ms)
{
	return a->state == ADMISSION_SHUT && now_ms >= a->shut_ms + ADMISSION_GRACE_MS;
}

bool admission_may_count(const struct admission *a, const struct backend *b, uint32_t open,
			 uint64_t now_ms)
{
	return is_at_rest(a, now_ms) && open < stop_at(a, b);
}

bool admission_counted(struct admission *a, const struct backend *b, uint32_t open,
		       uint64_t begun_ms)
{
	if (!is_at_rest(a, begun_ms))
		return false;
	if (open >= stop_at(a, b)) {
		a->is_full = a->is_full || open >= b->max_connections;
		return false;
	}
	a->state = ADMISSION_OPEN;
	a->is_full = false;
	a->of = b->max_connections;
	a->room = b->max_connections - open;
	a->tokens = 0;
	a->epoch++;
	return true;
}

void admission_divide(struct admission *a)
{
	uint32_t reserve;

	tokens_split(a->of, a->room, &a->tokens, &reserve);
}

void admission_renew(struct admission *a, const struct backend *b, uint32_t tokens)
{
	a->of = b->max_connections;
	a->tokens = tokens;
	a->room = tokens + tokens_reserve(a->of);
	a->epoch++;
}
