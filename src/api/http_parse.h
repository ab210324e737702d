/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes to one HTTP/1.x request (RFC 9112), whatever pieces they come in. Pure:
 * no socket, no clock.
 */
#ifndef FNAT_API_HTTP_PARSE_H
#define FNAT_API_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

/* Longest request target; longer: 414. */
#define HTTP_TARGET_MAX_BYTES 8192

struct http_field {
	char *name, *value;
};

/* Everything owned. */
struct http_message {
	const char *method; /* static, capitals */
	char *target;
	struct http_field *fields; /* names are unique: values of one name joined by ", " */
	size_t n_fields, cap_fields;
	char *body; /* NULL when empty; NUL-terminated else */
	size_t body_len, body_cap;
	unsigned int minor; /* of HTTP/1.minor */
	bool is_keep_alive; /* the client is fine with another request on the connection */
};

void http_message_fini(struct http_message *m);
/* Any case. NULL when absent. */
const char *http_message_field(const struct http_message *m, const char *name);

enum http_parse_result {
	HTTP_PARSE_MORE,     /* not complete yet */
	HTTP_PARSE_CONTINUE, /* the same, and the client waits for "100 Continue" */
	HTTP_PARSE_DONE,     /* http_parse_take() */
	HTTP_PARSE_REFUSED,  /* http_parse_refusal() */
};

struct http_parse;

struct http_parse *http_parse_new(size_t headers_max_bytes, size_t body_max_bytes);
void http_parse_free(struct http_parse *p);

/* *used: how much of data was looked at; after DONE the rest belongs to the next request. */
enum http_parse_result http_parse_feed(struct http_parse *p, const char *data, size_t len,
				       size_t *used);

/* Memory that the body takes so far. */
size_t http_parse_body_bytes(const struct http_parse *p);

/* Status and reason of a refusal. Borrowed; valid until the parse is freed. */
int http_parse_refusal(const struct http_parse *p, const char **detail);

/* Move the complete request to *out; the parse is ready for the next one. */
void http_parse_take(struct http_parse *p, struct http_message *out);

/* "Not Found" for 404. Static. */
const char *http_reason(int status);

#endif
