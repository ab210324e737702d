/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format is http-parser's (Debian: libhttp-parser), the connections are
 * ours (http_conn.c), because what the API promises cannot be had from the HTTP
 * servers at hand:
 *
 * - libevent 2.1.12's evhttp answers what it refuses itself (400, 413, 417, 501)
 *   with HTML and no hook to change that (evhttp_set_errorcb() is 2.2); says 400
 *   where the header is too large; has a timeout between bytes, but none for a
 *   whole request, so that a client that drips holds its place for ever; has no
 *   limit on connections; takes Content-Length and Transfer-Encoding together.
 * - libmicrohttpd 0.9.75 likewise answers 400, 413, 414, 431, 501 and 505 with
 *   HTML of its own (transmit_error_response_len() in its connection.c), and its
 *   timeouts are idle times in whole seconds.
 *
 * This is the only file that knows http-parser. It stops at the end of each
 * message (the parser is paused there), so that pipelined requests are handled one
 * after the other.
 */
#include "api/http_parse.h"

#include <errno.h>
#include <http_parser.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* Text that arrives in pieces. */
struct text {
	char *s;
	size_t len, cap;
};

/* Looking one up walks them all. */
#define FIELDS_MAX 100

enum field_part { PART_NONE, PART_NAME, PART_VALUE };

struct http_parse {
	http_parser parser;
	struct http_message msg;
	struct text target, name, value;
	enum field_part part;
	char first[24]; /* begin of the request line: tells an unknown method from rubbish */
	size_t first_len;
	size_t head_bytes;    /* of the target, names and values */
	unsigned int n_lines; /* of header fields and trailers */
	size_t headers_max_bytes, body_max_bytes;
	bool is_expecting; /* the client waits for 100 Continue */
	bool is_done;
	int status; /* of the refusal; 0: none */
	char detail[160];
};

static __attribute__((format(printf, 3, 4))) int refuse(struct http_parse *p, int status,
							const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->detail, sizeof(p->detail), fmt, ap);
	va_end(ap);
	p->status = status;
	return -1;
}

static void text_append(struct text *t, const char *at, size_t len)
{
	if (t->len + len + 1 > t->cap) {
		t->cap = 2 * (t->len + len + 1);
		t->s = mem_realloc(t->s, t->cap, 1);
	}
	memcpy(t->s + t->len, at, len);
	t->len += len;
	t->s[t->len] = '\0';
}

static char *text_take(struct text *t)
{
	char *s = t->s ? mem_realloc(t->s, t->len + 1, 1) : mem_strdup("");

	*t = (struct text){ 0 };
	return s;
}

static void trim_end(struct text *t)
{
	while (t->len > 0 && (t->s[t->len - 1] == ' ' || t->s[t->len - 1] == '\t'))
		t->s[--t->len] = '\0';
}

/* Names, values and target; http-parser counts what is between them, see http_parse_new(). */
static int count_head(struct http_parse *p, size_t len)
{
	p->head_bytes += len;
	if (p->head_bytes <= p->headers_max_bytes)
		return 0;
	return refuse(p, 431, "the header is larger than %zu bytes", p->headers_max_bytes);
}

static struct http_field *find_field(const struct http_message *m, const char *name)
{
	for (size_t i = 0; i < m->n_fields; i++)
		if (strcasecmp(m->fields[i].name, name) == 0)
			return &m->fields[i];
	return NULL;
}

/* A name and a value are complete. */
static void end_field(struct http_parse *p)
{
	struct http_message *m = &p->msg;
	struct http_field *f;
	char *name, *value;

	if (p->part == PART_NONE)
		return;
	trim_end(&p->value);
	name = text_take(&p->name);
	value = text_take(&p->value);
	p->part = PART_NONE;
	f = find_field(m, name);
	if (f) {
		char *joined = mem_printf("%s, %s", f->value, value);

		free(name);
		free(value);
		free(f->value);
		f->value = joined;
		return;
	}
	VEC_PUSH(m->fields, m->n_fields, m->cap_fields) = (struct http_field){ name, value };
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct http_parse *p = parser->data;

	if (p->target.len + len > HTTP_TARGET_MAX_BYTES)
		return refuse(p, 414, "the request target is longer than %d bytes",
			      HTTP_TARGET_MAX_BYTES);
	text_append(&p->target, at, len);
	return count_head(p, len);
}

/* Fields after the body (trailers) are counted and forgotten. */
static bool is_trailer(const http_parser *parser)
{
	return parser->flags & F_TRAILING;
}

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
	struct http_parse *p = parser->data;

	if (p->part != PART_NAME && ++p->n_lines > FIELDS_MAX)
		return refuse(p, 431, "more than %d header fields", FIELDS_MAX);
	if (is_trailer(parser)) {
		p->part = PART_NAME;
	} else {
		if (p->part == PART_VALUE)
			end_field(p);
		text_append(&p->name, at, len);
		p->part = PART_NAME;
	}
	return count_head(p, len);
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
	struct http_parse *p = parser->data;

	if (!is_trailer(parser))
		text_append(&p->value, at, len);
	p->part = PART_VALUE;
	return count_head(p, len);
}

static int check_expect(struct http_parse *p)
{
	const char *expect = http_message_field(&p->msg, "Expect");

	if (!expect || p->msg.minor == 0)
		return 0;
	if (strcasecmp(expect, "100-continue") != 0)
		return refuse(p, 417, "Expect: only 100-continue is understood");
	p->is_expecting = true;
	return 0;
}

/* UINT64_MAX is http-parser's "no Content-Length". */
static int check_length(struct http_parse *p)
{
	if (p->parser.content_length == UINT64_MAX || p->parser.flags & F_CHUNKED)
		return 0;
	if (p->parser.content_length > p->body_max_bytes)
		return refuse(p, 413, "the body is larger than %zu bytes", p->body_max_bytes);
	if (p->parser.content_length == 0)
		p->is_expecting = false;
	return 0;
}

static int on_headers_complete(http_parser *parser)
{
	struct http_parse *p = parser->data;

	end_field(p);
	if (parser->http_major != 1)
		return refuse(p, 505, "HTTP/%u.%u: this server speaks HTTP/1.1", parser->http_major,
			      parser->http_minor);
	p->msg.minor = parser->http_minor;
	/* An offer to upgrade may be ignored (RFC 9110, 7.8). */
	if (parser->method != HTTP_CONNECT)
		parser->upgrade = 0;
	if (check_expect(p) || check_length(p))
		return -1;
	return 0;
}

/* Grows by doubling: a client that announces much and sends little gets little. */
static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct http_parse *p = parser->data;
	struct http_message *m = &p->msg;

	p->is_expecting = false;
	if (len > p->body_max_bytes - m->body_len)
		return refuse(p, 413, "the body is larger than %zu bytes", p->body_max_bytes);
	if (m->body_len + len + 1 > m->body_cap) {
		size_t cap = m->body_cap ? 2 * m->body_cap : 1024;

		while (cap < m->body_len + len + 1)
			cap *= 2;
		m->body = mem_realloc(m->body, cap, 1);
		m->body_cap = cap;
	}
	memcpy(m->body + m->body_len, at, len);
	m->body_len += len;
	m->body[m->body_len] = '\0';
	return 0;
}

static int on_message_complete(http_parser *parser)
{
	struct http_parse *p = parser->data;

	p->is_done = true;
	p->msg.method = http_method_str(parser->method);
	p->msg.target = text_take(&p->target);
	p->msg.is_keep_alive = http_should_keep_alive(parser) && parser->method != HTTP_CONNECT;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings callbacks = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

static void parse_reset(struct http_parse *p)
{
	http_parser_init(&p->parser, HTTP_REQUEST);
	p->parser.data = p;
	p->part = PART_NONE;
	p->first_len = p->head_bytes = p->n_lines = 0;
	p->is_expecting = p->is_done = false;
	p->status = 0;
}

struct http_parse *http_parse_new(size_t headers_max_bytes, size_t body_max_bytes)
{
	static size_t largest; /* http-parser has one limit for all */
	struct http_parse *p = mem_zalloc(sizeof(*p));

	if (headers_max_bytes > largest) {
		largest = headers_max_bytes;
		http_parser_set_max_header_size((uint32_t)largest);
	}
	p->headers_max_bytes = headers_max_bytes;
	p->body_max_bytes = body_max_bytes;
	parse_reset(p);
	return p;
}

void http_parse_free(struct http_parse *p)
{
	if (!p)
		return;
	http_message_fini(&p->msg);
	free(p->target.s);
	free(p->name.s);
	free(p->value.s);
	free(p);
}

/* A method is a token (RFC 9110, 9.1): unknown ones are 501, anything else is not HTTP. */
static bool looks_like_method(const struct http_parse *p)
{
	size_t n = 0;

	while (n < p->first_len && p->first[n] >= 'A' && p->first[n] <= 'Z')
		n++;
	return n > 0 && (n == p->first_len || p->first[n] == ' ');
}

static void refuse_syntax(struct http_parse *p)
{
	enum http_errno e = HTTP_PARSER_ERRNO(&p->parser);

	if (p->status)
		return; /* a callback has said why */
	if (e == HPE_INVALID_METHOD && looks_like_method(p))
		refuse(p, 501, "the method is not known");
	else if (e == HPE_HEADER_OVERFLOW)
		refuse(p, 431, "the header is larger than %zu bytes", p->headers_max_bytes);
	else if (e == HPE_INVALID_TRANSFER_ENCODING)
		refuse(p, 501, "Transfer-Encoding: only chunked is understood");
	else
		refuse(p, 400, "not an HTTP/1.1 request: %s", http_errno_description(e));
}

/*
 * Up to where the parser got, so that it is the same whatever the pieces. Empty lines before a
 * request are to be ignored (RFC 9112, 2.2).
 */
static void note_first(struct http_parse *p, const char *data, size_t len)
{
	for (size_t i = 0; i < len && p->first_len < sizeof(p->first); i++)
		if (p->first_len || (data[i] != '\r' && data[i] != '\n'))
			p->first[p->first_len++] = data[i];
}

enum http_parse_result http_parse_feed(struct http_parse *p, const char *data, size_t len,
				       size_t *used)
{
	*used = 0;
	if (p->status)
		return HTTP_PARSE_REFUSED;
	*used = http_parser_execute(&p->parser, &callbacks, data, len);
	note_first(p, data, *used < len ? *used + 1 : len);
	if (p->is_done)
		return HTTP_PARSE_DONE;
	if (HTTP_PARSER_ERRNO(&p->parser) != HPE_OK) {
		refuse_syntax(p);
		return HTTP_PARSE_REFUSED;
	}
	if (p->is_expecting) {
		p->is_expecting = false;
		return HTTP_PARSE_CONTINUE;
	}
	return HTTP_PARSE_MORE;
}

size_t http_parse_body_bytes(const struct http_parse *p)
{
	return p->msg.body_cap;
}

int http_parse_refusal(const struct http_parse *p, const char **detail)
{
	*detail = p->detail;
	return p->status;
}

void http_parse_take(struct http_parse *p, struct http_message *out)
{
	*out = p->msg;
	memset(&p->msg, 0, sizeof(p->msg));
	parse_reset(p);
}

void http_message_fini(struct http_message *m)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		free(m->fields[i].name);
		free(m->fields[i].value);
	}
	free(m->fields);
	free(m->target);
	free(m->body);
	memset(m, 0, sizeof(*m));
}

const char *http_message_field(const struct http_message *m, const char *name)
{
	const struct http_field *f = find_field(m, name);

	return f ? f->value : NULL;
}

const char *http_reason(int status)
{
	return http_status_str((enum http_status)status);
}
