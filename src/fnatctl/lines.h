/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An answer of lines, as they come: pieces of an HTTP body in, whole lines out.
 */
#ifndef FNAT_FNATCTL_LINES_H
#define FNAT_FNATCTL_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* All zero but take and arg at the start. */
struct lines {
	/* A line without its newline, NUL-terminated; borrowed. False: no more. */
	bool (*take)(void *arg, char *line);
	void *arg;
	char *line; /* not complete yet; owned */
	size_t len, cap;
};

void lines_fini(struct lines *l);

/* For struct request, with the lines as its argument. False: no more, or a line too long. */
bool lines_piece(void *lines, const char *data, size_t len);

#endif
