/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "limit": "budget": what a gate lets through without counting who lives. Pure.
 *
 * A token is the right of one connection to pass. The kernel takes them off one by one, at no cost
 * that depends on how many connections live; fnatd issues more for what has ended. Beside them
 * there is a reserve that the kernel counts itself (`ct count`), small enough to be cheap, so that
 * some get in while fnatd does not issue any.
 *
 * What holds at any time, however late fnatd is: connections that live, tokens that are not used,
 * and reserves that something leads to, are together no more than max_connections.
 */
#ifndef FNAT_PLAN_TOKENS_H
#define FNAT_PLAN_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel walks up to so many at a new connection; up to here that costs little. */
#define TOKENS_RESERVE_MAX 64

/* What the kernel counts itself: all, of a limit that is not larger than the above. */
uint32_t tokens_reserve(uint32_t max);
/* The room that max_connections leaves while nothing leads to the backend. */
void tokens_split(uint32_t max, uint32_t room, uint32_t *tokens, uint32_t *reserve);

/* What is known of a gate that goes on to admit. */
struct tokens {
	uint32_t issued, reserve; /* of it */
	/* So many, at least, were used, by connections that were in conntrack ... */
	uint32_t used;
	/* ... when those that lived were counted, none left out. */
	uint32_t open;
};

/*
 * How many tokens a new gate may have that takes its place. The old one may go on until it is
 * replaced, whenever that is: what it has not used is lost until the next one.
 */
uint32_t tokens_renewed(uint32_t max, const struct tokens *t);
/* Is it worth while to find that out? Going by numbers that need not be true. */
bool tokens_are_due(uint32_t max, const struct tokens *t);

#endif
