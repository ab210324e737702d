/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http and https: a request, and whether the answer is what is expected. The answer is read to its
 * end, as a client would, but no further than CURL_PROBE_BODY_MAX.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "health/http_judge.h"
#include "health/probe_curl.h"
#include "health/probe_types.h"

static void judge(const struct curl_probe *c, const struct transfer *t, struct curl_verdict *out)
{
	const struct check_http *h = c->probe.check->options;
	long status = 0, version = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
	if (!t->has_header) { /* libcurl takes the end of the connection for their end */
		snprintf(out->reason, sizeof(out->reason), "the headers are not complete");
		return;
	}
	if (h->version == CHECK_HTTP_2 && version != CURL_HTTP_VERSION_2_0) {
		snprintf(out->reason, sizeof(out->reason), "answered %ld, but not over HTTP/2",
			 status);
		return;
	}
	out->result = http_judge(h, status, t->body, t->body ? t->n_body : 0, out->reason);
}

static long version_of(const struct check_http *h, bool is_tls)
{
	switch ((enum check_http_version)h->version) {
	case CHECK_HTTP_1_0:
		return CURL_HTTP_VERSION_1_0;
	case CHECK_HTTP_1_1:
		return CURL_HTTP_VERSION_1_1;
	case CHECK_HTTP_2:
		break;
	}
	return is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

static bool is_header(const char *header, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(header, name, len) == 0 && header[len] == ':';
}

/* libcurl takes "Name:" as "do not send that", and "Name;" as one without a value. */
static void add_header(struct transfer *t, const char *header)
{
	size_t len = strcspn(header, ":");
	char *empty;

	if (header[len + 1 + strspn(header + len + 1, " \t")]) {
		transfer_header(t, header);
		return;
	}
	empty = mem_printf("%.*s;", (int)len, header);
	transfer_header(t, empty);
	free(empty);
}

static void add_headers(struct transfer *t, const struct check_http *h)
{
	bool has_content_type = false;
	char *host;

	if (h->host) {
		host = mem_printf("Host: %s", h->host);
		transfer_header(t, host);
		free(host);
	}
	for (size_t i = 0; i < h->headers.n; i++) {
		add_header(t, h->headers.items[i]);
		has_content_type =
			has_content_type || is_header(h->headers.items[i], "Content-Type");
	}
	if (h->payload && !has_content_type)
		transfer_header(t, "Content-Type:"); /* not the one of forms */
	transfer_header(t, "Expect:");
}

static void set_request(struct transfer *t, const struct check_http *h, bool is_tls)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_USERAGENT, "fnatd");
	curl_easy_setopt(e, CURLOPT_REQUEST_TARGET, h->path);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, version_of(h, is_tls));
	if (h->payload) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)strlen(h->payload));
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, h->payload);
	}
	if (strcmp(h->method, "HEAD") == 0)
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, h->method);
	add_headers(t, h);
	t->keeps_body = http_wants_body(h);
}

static void start(struct probe *p, bool is_tls)
{
	struct curl_probe *c = (struct curl_probe *)p;
	const struct check_http *h = p->check->options;
	size_t len = 0;
	const char *name = check_http_host_name(h, &len);
	struct transfer *t;

	if (is_tls && h->tls.sni) {
		name = h->tls.sni;
		len = strlen(name);
	}
	t = probe_curl_new(c, is_tls ? "https" : "http", name, len);
	if (!t)
		return;
	set_request(t, h, is_tls);
	probe_curl_start(c, is_tls ? &h->tls : NULL, judge);
}

static void http_start(struct probe *p)
{
	start(p, false);
}

static void https_start(struct probe *p)
{
	start(p, true);
}

const struct probe_type probe_http = {
	.name = "http",
	.bytes = sizeof(struct curl_probe),
	.start = http_start,
	.cancel = probe_curl_cancel,
	.open = probe_curl_open,
	.close = probe_curl_close,
};

const struct probe_type probe_https = {
	.name = "https",
	.bytes = sizeof(struct curl_probe),
	.start = https_start,
	.cancel = probe_curl_cancel,
	.open = probe_curl_open,
	.close = probe_curl_close,
};
