/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document may have a million values and no mistake, so a place costs nothing until it is
 * named. It may also be nothing but mistakes: when the err is full, they are only counted, and no
 * message is longer than its parts allow, whatever was found.
 */
#include "model/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "model/json.h"

/* Keys are cut in a pointer as well, though only when no valid document can have them. */
#define POINTER_KEY_MAX 4096

/* No more than max bytes of UTF-8, and no part of a character. */
static size_t utf8_prefix(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (len <= max)
		return len;
	for (len = max; len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80; len--)
		;
	return len;
}

/* RFC 6901: '~' is ~0, '/' is ~1. */
static void pointer_put(FILE *out, const char *key)
{
	size_t len = utf8_prefix(key, POINTER_KEY_MAX);

	fputc('/', out);
	for (size_t i = 0; i < len; i++) {
		if (key[i] == '~')
			fputs("~0", out);
		else if (key[i] == '/')
			fputs("~1", out);
		else
			fputc(key[i], out);
	}
	if (key[len])
		fputs("...", out);
}

static void pointer_print(FILE *out, const struct at *at)
{
	if (!at->up) {
		fputs(at->pointer, out);
		return;
	}
	pointer_print(out, at->up);
	if (at->key)
		pointer_put(out, at->key);
	else
		fprintf(out, "/%zu", at->index);
}

static FILE *memstream(char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);

	if (!out)
		abort(); /* out of memory, as in mem.c */
	return out;
}

char *at_pointer(const struct at *at)
{
	char *text;
	size_t len;
	FILE *out = memstream(&text, &len);

	pointer_print(out, at);
	fclose(out);
	return text;
}

/* Room for the longest escape, the ellipsis, the quote and the NUL behind the text. */
#define QUOTE_TAIL 12

const char *quote(const char *s, char buf[READER_TEXT_BYTES])
{
	size_t n = 0;

	buf[n++] = '"';
	while (*s && n < READER_TEXT_BYTES - QUOTE_TAIL) {
		unsigned char c = (unsigned char)*s++;

		if (c < 0x20 || c == 0x7f) {
			n += (size_t)sprintf(buf + n, "\\u%04x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			buf[n++] = '\\';
		buf[n++] = (char)c;
		while (((unsigned char)*s & 0xc0) == 0x80 && n < READER_TEXT_BYTES - 6)
			buf[n++] = *s++; /* all of a character */
	}
	strcpy(buf + n, *s ? "...\"" : "\"");
	return buf;
}

struct text_sink {
	char *buf;
	size_t n, max;
};

/* Stops the dump once the sink is full: a value may be a megabyte. */
static int sink_cb(const char *text, size_t len, void *arg)
{
	struct text_sink *sink = arg;
	size_t room = sink->max - sink->n;
	size_t n = len < room ? len : room;

	memcpy(sink->buf + sink->n, text, n);
	sink->n += n;
	return n < len ? -1 : 0;
}

static const char *value_text(const json_t *value, char buf[READER_TEXT_BYTES])
{
	struct text_sink sink = { buf, 0, READER_TEXT_BYTES - QUOTE_TAIL };
	size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII;

	if (json_is_string(value))
		return quote(json_string_value(value), buf);
	strcpy(buf + sink.max, "...");
	if (json_dump_callback(value, sink_cb, &sink, flags) == 0)
		buf[sink.n] = '\0';
	return buf;
}

/* Containers of what is named below them say nothing: only the last place is a bare field. */
static void subject_print(FILE *out, const struct at *at, bool is_last)
{
	char text[READER_TEXT_BYTES];

	if (at->up)
		subject_print(out, at->up, false);
	if (at->what && at->name)
		fprintf(out, "%s %s%s", at->what, quote(at->name, text), is_last ? "" : ": ");
	else if (at->what && is_last)
		fputs(at->what, out);
	else if (at->up && !at->key)
		fprintf(out, "%s[%zu]%s", at->up->key, at->index, is_last ? "" : ": ");
	else if (at->key && is_last)
		fputs(at->key, out);
}

static void __attribute__((format(printf, 4, 0)))
problem_add(struct reader *r, const struct at *at, const char *found, const char *fmt, va_list ap)
{
	char *message, *pointer;
	size_t len;
	FILE *out = memstream(&message, &len);

	subject_print(out, at, true);
	fprintf(out, "%s%s: ", found ? " " : "", found ? found : "");
	vfprintf(out, fmt, ap);
	fclose(out);
	pointer = at_pointer(at);
	err_add(r->err, ERR_INVALID, -EINVAL, pointer, "%s", message);
	free(pointer);
	free(message);
}

/* Counts a problem. False: the err is full, spare the text. */
static bool problem_counts(struct reader *r)
{
	r->n_problems++;
	if (r->err->n_problems < ERR_MAX_PROBLEMS)
		return true;
	r->err->n_dropped++;
	return false;
}

void problem(struct reader *r, const struct at *at, const json_t *value, const char *fmt, ...)
{
	char text[READER_TEXT_BYTES];
	va_list ap;

	if (!problem_counts(r))
		return;
	va_start(ap, fmt);
	problem_add(r, at, value ? value_text(value, text) : NULL, fmt, ap);
	va_end(ap);
}

void problem_text(struct reader *r, const struct at *at, const char *found, const char *fmt, ...)
{
	va_list ap;

	if (!problem_counts(r))
		return;
	va_start(ap, fmt);
	problem_add(r, at, found, fmt, ap);
	va_end(ap);
}

static void unknown_field(struct reader *r, const struct at *up, const char *key,
			  const struct field *fields, size_t n_fields)
{
	struct suggest suggest = suggest_for(key);
	struct at at = { .up = up, .key = key, .what = "unknown field", .name = key };
	char known[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < n_fields; i++) {
		suggest_offer(&suggest, fields[i].name);
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "",
				      fields[i].name);
		if (n >= sizeof(known))
			break;
	}
	if (suggest.best)
		problem(r, &at, NULL, "did you mean \"%s\"?", suggest.best);
	else
		problem(r, &at, NULL, "expected one of %s", known);
}

void read_object(struct reader *r, const struct at *at, const json_t *value,
		 const struct field *fields, size_t n_fields, void *out)
{
	const char *key;
	json_t *member;
	size_t i;

	if (!json_is_object(value)) {
		problem(r, at, value, "expected an object");
		return;
	}
	json_object_foreach ((json_t *)value, key, member) {
		struct at at_field = at_member(at, key);

		for (i = 0; i < n_fields && strcmp(fields[i].name, key) != 0; i++)
			;
		if (i < n_fields)
			fields[i].read(r, &at_field, member, out);
		else
			unknown_field(r, at, key, fields, n_fields);
	}
	for (i = 0; i < n_fields; i++) {
		struct at at_field = at_member(at, fields[i].name);

		if (fields[i].is_required && !json_object_get(value, fields[i].name))
			problem(r, &at_field, NULL, "required, but missing");
	}
}

bool read_integer(struct reader *r, const struct at *at, const json_t *value, json_int_t min,
		  json_int_t max, json_int_t *out)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < min || n > max) {
		problem(r, at, value,
			"expected an integer from %" JSON_INTEGER_FORMAT
			" to %" JSON_INTEGER_FORMAT,
			min, max);
		return false;
	}
	*out = n;
	return true;
}

bool read_boolean(struct reader *r, const struct at *at, const json_t *value, bool *out)
{
	if (!json_is_boolean(value)) {
		problem(r, at, value, "expected true or false");
		return false;
	}
	*out = json_is_true(value);
	return true;
}

bool read_string(struct reader *r, const struct at *at, const json_t *value, const char *expected,
		 const char **out)
{
	if (!json_is_string(value)) {
		problem(r, at, value, "expected %s", expected);
		return false;
	}
	*out = json_string_value(value);
	return true;
}

bool read_address(struct reader *r, const struct at *at, const json_t *value, struct addr *out)
{
	static const char expected[] = "an IPv4 or IPv6 address";
	const char *text;
	struct addr a;

	if (!read_string(r, at, value, expected, &text))
		return false;
	if (addr_parse(text, &a) < 0)
		problem(r, at, value, "expected %s", expected);
	else if (addr_is_v4_mapped(&a))
		problem(r, at, value, "an IPv4 address must be written as one");
	else if (!addr_is_unicast(&a))
		problem(r, at, value, "expected a unicast address");
	else {
		*out = a;
		return true;
	}
	return false;
}

/* What dev_valid_name() of the kernel takes (net/core/dev.c), of printable ASCII. */
static bool is_interface_name(const char *text)
{
	size_t len = strlen(text);

	for (const char *s = text; *s; s++) {
		if (*s <= ' ' || *s > '~' || *s == '/' || *s == ':')
			return false;
	}
	return len > 0 && len < INTERFACE_NAME_BYTES && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

bool read_interface(struct reader *r, const struct at *at, const json_t *value,
		    char out[INTERFACE_NAME_BYTES])
{
	static const char expected[] = "the name of an interface, at most 15 characters";
	const char *text;

	if (!read_string(r, at, value, expected, &text))
		return false;
	if (!is_interface_name(text)) {
		problem(r, at, value, "expected %s", expected);
		return false;
	}
	strcpy(out, text);
	return true;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name_text(const char *name)
{
	if (!is_letter_or_digit(*name))
		return false;
	for (; *name; name++) {
		if (!is_letter_or_digit(*name) && !strchr("._-", *name))
			return false;
	}
	return true;
}

bool check_name(struct reader *r, const struct at *at)
{
	size_t len = strlen(at->name);

	if (len > MODEL_NAME_MAX)
		problem(r, at, NULL, "a name of %zu bytes: expected at most %d", len,
			MODEL_NAME_MAX);
	else if (!is_name_text(at->name))
		problem(r, at, NULL,
			"not a name: expected a letter or digit, then letters, digits, \".\", "
			"\"_\" "
			"or \"-\"");
	else
		return true;
	return false;
}

int name_check(const char *name, const char *what, const char *pointer, struct err *err)
{
	struct at at = { .pointer = pointer ? pointer : "", .what = what, .name = name };
	struct reader r = { .err = err };

	return check_name(&r, &at) ? 0 : -EINVAL;
}
