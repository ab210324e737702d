/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text to values is jansson's; this adds what a person needs to find the mistake. jansson refuses
 * nesting beyond 2048 levels (JSON_PARSER_MAX_DEPTH), which bounds every recursion behind it.
 */
#include <errno.h>
#include <string.h>

#include "model/json.h"

static const char *explain(enum json_error_code code)
{
	switch (code) {
	case json_error_stack_overflow:
		return "nested too deeply";
	case json_error_invalid_utf8:
		return "not UTF-8";
	case json_error_premature_end_of_input:
		return "the text ends too early";
	case json_error_end_of_input_expected:
		return "something follows the document's end";
	case json_error_duplicate_key:
		return "duplicate key";
	case json_error_numeric_overflow:
		return "number out of range";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "NUL character in a string";
	default:
		return "not JSON";
	}
}

json_t *json_parse(const char *text, size_t len, struct err *err)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	json_error_t error;
	json_t *value;

	if (len == 0) {
		err_add(err, ERR_SYNTAX, -EINVAL, "", "empty text: expected a JSON document");
		return NULL;
	}
	value = json_loadb(text, len, flags, &error);
	if (!value)
		err_add(err, ERR_SYNTAX, -EINVAL, "", "line %d, column %d: %s: %s", error.line,
			error.column, explain(json_error_code(&error)), error.text);
	return value;
}
