/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line on a terminal about a request that takes long. Nothing is shown of
 * one that does not.
 */
#ifndef FNAT_FNATCTL_PROGRESS_H
#define FNAT_FNATCTL_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *out;
	uint64_t begin_ms, shown_ms;
	bool is_shown;
};

/* Is stderr a terminal on which a line can be drawn again? */
bool progress_is_possible(void);

/* "sending 45 % of 12 MB", "fnatd works on it, 3 s", "received 8 MB". Returns buf. */
const char *progress_text(uint64_t elapsed_ms, uint64_t sent, uint64_t size, uint64_t received,
			  char buf[64]);

void progress_init(struct progress *p, FILE *out); /* out is borrowed */
void progress_fini(struct progress *p);            /* clears the line */

/* A client_progress_fn; arg is the struct progress. */
void progress_show(void *arg, uint64_t sent, uint64_t size, uint64_t received);

#endif
