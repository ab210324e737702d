/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as HTTP requests: fed whole or in pieces they are the same requests or the same
 * refusal, a target can be taken apart and routed, and no more memory is taken than allowed.
 * What is too large (431) and also wrong (400) is refused either way: in pieces, its size is known
 * before its error is.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/http_parse.h"
#include "api/http_target.h"
#include "api/routes.h"

#define HEADERS_MAX  2048
#define BODY_MAX     4096
#define REQUESTS_MAX 64

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

struct seen {
	struct http_message requests[REQUESTS_MAX];
	size_t n;
	int refusal;
};

static void feed(const char *data, size_t size, size_t piece, struct seen *seen)
{
	struct http_parse *p = http_parse_new(HEADERS_MAX, BODY_MAX);
	const char *detail;
	size_t used;

	while (size > 0 && seen->n < REQUESTS_MAX) {
		size_t len = size < piece ? size : piece;

		switch (http_parse_feed(p, data, len, &used)) {
		case HTTP_PARSE_DONE:
			http_parse_take(p, &seen->requests[seen->n++]);
			break;
		case HTTP_PARSE_REFUSED:
			seen->refusal = http_parse_refusal(p, &detail);
			must(seen->refusal >= 400 && seen->refusal < 600 && *detail);
			size = used; /* the end */
			break;
		case HTTP_PARSE_MORE:
		case HTTP_PARSE_CONTINUE:
			must(used == len);
			break;
		}
		must(http_parse_body_bytes(p) <= 2 * (BODY_MAX + 1));
		data += used;
		size -= used;
	}
	http_parse_free(p);
}

static void check_equal(const struct http_message *a, const struct http_message *b)
{
	must(strcmp(a->method, b->method) == 0 && strcmp(a->target, b->target) == 0);
	must(a->body_len == b->body_len && a->n_fields == b->n_fields);
	must(a->body_len == 0 || memcmp(a->body, b->body, a->body_len) == 0);
	must(a->is_keep_alive == b->is_keep_alive && a->body_len <= BODY_MAX);
	for (size_t i = 0; i < a->n_fields; i++)
		must(strcmp(a->fields[i].value, http_message_field(b, a->fields[i].name)) == 0);
}

static void check_target(const struct http_message *m)
{
	const char *why = NULL, *names[ROUTE_NAMES_MAX];
	const struct route *route;
	struct http_target t;

	if (http_target_parse(m->target, &t, &why)) {
		must(why != NULL);
		return;
	}
	route_find(m->method, t.segments, t.n_segments, &route, names);
	http_target_fini(&t);
}

static bool is_same_refusal(int whole, int pieces)
{
	return whole == pieces || (whole == 400 && pieces == 431);
}

static void seen_fini(struct seen *s)
{
	for (size_t i = 0; i < s->n; i++)
		http_message_fini(&s->requests[i]);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct seen whole = { .n = 0 }, pieces = { .n = 0 };

	if (size == 0)
		return 0;
	feed((const char *)data + 1, size - 1, size, &whole);
	feed((const char *)data + 1, size - 1, 1u + data[0] % 16, &pieces);
	must(whole.n == pieces.n && is_same_refusal(whole.refusal, pieces.refusal));
	for (size_t i = 0; i < whole.n; i++) {
		check_equal(&whole.requests[i], &pieces.requests[i]);
		check_target(&whole.requests[i]);
	}
	seen_fini(&whole);
	seen_fini(&pieces);
	return 0;
}
