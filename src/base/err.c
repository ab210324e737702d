/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Problems are collected instead of returned one at a time, because who writes a configuration
 * wants to see all that is wrong with it at once. The number kept is bounded: a document of a
 * million mistakes must not become a gigabyte of messages.
 */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

static const struct {
	int status;
	const char *title;
} kinds[] = {
	[ERR_NONE] = { 200, "no error" },
	[ERR_SYNTAX] = { 400, "malformed request" },
	[ERR_INVALID] = { 422, "invalid configuration" },
	[ERR_NOT_FOUND] = { 404, "not found" },
	[ERR_CONFLICT] = { 409, "conflict with the present state" },
	[ERR_STALE] = { 412, "the generation has changed" },
	[ERR_TOO_LARGE] = { 413, "too large" },
	[ERR_KERNEL] = { 502, "the kernel refused" },
	[ERR_BUSY] = { 503, "busy" },
	[ERR_SYSTEM] = { 500, "system error" },
};

void err_init(struct err *err)
{
	*err = (struct err)ERR_INIT;
}

void err_fini(struct err *err)
{
	for (size_t i = 0; i < err->n_problems; i++) {
		free(err->problems[i].pointer);
		free(err->problems[i].message);
	}
	free(err->problems);
	err_init(err);
}

void err_reset(struct err *err)
{
	err_fini(err);
}

static void problem_append(struct err *err, struct problem p)
{
	/* Full at powers of two: cap follows from the number. */
	if ((err->n_problems & (err->n_problems - 1)) == 0)
		err->problems =
			mem_realloc(err->problems, err->n_problems ? 2 * err->n_problems : 1,
				    sizeof(*err->problems));
	err->problems[err->n_problems++] = p;
}

void err_move(struct err *to, struct err *from)
{
	if (!err_any(to))
		to->kind = from->kind;
	for (size_t i = 0; i < from->n_problems; i++) {
		if (to->n_problems < ERR_MAX_PROBLEMS) {
			problem_append(to, from->problems[i]);
			continue;
		}
		free(from->problems[i].pointer);
		free(from->problems[i].message);
		to->n_dropped++;
	}
	to->n_dropped += from->n_dropped;
	free(from->problems);
	err_init(from);
}

int err_add(struct err *err, enum err_kind kind, int code, const char *pointer, const char *fmt,
	    ...)
{
	char *message;
	va_list ap;
	int n;

	if (!err_any(err))
		err->kind = kind;
	if (err->n_problems == ERR_MAX_PROBLEMS) {
		err->n_dropped++;
		return code;
	}
	va_start(ap, fmt);
	n = vasprintf(&message, fmt, ap);
	va_end(ap);
	if (n < 0)
		message = mem_strdup(fmt);
	problem_append(err, (struct problem){ utf8_clean(mem_strdup(pointer ? pointer : "")),
					      utf8_clean(message) });
	return code;
}

int err_status(enum err_kind kind)
{
	return kinds[kind].status;
}

const char *err_title(enum err_kind kind)
{
	return kinds[kind].title;
}

const char *err_text(const struct err *err)
{
	return err->n_problems ? err->problems[0].message : "";
}
