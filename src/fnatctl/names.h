/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of the members of a JSON object that comes in pieces: a listing of
 * 10,000 services is megabytes, and the shell waits for a few names of it.
 */
#ifndef FNAT_FNATCTL_NAMES_H
#define FNAT_FNATCTL_NAMES_H

#include <stddef.h>

#include "base/err.h"
#include "fnatctl/client.h"

/* Names of the API are shorter. */
#define NAMES_BYTES 64

struct names {
	void (*found)(void *arg, const char *name);
	void *arg;
	unsigned int depth;
	bool is_text, is_escaped, is_key; /* in a string; after a backslash; a name may come */
	bool is_odd;                      /* too long, or with escapes: none of ours */
	size_t len;
	char name[NAMES_BYTES];
};

/* The next piece of text; start with only `found` and `arg` set. */
void names_take(struct names *n, const char *text, size_t len);

/* found() for each name in the object that GET path answers; 0, or -EIO when there is none. */
int names_get(struct client *c, const char *path, void (*found)(void *arg, const char *name),
	      void *arg);

#endif
