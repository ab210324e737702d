/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grpc and grpcs: the server's own word on its health (grpc.health.v1), over HTTP/2.
 */
#include <string.h>

#include "health/grpc_message.h"
#include "health/probe_curl.h"
#include "health/probe_types.h"

struct grpc {
	struct curl_probe curl;
	struct grpc_answer answer;
	uint8_t request[GRPC_REQUEST_BYTES];
};

static void take_header(struct probe *p, const char *line, size_t len)
{
	grpc_header(&((struct grpc *)p)->answer, line, len);
}

static void judge(const struct curl_probe *c, const struct transfer *t, struct curl_verdict *out)
{
	struct grpc_answer answer = ((const struct grpc *)c)->answer;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &answer.http_status);
	answer.body = (const uint8_t *)t->body;
	answer.n_body = t->n_body;
	out->result = grpc_judge(&answer, out->reason);
}

static void start(struct probe *p, bool is_tls)
{
	struct grpc *g = (struct grpc *)p;
	const struct check_grpc *options = p->check->options;
	const char *name = is_tls ? options->tls.sni : NULL;
	struct transfer *t =
		probe_curl_new(&g->curl, is_tls ? "https" : "http", name, name ? strlen(name) : 0);
	size_t len;

	if (!t)
		return;
	memset(&g->answer, 0, sizeof(g->answer));
	len = grpc_request(options->service, g->request);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "grpc-c-fnatd");
	curl_easy_setopt(t->easy, CURLOPT_REQUEST_TARGET, GRPC_PATH);
	curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION,
			 is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)len);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, g->request);
	transfer_header(t, "Content-Type: application/grpc");
	transfer_header(t, "TE: trailers");
	transfer_header(t, "Expect:");
	t->keeps_body = true;
	t->take_header = take_header;
	probe_curl_start(&g->curl, is_tls ? &options->tls : NULL, judge);
}

static void grpc_start(struct probe *p)
{
	start(p, false);
}

static void grpcs_start(struct probe *p)
{
	start(p, true);
}

const struct probe_type probe_grpc = {
	.name = "grpc",
	.bytes = sizeof(struct grpc),
	.start = grpc_start,
	.cancel = probe_curl_cancel,
	.open = probe_curl_open,
	.close = probe_curl_close,
};

const struct probe_type probe_grpcs = {
	.name = "grpcs",
	.bytes = sizeof(struct grpc),
	.start = grpcs_start,
	.cancel = probe_curl_cancel,
	.open = probe_curl_open,
	.close = probe_curl_close,
};
