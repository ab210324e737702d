/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An upload to this machine is over in no time; what takes long is the commit. How far that is
 * fnatd does not tell, so the seconds are shown: enough to see that something is going on.
 */
#include "fnatctl/progress.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Before the first line, and between two. */
#define PATIENCE_MS 500
#define REFRESH_MS  100

bool progress_is_possible(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

const char *progress_text(uint64_t elapsed_ms, uint64_t sent, uint64_t size, uint64_t received,
			  char buf[64])
{
	if (received > 1 << 20)
		snprintf(buf, 64, "received %" PRIu64 " MB", received >> 20);
	else if (sent < size)
		snprintf(buf, 64, "sending %" PRIu64 " %% of %" PRIu64 " MB", 100 * sent / size,
			 (size + (1 << 20) - 1) >> 20);
	else
		snprintf(buf, 64, "fnatd works on it, %" PRIu64 " s", elapsed_ms / 1000);
	return buf;
}

void progress_init(struct progress *p, FILE *out)
{
	*p = (struct progress){ .out = out, .begin_ms = clock_mono_ms() };
}

void progress_fini(struct progress *p)
{
	if (p->is_shown)
		fputs("\r\033[K", p->out);
	fflush(p->out);
	p->is_shown = false;
}

void progress_show(void *arg, uint64_t sent, uint64_t size, uint64_t received)
{
	struct progress *p = arg;
	uint64_t now = clock_mono_ms();
	char buf[64];

	if (now - p->begin_ms < PATIENCE_MS || now - p->shown_ms < REFRESH_MS)
		return;
	fprintf(p->out, "\r%s\033[K", progress_text(now - p->begin_ms, sent, size, received, buf));
	fflush(p->out);
	p->shown_ms = now;
	p->is_shown = true;
}
