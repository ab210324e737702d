/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of http and https. What would break the request apart (a line break in a header, a
 * blank in the path) is refused here, so that a request is what it looks like.
 */
#include "model/check_http.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/pattern.h"
#include "model/check_host.h"
#include "model/check_http_status.h"
#include "model/check_tls_read.h"
#include "model/check_types.h"

#define HEADERS_MAX   32
#define PAYLOAD_BYTES 4096
#define EXPECT_BYTES  1024

static const char *const versions[] = {
	[CHECK_HTTP_1_1] = "1.1",
	[CHECK_HTTP_1_0] = "1.0",
	[CHECK_HTTP_2] = "2",
	NULL,
};

#define AT(member) offsetof(struct check_http, member)
#define TEXT(member, shortest, longest)                                                            \
	.kind = &check_text, .offset = AT(member), .min = (shortest), .max = (longest)

static const struct check_field check_http_fields[] = {
	{ "method", false, TEXT(method, 1, 32), .text = "GET" },
	{ "path", false, TEXT(path, 1, 2048), .text = "/" },
	{ "host", false, TEXT(host, 1, 255) },
	{ "headers", false, .kind = &check_texts, .offset = AT(headers), .max = HEADERS_MAX },
	{ "payload", false, TEXT(payload, 0, PAYLOAD_BYTES) },
	{ "status", false, .kind = &check_http_status_kind, .offset = AT(status) },
	{ "expect", false, TEXT(expect, 1, EXPECT_BYTES) },
	{ "expect_regex", false, TEXT(expect_regex, 1, EXPECT_BYTES) },
	{ "version", false, .kind = &check_word, .offset = AT(version), .words = versions },
};

/* RFC 9110, 5.6.2 */
static size_t token_length(const char *s)
{
	size_t n = 0;

	while ((unsigned char)s[n] < 128 && s[n] &&
	       (isalnum(s[n]) || strchr("!#$%&'*+-.^_`|~", s[n])))
		n++;
	return n;
}

/* Without controls; blanks may be. */
static bool is_one_line(const char *s)
{
	for (; *s; s++) {
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 127)
			return false;
	}
	return true;
}

static bool is_visible(const char *s)
{
	for (; *s; s++) {
		if (*s <= ' ' || *s >= 127)
			return false;
	}
	return true;
}

/* Headers that say where a message ends, or have a field of their own: what to do instead. */
static const char *instead_of(const char *header, size_t len)
{
	static const struct {
		const char *name, *instead;
	} rows[] = {
		{ "Host", "use the field host" },
		{ "Content-Length", "fnatd counts the payload itself" },
		{ "Transfer-Encoding", "fnatd sends the payload in one piece" },
		{ "Connection", "each check has a connection of its own" },
		{ "Upgrade", "use the field version" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strlen(rows[i].name) == len && strncasecmp(rows[i].name, header, len) == 0)
			return rows[i].instead;
	}
	return NULL;
}

static void verify_header(struct reader *r, const struct at *at, const char *header)
{
	size_t len = token_length(header);
	const char *instead = instead_of(header, len);
	char text[READER_TEXT_BYTES];

	if (len == 0 || header[len] != ':' || !is_one_line(header))
		problem_text(r, at, quote(header, text), "expected \"Name: value\" in one line");
	else if (instead)
		problem_text(r, at, quote(header, text), "%s", instead);
}

static void verify_request(struct reader *r, const struct at *at, const struct check_http *h)
{
	struct at at_method = at_member(at, "method"), at_path = at_member(at, "path");
	struct at at_host = at_member(at, "host"), at_headers = at_member(at, "headers");
	char text[READER_TEXT_BYTES];

	if (token_length(h->method) != strlen(h->method) || strcmp(h->method, "CONNECT") == 0)
		problem_text(r, &at_method, quote(h->method, text),
			     "expected a method as GET, HEAD, POST or OPTIONS");
	if ((*h->path != '/' && strcmp(h->path, "*") != 0) || !is_visible(h->path))
		problem_text(r, &at_path, quote(h->path, text),
			     "expected a path that begins with /, in ASCII without blanks");
	if (h->host && !is_visible(h->host))
		problem_text(r, &at_host, quote(h->host, text),
			     "expected a host as www.example or www.example:8080");
	for (size_t i = 0; i < h->headers.n; i++) {
		struct at at_header = at_element(&at_headers, i);

		verify_header(r, &at_header, h->headers.items[i]);
	}
}

static void http_verify(struct reader *r, const struct at *at, void *options)
{
	struct check_http *h = options;
	struct at at_expect = at_member(at, h->expect ? "expect" : "expect_regex");
	struct at at_regex = at_member(at, "expect_regex"), at_payload = at_member(at, "payload");
	char mistake[PATTERN_MISTAKE_BYTES], text[READER_TEXT_BYTES];

	verify_request(r, at, h);
	if (strcmp(h->method, "HEAD") == 0 && (h->expect || h->expect_regex))
		problem(r, &at_expect, NULL, "an answer to HEAD has no body");
	if (strcmp(h->method, "HEAD") == 0 && h->payload)
		problem(r, &at_payload, NULL, "HEAD has no payload");
	if (!h->expect_regex)
		return;
	h->regex = pattern_new(h->expect_regex, mistake);
	if (!h->regex)
		problem_text(r, &at_regex, quote(h->expect_regex, text), "%s", mistake);
}

static void https_verify(struct reader *r, const struct at *at, void *options)
{
	check_tls_verify(r, at, options);
	http_verify(r, at, options);
}

static void http_fini(void *options)
{
	struct check_http *h = options;

	pattern_free(h->regex);
}

const char *check_http_host_name(const struct check_http *h, size_t *len)
{
	if (!h->host)
		return NULL;
	*len = strcspn(h->host, ":");
	return check_is_host_name(h->host, *len) ? h->host : NULL;
}

#define N_FIELDS (sizeof(check_http_fields) / sizeof(check_http_fields[0]))

const struct check_type check_type_http = {
	.name = "http",
	.options_bytes = sizeof(struct check_http),
	.fields = check_http_fields,
	.n_fields = N_FIELDS,
	.verify = http_verify,
	.fini = http_fini,
};

const struct check_type check_type_https = {
	.name = "https",
	.options_bytes = sizeof(struct check_http),
	.fields = check_http_fields,
	.n_fields = N_FIELDS,
	.more_fields = check_tls_fields,
	.n_more_fields = CHECK_TLS_N_FIELDS,
	.verify = https_verify,
	.fini = http_fini,
};
