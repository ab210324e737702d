/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON that comes in pieces, indented by two blanks a level, for a terminal.
 * Only blanks outside strings are changed: what is not JSON stays as odd as it is.
 */
#ifndef FNAT_FNATCTL_INDENT_H
#define FNAT_FNATCTL_INDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct indent {
	FILE *out; /* the only member to set; borrowed */
	unsigned int depth;
	bool is_text, is_escaped; /* in a string; after a backslash */
	bool is_open;             /* after a bracket: nothing is in it yet */
};

void indent_take(struct indent *i, const char *text, size_t len);

#endif
