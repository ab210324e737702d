/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services are sorted among each other, and backends below their own: the eye looks for the service
 * first.
 */
#include "fnatctl/top_table.h"

#include <curses.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NAME_MIN 10

static const struct number *numbers_of(const struct top_view *v)
{
	return v->is_rate ? stats_rates : stats_totals;
}

size_t top_columns(const struct top_view *v)
{
	size_t n = 0;

	while (numbers_of(v)[n].key)
		n++;
	return n;
}

static void take_numbers(const struct top_view *v, const json_t *object, struct top_row *row)
{
	const struct number *numbers = numbers_of(v);

	for (size_t i = 0; numbers[i].key; i++)
		row->numbers[i] = json_number_value(json_object_get(object, numbers[i].key));
}

static int cmp_rows(const void *one, const void *other, void *arg)
{
	const struct top_row *a = one, *b = other;
	const struct top_view *v = arg;
	int cmp = 0;

	if (v->column > 0) {
		double x = a->numbers[v->column - 1], y = b->numbers[v->column - 1];

		cmp = (x < y) - (x > y);
	}
	if (cmp == 0)
		cmp = strcmp(a->name, b->name);
	return v->is_reversed ? -cmp : cmp;
}

static void add(struct top_table *t, const char *name, const json_t *object,
		const struct top_view *v)
{
	struct top_row *row = &VEC_PUSH(t->rows, t->n, t->cap);

	*row = (struct top_row){ .name = mem_strdup(name) };
	take_numbers(v, object, row);
}

static void sort(struct top_table *t, struct top_view *v)
{
	if (t->n > 0)
		qsort_r(t->rows, t->n, sizeof(*t->rows), cmp_rows, v);
}

/* Moves the row; its name gets an indent. */
static void take_backend(struct top_table *t, struct top_row *backend)
{
	struct top_row *row = &VEC_PUSH(t->rows, t->n, t->cap);

	*row = *backend;
	row->name = mem_printf("  %s", backend->name);
	free(backend->name);
}

static void add_backends(struct top_table *t, json_t *service, struct top_view *v)
{
	struct top_table backends = { 0 };
	const char *name;
	json_t *b;

	json_object_foreach (json_object_get(service, "backends"), name, b) {
		add(&backends, name, b, v);
	}
	sort(&backends, v);
	for (size_t i = 0; i < backends.n; i++)
		take_backend(t, &backends.rows[i]);
	free(backends.rows);
}

void top_table_fill(struct top_table *t, const json_t *stats, const struct top_view *view)
{
	json_t *all = json_object_get(stats, "services"), *s;
	struct top_table services = { 0 };
	struct top_view v = *view;
	const char *name;

	*t = (struct top_table){ 0 };
	json_object_foreach (all, name, s) {
		add(&services, name, s, &v);
	}
	sort(&services, &v);
	for (size_t i = 0; i < services.n; i++) {
		VEC_PUSH(t->rows, t->n, t->cap) = services.rows[i];
		if (v.has_backends)
			add_backends(t, json_object_get(all, services.rows[i].name), &v);
	}
	free(services.rows);
}

void top_table_fini(struct top_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->rows[i].name);
	free(t->rows);
	*t = (struct top_table){ 0 };
}

/* --- keys ---------------------------------------------------------------------------------- */

static void scroll_by(struct top_view *v, long by, size_t n_rows)
{
	long most = (long)n_rows > (long)v->n ? (long)n_rows - (long)v->n : 0;
	long to = (long)v->first + by;

	v->first = (size_t)(to < 0 ? 0 : to > most ? most : to);
}

static bool scroll_key(struct top_view *v, int key, size_t n_rows)
{
	long page = v->n > 1 ? (long)v->n - 1 : 1;

	switch (key) {
	case KEY_UP:
		scroll_by(v, -1, n_rows);
		return true;
	case KEY_DOWN:
		scroll_by(v, 1, n_rows);
		return true;
	case KEY_PPAGE:
		scroll_by(v, -page, n_rows);
		return true;
	case KEY_NPAGE:
		scroll_by(v, page, n_rows);
		return true;
	case KEY_HOME:
		v->first = 0;
		return true;
	case KEY_END:
		scroll_by(v, (long)n_rows, n_rows);
		return true;
	case KEY_RESIZE:
		scroll_by(v, 0, n_rows);
		return true;
	}
	return false;
}

bool top_view_key(struct top_view *v, int key, size_t n_rows)
{
	size_t n = top_columns(v) + 1;

	switch (key) {
	case KEY_LEFT:
		v->column = (v->column + n - 1) % n;
		return true;
	case KEY_RIGHT:
		v->column = (v->column + 1) % n;
		return true;
	case 'n':
		v->column = 0;
		return true;
	case 'r':
		v->is_reversed = !v->is_reversed;
		return true;
	case 'b':
		v->has_backends = !v->has_backends;
		v->first = 0;
		return true;
	case 't':
		v->is_rate = !v->is_rate;
		v->column = v->column > 0;
		return true;
	}
	if (key >= '1' && key <= '9' && (size_t)(key - '0') < n) {
		v->column = (size_t)(key - '0');
		return true;
	}
	return scroll_key(v, key, n_rows);
}

/* --- how it fits --------------------------------------------------------------------------- */

void top_fit(const struct top_view *v, size_t *from, size_t *to)
{
	size_t n = top_columns(v);
	size_t fit = v->width > NAME_MIN ? (v->width - NAME_MIN) / TOP_CELL : 0;

	*from = 0;
	if (fit > n)
		fit = n;
	if (v->column > fit)
		*from = v->column - fit;
	*to = *from + fit;
}

unsigned int top_name_width(const struct top_view *v)
{
	size_t from, to;

	top_fit(v, &from, &to);
	return v->width > (to - from) * TOP_CELL ? v->width - (unsigned int)(to - from) * TOP_CELL
						 : 0;
}

const char *top_number(double value, char buf[TOP_NUMBER_BYTES])
{
	static const char units[] = "kMGTPE";
	double rounded = value < 10 ? round(value * 10) / 10 : round(value);
	int i = -1;

	if (rounded < 100000) {
		snprintf(buf, TOP_NUMBER_BYTES,
			 rounded < 10 && rounded != floor(rounded) ? "%.1f" : "%.0f", rounded);
		return buf;
	}
	while (value >= 999.5 && units[i + 1]) {
		value /= 1000;
		i++;
	}
	snprintf(buf, TOP_NUMBER_BYTES,
		 value < 9.995   ? "%.2f%c"
		 : value < 99.95 ? "%.1f%c"
				 : "%.0f%c",
		 value, units[i]);
	return buf;
}
