/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status first: the body of an answer with another status is not worth a word.
 */
#include "health/http_judge.h"

#include <stdio.h>
#include <string.h>

#include "base/pattern.h"

bool http_wants_body(const struct check_http *h)
{
	return h->expect || h->regex;
}

enum probe_result http_judge(const struct check_http *h, long status, const void *body, size_t len,
			     char reason[PROBE_REASON_BYTES])
{
	const char *problem = NULL;
	int found;

	snprintf(reason, PROBE_REASON_BYTES, "answered %ld", status);
	if (!check_http_status_has(&h->status, status))
		return PROBE_FAILED;
	if (h->expect && (len == 0 || !memmem(body, len, h->expect, strlen(h->expect))))
		problem = "expect is not in the body";
	else if (h->regex && (found = pattern_find(h->regex, len ? body : "", len)) <= 0)
		problem = found == 0 ? "expect_regex is not in the body"
				     : "expect_regex takes too long on the body";
	if (!problem)
		return PROBE_OK;
	snprintf(reason, PROBE_REASON_BYTES, "answered %ld, %s, %zu bytes: %.*s", status, problem,
		 len, len < 30 ? (int)len : 30, len ? (const char *)body : "");
	return PROBE_FAILED;
}
