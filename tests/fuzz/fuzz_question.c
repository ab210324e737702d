/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line to the answerer (api/answerer.h) from anybody: refused, or a question about two whole
 * endpoints of one family.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_question CORPUS
 */
#include <errno.h>
#include <stdlib.h>

#include "api/answerer.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *line = mem_strndup((const char *)data, size);
	struct flow_end local, backend;
	uint8_t protocol;
	int code = answerer_parse(line, &protocol, &local, &backend);

	must(code == 0 || code == -EINVAL);
	if (code == 0) {
		must(protocol && local.port && backend.port);
		must(local.address.family == backend.address.family);
	}
	free(line);
	return 0;
}
