/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the gate of a backend with an exact limit is open, and how many it is to let through. Pure.
 *
 * The kernel counts what a gate has let through, and lets nothing through above its room; but it
 * also counts, as long as they live, connections that it has turned away and that went to another
 * backend (6.18: nft_connlimit_do_eval() adds before it compares). So a gate that was full admits
 * too few afterwards, though never too many. The cure is a new count: the gate is shut (nothing
 * leads to it), then the living connections of the backend are counted, in conntrack and after
 * any packet that was on its way, and a new gate is opened with as much room as they leave.
 */
#ifndef FNAT_PLAN_ADMISSION_H
#define FNAT_PLAN_ADMISSION_H

#include "model/model.h"

/* A packet that was halfway through the chains when the gate was shut is at its end by now. */
#define ADMISSION_GRACE_MS 100

enum admission_state {
	ADMISSION_SHUT,    /* since shut_ms; the first */
	ADMISSION_OPEN,    /* the kernel counts */
	ADMISSION_CLOSING, /* it is to be shut, and perhaps is not yet */
};

/* All zero: nothing is known. */
struct admission {
	uint8_t state;  /* enum admission_state */
	bool is_full;   /* not open, because it was full */
	uint16_t epoch; /* of the count */
	uint32_t of;    /* max_connections that the room follows from */
	uint32_t room;
	uint32_t tokens; /* of that, see plan/tokens.h; the kernel counts the rest */
	uint64_t shut_ms;
};

/*
 * Must it be shut now? Then it is closing. open: living connections of the backend, as far as is
 * known; has_refused: the count is spoiled, the gate has turned connections away. Those of a limit
 * that is higher by now get more room then.
 */
bool admission_look(struct admission *a, const struct backend *b, uint32_t open, bool has_refused);
/* Whatever it was: shut it. */
void admission_close(struct admission *a);
/* It stays open, with so many tokens, and the next epoch: tokens_renewed(). */
void admission_renew(struct admission *a, const struct backend *b, uint32_t tokens);
/* The kernel has shut it. */
void admission_shut(struct admission *a, uint64_t now_ms);
/* Is it time to count? */
bool admission_may_count(const struct admission *a, const struct backend *b, uint32_t open,
			 uint64_t now_ms);
/*
 * So many connections live: counted from begun_ms on, none left out that lived then. True: it is
 * open now, with `room` of `of`, and the next epoch.
 */
bool admission_counted(struct admission *a, const struct backend *b, uint32_t open,
		       uint64_t begun_ms);
/* Of that room, tokens are to be as many as may be. */
void admission_divide(struct admission *a);

#endif
