/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All cells are kept until the end, because the last row may hold the widest one. A listing of
 * 100,000 backends is some 60 MB for a moment; whom that hurts wants JSON.
 */
#include "fnatctl/columns.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fnatctl/text.h"

#define GAP 2

struct columns {
	const char *const *headings;
	size_t n; /* columns */
	char **cells;
	size_t n_cells, cap;
};

struct columns *columns_new(const char *const headings[])
{
	struct columns *c = mem_zalloc(sizeof(*c));

	c->headings = headings;
	while (headings[c->n])
		c->n++;
	return c;
}

void columns_free(struct columns *c)
{
	for (size_t i = 0; i < c->n_cells; i++)
		free(c->cells[i]);
	free(c->cells);
	free(c);
}

void columns_cell(struct columns *c, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = mem_strdup("?");
	va_end(ap);
	VEC_PUSH(c->cells, c->n_cells, c->cap) = text_safe(text);
	free(text);
}

void columns_end_row(struct columns *c)
{
	while (c->n_cells % c->n)
		VEC_PUSH(c->cells, c->n_cells, c->cap) = mem_strdup("");
}

size_t columns_rows(const struct columns *c)
{
	return c->n_cells / c->n;
}

static bool is_right(const struct columns *c, size_t column)
{
	return c->headings[column][0] == '>';
}

static const char *heading(const struct columns *c, size_t column)
{
	return c->headings[column] + is_right(c, column);
}

static void find_widths(const struct columns *c, size_t *widths)
{
	for (size_t i = 0; i < c->n; i++)
		widths[i] = text_width(heading(c, i));
	for (size_t i = 0; i < c->n_cells; i++) {
		size_t w = text_width(c->cells[i]);

		if (w > widths[i % c->n])
			widths[i % c->n] = w;
	}
}

/* Blanks are owed, not printed, until something follows them. */
static size_t print_cell(const char *text, size_t width, bool right, size_t owed, FILE *out)
{
	size_t pad = width - text_width(text);

	if (!*text)
		return owed + width + GAP;
	fprintf(out, "%*s%s", (int)(owed + (right ? pad : 0)), "", text);
	return GAP + (right ? 0 : pad);
}

void columns_print(const struct columns *c, bool is_bold, FILE *out)
{
	size_t *widths = mem_calloc(c->n, sizeof(*widths)), owed = 0;

	find_widths(c, widths);
	if (is_bold)
		fputs("\033[1m", out);
	for (size_t i = 0; i < c->n; i++)
		owed = print_cell(heading(c, i), widths[i], is_right(c, i), owed, out);
	fputs(is_bold ? "\033[0m\n" : "\n", out);
	for (size_t i = 0; i < c->n_cells; i++) {
		size_t column = i % c->n;

		owed = column ? owed : 0;
		owed = print_cell(c->cells[i], widths[column], is_right(c, column), owed, out);
		if (column == c->n - 1)
			fputc('\n', out);
	}
	free(widths);
}
