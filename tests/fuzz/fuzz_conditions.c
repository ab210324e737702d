/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conditions on connections, NAME=VALUE lines, as they come from a query: all are read, or refused
 * with a reason; what was read can be asked.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_conditions CORPUS
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/flow_filter.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void take(struct flow_filter *f, char *line)
{
	char *value = strchr(line, '=');
	struct err err = ERR_INIT;
	int code;

	if (!value)
		return;
	*value++ = '\0';
	code = flow_filter_set(f, line, value, &err);
	must(code == 0 || code == -ENOENT || code == -EINVAL);
	must(err_any(&err) == (code == -EINVAL));
	err_fini(&err);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size), *rest = NULL;
	struct flow_filter f = { .protocol = 0 };
	struct flow flow = { .protocol = 6, .state = size ? data[0] : 0, .start_ns = size };

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		take(&f, line);
	(void)flow_filter_fits(&f, &flow, 1000000000);
	free(text);
	return 0;
}
