/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything as what an agent says: it is taken or not, and stays within what fnat knows; what is
 * not said does not change.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_agent CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "health/agent_text.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const struct agent_said before = { 7, AGENT_UP, PROBE_ORDER_MAINT };
	struct agent_said said = before;
	char unknown[PROBE_REASON_BYTES];
	size_t n = agent_take(&said, (const char *)data, size, unknown);

	if (!memchr(unknown, '\0', sizeof(unknown)) || n > size || said.percent < 0 ||
	    said.percent > AGENT_PERCENT_MAX)
		abort();
	if (n == 0 && (said.percent != before.percent || said.state != before.state ||
		       said.order != before.order))
		abort();
	return 0;
}
