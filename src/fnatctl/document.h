/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON text from a file, from standard input or from the command line, and
 * where it is wrong.
 */
#ifndef FNAT_FNATCTL_DOCUMENT_H
#define FNAT_FNATCTL_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

struct document {
	char *name; /* for messages: of the file, "standard input"; owned */
	char *text; /* owned; not ended by NUL */
	size_t len;
};

/* path "-" is standard input. At most JSON_FILE_MAX_BYTES (ERR_TOO_LARGE). */
int document_read(const char *path, struct document *out, struct err *err);
void document_fini(struct document *d);

/*
 * When the text is not JSON: "fnatctl: FILE:LINE:COLUMN: reason", the line (or
 * a part of it) and a caret under the place, and true. Columns are characters.
 */
bool document_explain(const struct document *d, FILE *out);

#endif
