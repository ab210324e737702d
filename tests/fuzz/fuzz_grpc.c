/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything as the answer of a gRPC server: a line of trailers, then the message after a zero byte.
 *It is judged, with a reason that is a text, and never taken for well without status 0.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_grpc CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "health/grpc_message.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const unsigned char *zero = memchr(data, '\0', size);
	size_t len = zero ? (size_t)(zero - data) : size;
	struct grpc_answer a = { .http_status = 200,
				 .body = data + len + (zero != NULL),
				 .n_body = size - len - (zero != NULL) };
	char reason[PROBE_REASON_BYTES];
	enum probe_result result;

	grpc_header(&a, (const char *)data, len);
	result = grpc_judge(&a, reason);
	if (!memchr(reason, '\0', sizeof(reason)) || !*reason || result == PROBE_UNDONE ||
	    (result == PROBE_OK && strcmp(a.status, "0") != 0))
		abort();
	return 0;
}
