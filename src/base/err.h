/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What went wrong, for a person: a kind (which becomes the HTTP status and
 * fnatctl's exit status) and a list of problems, each with the JSON pointer
 * (RFC 6901) of the field it is about.
 *
 * A function that can fail takes a struct err * and returns 0 or a negative
 * errno. The caller owns the err: err_init() before, err_fini() after. Several
 * problems may be added to one err; the kind of the first one stays.
 */
#ifndef FNAT_BASE_ERR_H
#define FNAT_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* No more than this many problems are kept; the rest are only counted. */
#define ERR_MAX_PROBLEMS 64

enum err_kind {
	ERR_NONE,
	ERR_SYNTAX,    /* not JSON, or not the JSON that is meant (400) */
	ERR_INVALID,   /* well formed, but not acceptable (422) */
	ERR_NOT_FOUND, /* no such object (404) */
	ERR_CONFLICT,  /* cannot be done in the present state (409) */
	ERR_STALE,     /* If-Match names another generation (412) */
	ERR_TOO_LARGE, /* over a limit on size (413) */
	ERR_KERNEL,    /* the kernel refused (502) */
	ERR_BUSY,      /* try again later (503) */
	ERR_SYSTEM,    /* a file, a socket, memory (500) */
};

struct problem {
	char *pointer; /* JSON pointer; "" is the whole document; owned */
	char *message; /* names the object, the value and what was expected; owned */
};

struct err {
	enum err_kind kind;
	struct problem *problems;
	size_t n_problems;
	size_t n_dropped; /* problems beyond ERR_MAX_PROBLEMS */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		ERR_NONE, NULL, 0, 0                                                               \
	}

void err_init(struct err *err);
void err_fini(struct err *err);

/* Forget what was collected, so that the err can be used again. */
void err_reset(struct err *err);

/* Move all of *from to the end of *to; *from is empty afterwards. */
void err_move(struct err *to, struct err *from);

static inline bool err_any(const struct err *err)
{
	return err->kind != ERR_NONE;
}

/*
 * Add a problem. pointer may be NULL (same as ""). Both texts are kept as printable UTF-8: control
 * characters and stray bytes in what was found become '?'. Returns code, so that
 * `return err_add(err, ERR_INVALID, -EINVAL, ptr, "...")` reads well.
 */
int err_add(struct err *err, enum err_kind kind, int code, const char *pointer, const char *fmt,
	    ...) __attribute__((format(printf, 5, 6)));

/* The kind's HTTP status, and a short title for problem+json (static). */
int err_status(enum err_kind kind);
const char *err_title(enum err_kind kind);

/* The first problem's message, or "" when there is none. Borrowed. */
const char *err_text(const struct err *err);

#endif
