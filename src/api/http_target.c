/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split first, decode after: an escaped slash (%2F) is part of a name, not a
 * separator, and an escaped '&' or '=' part of a value. All of it happens in one
 * copy of the target, because decoding only shrinks.
 */
#include "api/http_target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int percent_decode(char *s, bool plus_is_space, const char **why)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '%') {
			int hi = hex_digit(s[1]), lo = hi < 0 ? -1 : hex_digit(s[2]);

			if (lo < 0 || hi * 16 + lo == 0) {
				*why = lo < 0 ? "% is not followed by two hexadecimal digits"
					      : "%00 is not allowed";
				return -EINVAL;
			}
			*to++ = (char)(hi * 16 + lo);
			s += 2;
		} else {
			*to++ = *s == '+' && plus_is_space ? ' ' : *s;
		}
	}
	*to = '\0';
	return 0;
}

static int parse_path(struct http_target *t, char *path, const char **why)
{
	char *rest = path[1] ? path + 1 : NULL, *segment;

	while ((segment = strsep(&rest, "/"))) {
		if (t->n_segments == HTTP_SEGMENTS_MAX) {
			*why = "too many path segments";
			return -EINVAL;
		}
		if (percent_decode(segment, false, why))
			return -EINVAL;
		t->segments[t->n_segments++] = segment;
	}
	return 0;
}

static int parse_query(struct http_target *t, char *query, const char **why)
{
	char *name, *value;

	while ((name = strsep(&query, "&"))) {
		if (!*name)
			continue;
		if (t->n_queries == HTTP_QUERIES_MAX) {
			*why = "too many query parameters";
			return -EINVAL;
		}
		value = strchr(name, '=');
		if (value)
			*value++ = '\0';
		if (percent_decode(name, true, why) || (value && percent_decode(value, true, why)))
			return -EINVAL;
		t->queries[t->n_queries].name = name;
		t->queries[t->n_queries++].value = value ? value : "";
	}
	return 0;
}

/* "http://host/path" is as good as "/path": a server must take both (RFC 9112, 3.2.2). */
static char *skip_authority(char *text)
{
	char *p = strstr(text, "://");

	if (*text == '/' || !p || strpbrk(text, "/?#") < p)
		return text;
	p += 3;
	p += strcspn(p, "/?#");
	return *p == '/' ? p : NULL;
}

int http_target_parse(const char *target, struct http_target *out, const char **why)
{
	char *path, *query;

	memset(out, 0, sizeof(*out));
	out->text = mem_strdup(target);
	path = skip_authority(out->text);
	if (!path || (*path != '/' && strcmp(path, "*") != 0)) {
		*why = "the request target is not a path";
		goto fail;
	}
	path[strcspn(path, "#")] = '\0';
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	if (parse_path(out, path, why) || (query && parse_query(out, query, why)))
		goto fail;
	return 0;
fail:
	http_target_fini(out);
	return -EINVAL;
}

void http_target_fini(struct http_target *t)
{
	free(t->text);
	memset(t, 0, sizeof(*t));
}
