/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No check of syntax: fnatd writes JSON. Whatever else comes gives wrong names, but does no harm.
 */
#include "fnatctl/names.h"

#include <errno.h>

static void take_in_text(struct names *n, char c)
{
	if (n->is_escaped) {
		n->is_escaped = false;
	} else if (c == '\\') {
		n->is_escaped = n->is_odd = true;
	} else if (c == '"') {
		n->is_text = false;
		n->name[n->len] = '\0';
		if (n->is_key && !n->is_odd)
			n->found(n->arg, n->name);
		n->is_key = false;
	} else if (n->is_key && n->len < NAMES_BYTES - 1) {
		n->name[n->len++] = c;
	} else {
		n->is_odd = true;
	}
}

static void take_outside(struct names *n, char c)
{
	switch (c) {
	case '"':
		n->is_text = true;
		n->is_odd = false;
		n->len = 0;
		break;
	case '{':
	case '[':
		n->depth++;
		n->is_key = n->depth == 1 && c == '{';
		break;
	case '}':
	case ']':
		n->depth -= n->depth > 0;
		break;
	case ',':
		n->is_key = n->depth == 1;
		break;
	}
}

void names_take(struct names *n, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (n->is_text)
			take_in_text(n, text[i]);
		else
			take_outside(n, text[i]);
	}
}

static bool take_piece(void *arg, const char *data, size_t len)
{
	names_take(arg, data, len);
	return true;
}

int names_get(struct client *c, const char *path, void (*found)(void *arg, const char *name),
	      void *arg)
{
	struct names n = { .found = found, .arg = arg };
	struct request rq = { .method = "GET", .path = path, .take = take_piece, .take_arg = &n };
	struct err err = ERR_INIT;
	struct reply reply;
	int code = client_send(c, &rq, &reply, &err);

	if (code == 0 && reply.status != 200)
		code = -EIO;
	reply_fini(&reply);
	err_fini(&err);
	return code < 0 ? -EIO : 0;
}
