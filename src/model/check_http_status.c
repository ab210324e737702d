/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status codes that are well: numbers, and ranges as texts, [200, "301-308"]. As a set of bits
 * the order and the overlaps of what was written do not matter.
 */
#include "model/check_http_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST CHECK_HTTP_STATUS_MIN
#define LAST  CHECK_HTTP_STATUS_MAX

bool check_http_status_has(const struct check_http_status *s, long code)
{
	unsigned long bit = (unsigned long)(code - FIRST);

	return code >= FIRST && code <= LAST && (s->bits[bit / 64] >> bit % 64 & 1);
}

static void add(struct check_http_status *s, json_int_t first, json_int_t last)
{
	for (json_int_t code = first; code <= last; code++) {
		unsigned int bit = (unsigned int)(code - FIRST);

		s->bits[bit / 64] |= (uint64_t)1 << bit % 64;
	}
}

static void status_init(const struct check_field *row, void *field)
{
	(void)row;
	add(field, 200, 399);
}

/* "200-399" */
static bool parse_range(const char *text, unsigned int *first, unsigned int *last)
{
	int end = 0;

	return text && strspn(text, "0123456789-") == strlen(text) &&
	       sscanf(text, "%3u-%3u%n", first, last, &end) == 2 && !text[end] && *first >= FIRST &&
	       *last <= LAST && *first <= *last;
}

static void read_element(struct reader *r, const struct at *at, const json_t *value,
			 struct check_http_status *out)
{
	json_int_t code = json_integer_value(value);
	unsigned int first, last;

	if (json_is_integer(value) && code >= FIRST && code <= LAST)
		add(out, code, code);
	else if (parse_range(json_string_value(value), &first, &last))
		add(out, first, last);
	else
		problem(r, at, value, "expected a number from %d to %d, or a range as \"200-299\"",
			FIRST, LAST);
}

static void status_read(struct reader *r, const struct at *at, const json_t *value,
			const struct check_field *row, void *field)
{
	struct check_http_status s = { { 0 } };
	json_t *element;
	size_t i;

	(void)row;
	if (!json_is_array(value)) {
		problem(r, at, value, "expected an array of numbers and ranges");
		return;
	}
	if (json_array_size(value) == 0 || json_array_size(value) > CHECK_HTTP_STATUS_ITEMS) {
		problem(r, at, NULL, "%zu elements: expected 1 to %d", json_array_size(value),
			CHECK_HTTP_STATUS_ITEMS);
		return;
	}
	json_array_foreach (value, i, element) {
		struct at at_item = at_element(at, i);

		read_element(r, &at_item, element, &s);
	}
	*(struct check_http_status *)field = s;
}

static bool status_equal(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct check_http_status)) == 0;
}

static json_t *status_to_json(const struct check_field *row, const void *field)
{
	const struct check_http_status *s = field;
	json_t *array = json_array();
	char text[16];

	(void)row;
	for (int code = FIRST; code <= LAST; code++) {
		int first = code;

		if (!check_http_status_has(s, code))
			continue;
		while (check_http_status_has(s, code + 1))
			code++;
		snprintf(text, sizeof(text), "%d-%d", first, code);
		json_array_append_new(array, first == code ? json_integer(code)
							   : json_string_nocheck(text));
	}
	return array;
}

const struct check_kind check_http_status_kind = { status_init, status_read, status_equal,
						   status_to_json, NULL };
