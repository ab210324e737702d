/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Aligned columns, as wide as what is in them.
 */
#ifndef FNAT_FNATCTL_COLUMNS_H
#define FNAT_FNATCTL_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct columns;

/* Headings, ended by NULL, borrowed. One that begins with '>' is aligned to the right (and the
 * '>' is not shown). */
struct columns *columns_new(const char *const headings[]);
void columns_free(struct columns *c);

/* The next cell, row by row. Control characters are made visible. */
void columns_cell(struct columns *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Empty cells to the end of the row; none when the row has not begun. */
void columns_end_row(struct columns *c);

size_t columns_rows(const struct columns *c);
/* With headings, bold ones when is_bold; no trailing blanks. */
void columns_print(const struct columns *c, bool is_bold, FILE *out);

#endif
