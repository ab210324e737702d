/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything as the body of an answer over HTTP, for a text and for regular expressions that are hard
 * to match: it is judged, with a reason that is a text. What the expressions say of limits lowers
 * them, so that an input that is too hard is refused after microseconds, not after the 10 ms that
 * fnatd gives it: test_check_http.c shows that they bound the time. And as the status, which is
 * well only when it is one of those that are expected.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_body CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"
#include "health/http_judge.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void judge(const char *expect, struct pattern *regex, const unsigned char *data, size_t size)
{
	const struct check_http h = { .status = { { [1] = 1ull
							  << (200 - CHECK_HTTP_STATUS_MIN - 64) } },
				      .expect = (char *)expect,
				      .regex = regex };
	char reason[PROBE_REASON_BYTES];
	enum probe_result result = http_judge(&h, 200, data, size, reason);

	if (!memchr(reason, '\0', sizeof(reason)) || !*reason || result == PROBE_UNDONE ||
	    (expect && result == PROBE_OK && !memmem(data, size, expect, strlen(expect))))
		abort();
}

static void judge_status(const unsigned char *data, size_t size)
{
	struct check_http h = { 0 };
	char reason[PROBE_REASON_BYTES];
	long status = 0;

	memcpy(&status, data, size < sizeof(status) ? size : sizeof(status));
	if (http_judge(&h, status, data, size, reason) != PROBE_FAILED)
		abort();
	memset(&h.status, 0xff, sizeof(h.status));
	if (!memchr(reason, '\0', sizeof(reason)) ||
	    (http_judge(&h, status, data, size, reason) == PROBE_OK) !=
		    (status >= CHECK_HTTP_STATUS_MIN && status <= CHECK_HTTP_STATUS_MAX))
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char *const texts[] = { "^ok$", "(*LIMIT_MATCH=500)(a+)+b",
					     "(*LIMIT_MATCH=500)(?=.{0,20}x)[^\\s]{2,20}$" };
	static struct pattern *patterns[3];
	char problem[PATTERN_MISTAKE_BYTES];

	for (size_t i = 0; i < 3; i++) {
		if (!patterns[i])
			patterns[i] = pattern_new(texts[i], problem);
		judge(NULL, patterns[i], data, size);
	}
	judge("ok", NULL, data, size);
	judge("ok", patterns[0], data, size);
	judge(NULL, NULL, data, size);
	judge_status(data, size);
	return 0;
}
