/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon judges a document; this only finds the place of a syntax error again, with the same
 * parser, because the daemon does not know the file's name and should not send its lines back. So
 * a good document is parsed once.
 */
#include "fnatctl/document.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fnatctl/text.h"
#include "model/json.h"

/* Bytes shown on each side of the place: a document may be one line of a megabyte. */
#define CONTEXT_BYTES 60

static int read_all(int fd, struct document *d, struct err *err)
{
	size_t cap = 1 << 16;

	d->text = mem_alloc(cap);
	for (;;) {
		ssize_t n = read(fd, d->text + d->len, cap - d->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_add(err, ERR_SYSTEM, -errno, NULL, "%s: %s", d->name,
				       strerror(errno));
		if (n == 0)
			return 0;
		d->len += (size_t)n;
		if (d->len > JSON_FILE_MAX_BYTES)
			return err_add(err, ERR_TOO_LARGE, -EFBIG, NULL, "%s: longer than %u MB",
				       d->name, JSON_FILE_MAX_BYTES >> 20);
		if (d->len == cap) {
			cap *= 2;
			d->text = mem_realloc(d->text, cap, 1);
		}
	}
}

int document_read(const char *path, struct document *out, struct err *err)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), code;

	*out = (struct document){ .name = mem_strdup(is_stdin ? "standard input" : path) };
	if (fd < 0)
		code = err_add(err, ERR_SYSTEM, -errno, NULL, "%s: %s", path, strerror(errno));
	else
		code = read_all(fd, out, err);
	if (fd > STDIN_FILENO)
		close(fd);
	if (code < 0)
		document_fini(out);
	return code;
}

void document_fini(struct document *d)
{
	free(d->name);
	free(d->text);
	*d = (struct document){ 0 };
}

/* --- the place of a mistake ---------------------------------------------------------------- */

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t count_characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += !is_continuation(s[i]);
	return n;
}

/* jansson has read the wrong token when it complains: "... near 'TOKEN'". Its beginning is meant.
 */
static size_t place_of(const struct document *d, const json_error_t *error)
{
	size_t at = error->position < 0 ? 0 : (size_t)error->position, len;
	const char *near = strstr(error->text, " near '");
	const char *end = strrchr(error->text, '\'');

	if (at > d->len)
		at = d->len;
	if (!near || !end || end < near + 7)
		return at;
	len = (size_t)(end - near - 7);
	if (len <= at && len > 0 && !memcmp(d->text + at - len, near + 7, len))
		return at - len;
	return at;
}

/* Tabs and other control characters as blanks, so that the caret's line fits. */
static char *shown(const char *s, size_t len)
{
	char *copy = mem_strndup(s, len), *safe;

	for (size_t i = 0; i < strlen(copy); i++)
		if (copy[i] == '\t' || copy[i] == '\r')
			copy[i] = ' ';
	safe = text_safe(copy);
	free(copy);
	return safe;
}

static void print_line(const struct document *d, size_t begin, size_t at, FILE *out)
{
	size_t end = at, from = begin;
	char *before, *after;

	while (end < d->len && d->text[end] != '\n' && end - at < CONTEXT_BYTES)
		end++;
	if (at - from > CONTEXT_BYTES)
		from = at - CONTEXT_BYTES;
	while (from < at && is_continuation(d->text[from]))
		from++;
	while (end > at && end < d->len && is_continuation(d->text[end]))
		end--;
	before = shown(d->text + from, at - from);
	after = shown(d->text + at, end - at);
	fprintf(out, "  %s%s\n  %*s^\n", before, after, (int)text_width(before), "");
	free(before);
	free(after);
}

bool document_explain(const struct document *d, FILE *out)
{
	json_error_t error;
	json_t *value =
		json_loadb(d->text, d->len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	size_t at, begin, line = 1;
	char *reason;

	if (value || d->len == 0) {
		json_decref(value);
		return false;
	}
	at = place_of(d, &error);
	for (begin = at; begin > 0 && d->text[begin - 1] != '\n'; begin--)
		;
	for (size_t i = 0; i < begin; i++)
		line += d->text[i] == '\n';
	reason = text_safe(error.text);
	fprintf(out, "fnatctl: %s:%zu:%zu: %s\n", d->name, line,
		count_characters(d->text + begin, at - begin) + 1, reason);
	print_line(d, begin, at, out);
	free(reason);
	return true;
}
