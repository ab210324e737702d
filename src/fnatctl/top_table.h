/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `fnatctl top` shows, as values: the rows of an answer of /v1/stats, sorted, and the lines
 * they become. No terminal.
 */
#ifndef FNAT_FNATCTL_TOP_TABLE_H
#define FNAT_FNATCTL_TOP_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "fnatctl/stats_numbers.h"

/* A number's column, with the blank before it. */
#define TOP_CELL 10

struct top_view {
	bool is_rate;          /* else totals */
	bool has_backends;     /* below their services */
	bool is_reversed;      /* the smallest first */
	size_t column;         /* sorted by it; 0: the name */
	size_t first;          /* row on top of the screen */
	unsigned int width, n; /* of the screen; lines for rows */
};

struct top_row {
	char *name; /* "web", "  a" */
	double numbers[STATS_NUMBERS_MAX];
};

struct top_table {
	struct top_row *rows;
	size_t n, cap;
};

/* Rows of an answer, sorted as the view says. */
void top_table_fill(struct top_table *t, const json_t *stats, const struct top_view *v);
void top_table_fini(struct top_table *t);

/* The view after a key (of curses, or a character); false: not a key of it. */
bool top_view_key(struct top_view *v, int key, size_t n_rows);

/* Columns of the view, without the name; those that fit from the left, so that the one sorted by is
 * among them: [*from, *to). */
size_t top_columns(const struct top_view *v);
void top_fit(const struct top_view *v, size_t *from, size_t *to);
/* As wide as the names may be. */
unsigned int top_name_width(const struct top_view *v);

/* "1234", "12.3k", "4.56M": 7 characters at most. Returns buf. */
#define TOP_NUMBER_BYTES 16
const char *top_number(double value, char buf[TOP_NUMBER_BYTES]);

#endif
