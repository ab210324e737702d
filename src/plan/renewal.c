/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The old gate admits all the while, so that nobody is refused for a renewal: what it may still
 * admit is taken off. That needs no haste anywhere: whether counter, count or new gate come at once
 * or after seconds, their order alone makes it right.
 */
#include "plan/renewal.h"

#include "plan/tokens.h"

/* After a count that gained nothing. */
#define REST_MS 500

bool renewal_has_tokens(const struct backend *b)
{
	return tokens_reserve(b->max_connections) < b->max_connections;
}

static struct tokens tokens_of(const struct admission *a, uint32_t open, uint64_t used)
{
	return (struct tokens){
		.issued = a->tokens,
		.reserve = a->room - a->tokens,
		.used = used < a->tokens ? (uint32_t)used : a->tokens,
		.open = open,
	};
}

bool renewal_look(struct renewal *r, const struct admission *a, const struct backend *b,
		  uint32_t open, uint64_t used, uint64_t now_ms)
{
	struct tokens t = tokens_of(a, open, used);

	if (a->state != ADMISSION_OPEN) {
		r->due_ms = 0;
		return false;
	}
	if (r->due_ms || now_ms < r->not_until_ms || !renewal_has_tokens(b) ||
	    !tokens_are_due(b->max_connections, &t))
		return false;
	r->due_ms = now_ms;
	r->read_ms = 0;
	return true;
}

void renewal_read(struct renewal *r, uint64_t n_used, uint64_t now_ms)
{
	if (!r->due_ms || r->read_ms)
		return;
	r->read_ms = now_ms;
	r->n_used = n_used;
}

bool renewal_may_count(const struct renewal *r, uint64_t now_ms)
{
	return r->due_ms && r->read_ms && now_ms >= r->read_ms + ADMISSION_GRACE_MS;
}

bool renewal_counted(struct renewal *r, struct admission *a, const struct backend *b, uint32_t open,
		     uint64_t begun_ms)
{
	struct tokens t = tokens_of(a, open, r->n_used);
	uint32_t n = tokens_renewed(b->max_connections, &t);

	if (a->state != ADMISSION_OPEN || !renewal_may_count(r, begun_ms))
		return false;
	r->due_ms = r->read_ms = 0;
	if (n <= t.issued - t.used) {
		r->not_until_ms = begun_ms + REST_MS;
		return false;
	}
	admission_renew(a, b, n);
	return true;
}
