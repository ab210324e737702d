/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of routes: a row is all it takes to add one.
 */
#ifndef FNAT_API_ROUTES_H
#define FNAT_API_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

struct call;
struct edit_kind;

#define ROUTE_NAMES_MAX 2

struct route {
	const char *method;
	const char *pattern;            /* "/v1/services/{service}" */
	void (*handle)(struct call *c); /* answers, now or later; NULL: an edit */
	const struct edit_kind *edit;   /* a change of the model, see edit.h; NULL: none */
	const char *query;              /* the query parameters it takes, between spaces */
};

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/*
 * HEAD finds what GET would. With ROUTE_FOUND, names[] are the segments that stand
 * for the pattern's {names}.
 */
enum route_match route_find(const char *method, const char *const *segments, size_t n_segments,
			    const struct route **out, const char *names[ROUTE_NAMES_MAX]);

/* "GET, HEAD, PUT, OPTIONS" for a path; "" where there is none. Returns buf. */
#define ROUTE_ALLOW_BYTES 64
const char *route_allow(const char *const *segments, size_t n_segments,
			char buf[ROUTE_ALLOW_BYTES]);

/* Does the route take this query parameter? */
bool route_takes(const struct route *r, const char *parameter);

/* The rows, i from 0; NULL after the last. */
const struct route *route_at(size_t i);

#endif
