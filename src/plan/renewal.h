/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a gate with tokens is replaced by one with new tokens, while it goes on to admit. Pure.
 *
 *   due       few are left, and connections have ended, as far as is known
 *   read      the kernel's counter of those that were used
 *   (rest)    ADMISSION_GRACE_MS, until connections that had used one by then are in conntrack
 *   counted   those that live: then there is a new gate with what they leave (plan/tokens.h)
 */
#ifndef FNAT_PLAN_RENEWAL_H
#define FNAT_PLAN_RENEWAL_H

#include "plan/admission.h"

/* All zero at first. */
struct renewal {
	uint64_t due_ms;       /* since then; 0: it is not */
	uint64_t read_ms;      /* when n_used was read since; 0: not yet */
	uint64_t n_used;       /* of the tokens of this gate */
	uint64_t not_until_ms; /* there was nothing to be had: not due before */
};

/* Has the backend tokens at all, or does the kernel count all of its connections? */
bool renewal_has_tokens(const struct backend *b);

/*
 * Does it become due now? open, used: connections that live, and tokens that were used, as far as
 * is known.
 */
bool renewal_look(struct renewal *r, const struct admission *a, const struct backend *b,
		  uint32_t open, uint64_t used, uint64_t now_ms);
/* The gate's counter, to be read after that. */
void renewal_read(struct renewal *r, uint64_t n_used, uint64_t now_ms);
/* Is it time to count? */
bool renewal_may_count(const struct renewal *r, uint64_t now_ms);
/*
 * So many connections live: counted from begun_ms on, none left out that lived then. True: it is
 * renewed, see admission_renew().
 */
bool renewal_counted(struct renewal *r, struct admission *a, const struct backend *b, uint32_t open,
		     uint64_t begun_ms);

#endif
