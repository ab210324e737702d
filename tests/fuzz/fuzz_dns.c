/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything as the answer of a DNS server, to a question with the id of its first two bytes: it is
 * judged or passed over, with a reason that is a text.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_dns CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "health/dns_message.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void judge(uint32_t record, const char *expect, uint16_t id, const unsigned char *data,
		  size_t size)
{
	const struct check_dns d = { .name = (char *)"www.x",
				     .record = record,
				     .expect = (char *)expect };
	char reason[PROBE_REASON_BYTES];
	enum probe_result result;

	if (dns_judge(&d, id, data, size, &result, reason) &&
	    (memchr(reason, '\0', sizeof(reason)) == NULL || result == PROBE_UNDONE))
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	uint16_t id = size < 2 ? 0 : (uint16_t)(data[0] << 8 | data[1]);

	for (uint32_t record = 0; record < 9; record++) {
		judge(record, NULL, id, data, size);
		judge(record, "10 y.x", id, data, size);
	}
	return 0;
}
