/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything as what an SMTP server says, line by line: the conversation ends or goes on, with no
 * more than three commands, and a reason that is a text.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_smtp CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "health/smtp_text.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char reason[PROBE_REASON_BYTES] = "", command[SMTP_COMMAND_BYTES];
	enum smtp_next next = SMTP_WAIT;
	struct smtp_talk t = { 0 };
	int n_said = 0;
	size_t len;

	while (next != SMTP_WELL && next != SMTP_BAD &&
	       (len = smtp_line((const char *)data, size)) > 0) {
		next = smtp_take(&t, (const char *)data, len, reason);
		data += len;
		size -= len;
		n_said += next == SMTP_SAY;
		if (next == SMTP_SAY && smtp_command(&t, "x", command) >= sizeof(command))
			abort();
	}
	if (n_said > 3 || !memchr(reason, '\0', sizeof(reason)) ||
	    (*reason == '\0') != (next == SMTP_WAIT || next == SMTP_SAY))
		abort();
	return 0;
}
