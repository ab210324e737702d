/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything as what a socket for echo replies gives, of either family, with and without an IP
 * header: what is taken for a reply carries the very cookie that a request with it does.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_icmp CORPUS
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "health/icmp_message.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define HEADER_BYTES 8

static void parse(int family, bool is_raw, const unsigned char *data, size_t size)
{
	struct icmp_cookie cookie;
	uint8_t request[ICMP_MESSAGE_BYTES];

	if (!icmp_parse(data, size, family, is_raw, &cookie))
		return;
	icmp_request((uint8_t)family, &cookie, request);
	if (size < sizeof(request) ||
	    !memmem(data, size, request + HEADER_BYTES, sizeof(request) - HEADER_BYTES))
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	parse(AF_INET, true, data, size);
	parse(AF_INET, false, data, size);
	parse(AF_INET6, true, data, size);
	parse(AF_INET6, false, data, size);
	return 0;
}
