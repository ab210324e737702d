/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls: a handshake, and nothing after it.
 */
#include <stdio.h>
#include <string.h>

#include "health/probe_curl.h"
#include "health/probe_types.h"

static void judge(const struct curl_probe *c, const struct transfer *t, struct curl_verdict *out)
{
	time_t end = t->tls->expiry_days ? transfer_certificate_end(t) : -1;
	char date[32] = "";
	struct tm tm;

	(void)c;
	out->result = PROBE_OK;
	if (end >= 0 && gmtime_r(&end, &tm))
		strftime(date, sizeof(date), ", certificate until %Y-%m-%d", &tm);
	snprintf(out->reason, sizeof(out->reason), "handshake done%s", date);
}

static void tls_start(struct probe *p)
{
	struct curl_probe *c = (struct curl_probe *)p;
	const struct check_tls *tls = p->check->options;
	struct transfer *t = probe_curl_new(c, "https", tls->sni, tls->sni ? strlen(tls->sni) : 0);

	if (!t)
		return;
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	probe_curl_start(c, tls, judge);
}

const struct probe_type probe_tls = {
	.name = "tls",
	.bytes = sizeof(struct curl_probe),
	.start = tls_start,
	.cancel = probe_curl_cancel,
	.open = probe_curl_open,
	.close = probe_curl_close,
};
