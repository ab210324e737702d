/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smtp: greeting, EHLO, QUIT.
 */
#include <string.h>
#include <unistd.h>

#include "health/probe_stream.h"
#include "health/probe_types.h"
#include "health/smtp_text.h"
#include "model/check_host.h"
#include "model/check_smtp.h"

struct smtp {
	struct stream stream;
	struct smtp_talk talk;
};

/* Of the balancer, where that may stand in EHLO. */
static const char *own_name(char out[256])
{
	if (gethostname(out, 256) < 0 || !memchr(out, '\0', 256) ||
	    !check_is_host_name(out, strlen(out)))
		strcpy(out, "localhost");
	return out;
}

static bool say(struct smtp *m)
{
	const struct check_smtp *options = m->stream.probe.check->options;
	char name[256], command[SMTP_COMMAND_BYTES];
	size_t len = smtp_command(&m->talk, options->hostname ? options->hostname : own_name(name),
				  command);

	m->stream.probe.stage = smtp_stage_text(&m->talk);
	return stream_send(&m->stream, command, len);
}

static bool smtp_connected(struct stream *s)
{
	s->probe.stage = smtp_stage_text(&((struct smtp *)s)->talk);
	return true;
}

static bool smtp_arrived(struct stream *s)
{
	struct smtp *m = (struct smtp *)s;
	char reason[PROBE_REASON_BYTES];
	enum smtp_next next = SMTP_WAIT;
	size_t len;

	while ((len = smtp_line(s->data, s->n)) > 0) {
		next = smtp_take(&m->talk, s->data, len, reason);
		stream_drop(s, len);
		if (next == SMTP_SAY && !say(m))
			return false;
		if (next == SMTP_WELL || next == SMTP_BAD)
			break;
	}
	if (s->is_over && next != SMTP_WELL && next != SMTP_BAD)
		next = smtp_end(&m->talk, reason);
	if (next == SMTP_WELL || next == SMTP_BAD)
		return stream_done(s, next == SMTP_WELL ? PROBE_OK : PROBE_FAILED, "%s", reason);
	return true;
}

static void smtp_start(struct probe *p)
{
	static const struct stream_kind kind = { smtp_connected, smtp_arrived };
	struct smtp *m = (struct smtp *)p;

	m->talk = (struct smtp_talk){ 0 };
	stream_start(&m->stream, &kind);
}

const struct probe_type probe_smtp = {
	.name = "smtp",
	.bytes = sizeof(struct smtp),
	.start = smtp_start,
	.cancel = stream_cancel,
};
