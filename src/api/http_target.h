/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request target (RFC 9112, 3.2) taken apart: path segments and query
 * parameters, percent-decoded.
 */
#ifndef FNAT_API_HTTP_TARGET_H
#define FNAT_API_HTTP_TARGET_H

#include <stddef.h>

/* More path segments or query parameters than any route has: refused. */
#define HTTP_SEGMENTS_MAX 16
#define HTTP_QUERIES_MAX  16

struct http_target {
	char *text; /* owned; what follows points into it */
	const char *segments[HTTP_SEGMENTS_MAX];
	size_t n_segments;
	struct {
		const char *name, *value;
	} queries[HTTP_QUERIES_MAX];
	size_t n_queries;
};

/*
 * 0, or -EINVAL with *why (static): a bad or NUL escape, too many parts, or not
 * a path. "/" has no segments; "/a//b/" has "a", "", "b", "".
 */
int http_target_parse(const char *target, struct http_target *out, const char **why);
void http_target_fini(struct http_target *t);

#endif
