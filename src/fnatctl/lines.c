/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fnatctl/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* fnatd's lines are some kilobytes at most. */
#define LINE_MAX_BYTES (4u << 20)

void lines_fini(struct lines *l)
{
	free(l->line);
	l->line = NULL;
	l->len = l->cap = 0;
}

static bool append(struct lines *l, const char *data, size_t len)
{
	if (l->len + len + 1 > LINE_MAX_BYTES)
		return false;
	if (l->len + len + 1 > l->cap) {
		l->cap = 2 * (l->len + len + 1);
		l->line = mem_realloc(l->line, l->cap, 1);
	}
	memcpy(l->line + l->len, data, len);
	l->len += len;
	l->line[l->len] = '\0';
	return true;
}

bool lines_piece(void *lines, const char *data, size_t len)
{
	struct lines *l = lines;
	const char *end;

	while ((end = memchr(data, '\n', len))) {
		size_t n = (size_t)(end - data);

		if (!append(l, data, n))
			return false;
		l->len = 0;
		if (!l->take(l->arg, l->line))
			return false;
		data += n + 1;
		len -= n + 1;
	}
	return append(l, data, len);
}
