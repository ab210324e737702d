/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A check has a dozen fields and its types have as many again. Reading, comparing, writing and
 * freeing each by hand would be four places to forget one in; here they are loops over a table.
 */
#include "model/check_field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/check_texts.h"

static void number_init(const struct check_field *row, void *field)
{
	*(uint32_t *)field = (uint32_t)row->number;
}

static void number_read(struct reader *r, const struct at *at, const json_t *value,
			const struct check_field *row, void *field)
{
	json_int_t n;

	if (read_integer(r, at, value, row->min, row->max, &n))
		*(uint32_t *)field = (uint32_t)n;
}

static bool number_equal(const void *a, const void *b)
{
	return *(const uint32_t *)a == *(const uint32_t *)b;
}

static json_t *number_to_json(const struct check_field *row, const void *field)
{
	uint32_t n = *(const uint32_t *)field;

	return n == 0 && row->min > 0 ? NULL : json_integer(n);
}

const struct check_kind check_number = { number_init, number_read, number_equal, number_to_json,
					 NULL };

static void flag_init(const struct check_field *row, void *field)
{
	*(bool *)field = row->number != 0;
}

static void flag_read(struct reader *r, const struct at *at, const json_t *value,
		      const struct check_field *row, void *field)
{
	(void)row;
	read_boolean(r, at, value, field);
}

static bool flag_equal(const void *a, const void *b)
{
	return *(const bool *)a == *(const bool *)b;
}

static json_t *flag_to_json(const struct check_field *row, const void *field)
{
	(void)row;
	return json_boolean(*(const bool *)field);
}

const struct check_kind check_flag = { flag_init, flag_read, flag_equal, flag_to_json, NULL };

/* "up" or "down"; "a", "b" or "c" */
static const char *words_text(const char *const *words, char buf[256])
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; words[i] && n < 255; i++)
		n += (size_t)snprintf(buf + n, 256 - n, "%s\"%s\"",
				      i == 0         ? ""
				      : words[i + 1] ? ", "
						     : " or ",
				      words[i]);
	return buf;
}

static void word_read(struct reader *r, const struct at *at, const json_t *value,
		      const struct check_field *row, void *field)
{
	const char *text = json_string_value(value);
	char expected[256];

	for (size_t i = 0; text && row->words[i]; i++) {
		if (strcmp(row->words[i], text) == 0) {
			*(uint32_t *)field = (uint32_t)i;
			return;
		}
	}
	problem(r, at, value, "expected %s", words_text(row->words, expected));
}

static json_t *word_to_json(const struct check_field *row, const void *field)
{
	return json_string_nocheck(row->words[*(const uint32_t *)field]);
}

const struct check_kind check_word = { number_init, word_read, number_equal, word_to_json, NULL };

static void text_init(const struct check_field *row, void *field)
{
	if (row->text)
		*(char **)field = mem_strdup(row->text);
}

static bool text_fits(struct reader *r, const struct at *at, const json_t *value, size_t min,
		      size_t max)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value))
		problem(r, at, value, "expected a string");
	else if (len < min)
		problem(r, at, value, "expected at least %zu character%s", min,
			min == 1 ? "" : "s");
	else if (len > max)
		problem(r, at, NULL, "%zu bytes: expected at most %zu", len, max);
	else
		return true;
	return false;
}

static void text_read(struct reader *r, const struct at *at, const json_t *value,
		      const struct check_field *row, void *field)
{
	char **text = field;

	if (!text_fits(r, at, value, (size_t)row->min, (size_t)row->max))
		return;
	free(*text);
	*text = mem_strdup(json_string_value(value));
}

static bool text_equal(const void *a, const void *b)
{
	const char *ta = *(char *const *)a, *tb = *(char *const *)b;

	return ta && tb ? strcmp(ta, tb) == 0 : ta == tb;
}

static json_t *text_to_json(const struct check_field *row, const void *field)
{
	const char *text = *(char *const *)field;

	(void)row;
	return text ? json_string_nocheck(text) : NULL;
}

static void text_fini(void *field)
{
	free(*(char **)field);
}

const struct check_kind check_text = { text_init, text_read, text_equal, text_to_json, text_fini };

static void texts_fini(void *field)
{
	struct check_texts *t = field;

	for (size_t i = 0; i < t->n; i++)
		free(t->items[i]);
	free(t->items);
	*t = (struct check_texts){ 0 };
}

static void texts_read(struct reader *r, const struct at *at, const json_t *value,
		       const struct check_field *row, void *field)
{
	struct check_texts *t = field;
	size_t i, n = json_array_size(value);
	json_t *element;

	if (!json_is_array(value)) {
		problem(r, at, value, "expected an array of strings");
		return;
	}
	if (n < (size_t)row->min || n > (size_t)row->max) {
		problem(r, at, NULL, "%zu strings: expected %lld to %lld", n, (long long)row->min,
			(long long)row->max);
		return;
	}
	texts_fini(t);
	t->items = mem_calloc(n, sizeof(*t->items));
	json_array_foreach (value, i, element) {
		struct at at_text = at_element(at, i);

		if (text_fits(r, &at_text, element, 0, CHECK_TEXTS_BYTES))
			t->items[t->n++] = mem_strdup(json_string_value(element));
	}
}

static bool texts_equal(const void *a, const void *b)
{
	const struct check_texts *ta = a, *tb = b;

	if (ta->n != tb->n)
		return false;
	for (size_t i = 0; i < ta->n; i++) {
		if (strcmp(ta->items[i], tb->items[i]) != 0)
			return false;
	}
	return true;
}

static json_t *texts_to_json(const struct check_field *row, const void *field)
{
	const struct check_texts *t = field;
	json_t *array = json_array();

	(void)row;
	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(array, json_string_nocheck(t->items[i]));
	return array;
}

const struct check_kind check_texts = { NULL, texts_read, texts_equal, texts_to_json, texts_fini };

static void address_read(struct reader *r, const struct at *at, const json_t *value,
			 const struct check_field *row, void *field)
{
	(void)row;
	read_address(r, at, value, field);
}

static bool address_equal(const void *a, const void *b)
{
	return addr_equal(a, b);
}

static json_t *address_to_json(const struct check_field *row, const void *field)
{
	const struct addr *a = field;
	char text[ADDR_STRLEN];

	(void)row;
	return a->family == AF_UNSPEC ? NULL : json_string_nocheck(addr_format(a, text));
}

const struct check_kind check_address = { NULL, address_read, address_equal, address_to_json,
					  NULL };

static void *at_row(const struct check_field *row, const void *base)
{
	return (char *)base + row->offset;
}

void check_fields_init(const struct check_field *rows, size_t n, void *base)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].kind->init)
			rows[i].kind->init(&rows[i], at_row(&rows[i], base));
	}
}

bool check_fields_equal(const struct check_field *rows, size_t n, const void *a, const void *b)
{
	for (size_t i = 0; i < n; i++) {
		if (!rows[i].kind->equal(at_row(&rows[i], a), at_row(&rows[i], b)))
			return false;
	}
	return true;
}

void check_fields_put(const struct check_field *rows, size_t n, const void *base, json_t *object)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = rows[i].kind->to_json(&rows[i], at_row(&rows[i], base));

		if (value)
			json_object_set_new_nocheck(object, rows[i].name, value);
	}
}

void check_fields_fini(const struct check_field *rows, size_t n, void *base)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].kind->fini)
			rows[i].kind->fini(at_row(&rows[i], base));
	}
}
