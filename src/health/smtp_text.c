/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that greets and then refuses EHLO and HELO serves nobody; that is why the greeting alone
 * is not enough. QUIT spares it a line in its log about a client that was lost.
 */
#include "health/smtp_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code; /* that is hoped for */
	const char *verb, *waiting;
} stages[] = {
	[SMTP_GREETING] = { 220, NULL, "waiting for the greeting" },
	[SMTP_EHLO] = { 250, "EHLO", "waiting for the reply to EHLO" },
	[SMTP_HELO] = { 250, "HELO", "waiting for the reply to HELO" },
	[SMTP_QUIT] = { 221, "QUIT", "waiting for the reply to QUIT" },
};

const char *smtp_stage_text(const struct smtp_talk *t)
{
	return stages[t->stage].waiting;
}

size_t smtp_command(const struct smtp_talk *t, const char *name, char out[SMTP_COMMAND_BYTES])
{
	int n = t->stage == SMTP_QUIT ? snprintf(out, SMTP_COMMAND_BYTES, "QUIT\r\n")
				      : snprintf(out, SMTP_COMMAND_BYTES, "%s %.255s\r\n",
						 stages[t->stage].verb, name);

	return (size_t)n;
}

size_t smtp_line(const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);

	return end ? (size_t)(end - data) + 1 : 0;
}

static size_t without_end(const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	return len;
}

/* 200 to 599, then a blank, '-' or nothing; 0: not a reply. */
static int code_of(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' || !isdigit((unsigned char)line[1]) ||
	    !isdigit((unsigned char)line[2]) || (len > 3 && line[3] != ' ' && line[3] != '-'))
		return 0;
	return 100 * (line[0] - '0') + 10 * (line[1] - '0') + line[2] - '0';
}

static enum smtp_next bad(const struct smtp_talk *t, const char *line, size_t len,
			  char reason[PROBE_REASON_BYTES])
{
	const char *verb = stages[t->stage].verb;

	snprintf(reason, PROBE_REASON_BYTES, "%s %s: %.*s", verb ? verb : "greeted",
		 verb ? "was answered" : "with", len < 80 ? (int)len : 80, line);
	return SMTP_BAD;
}

static enum smtp_next go_to(struct smtp_talk *t, enum smtp_stage stage)
{
	t->stage = stage;
	return SMTP_SAY;
}

enum smtp_next smtp_take(struct smtp_talk *t, const char *line, size_t len,
			 char reason[PROBE_REASON_BYTES])
{
	int code;

	len = without_end(line, len);
	code = code_of(line, len);
	if (code == 0 || ++t->n_lines > SMTP_LINES_MAX)
		return bad(t, line, len, reason);
	if (len > 3 && line[3] == '-')
		return SMTP_WAIT;
	t->n_lines = 0;
	if (t->stage == SMTP_EHLO && code >= 500)
		return go_to(t, SMTP_HELO);
	if (code != stages[t->stage].code)
		return bad(t, line, len, reason);
	switch (t->stage) {
	case SMTP_GREETING:
		snprintf(t->found, sizeof(t->found), "%.*s", len < 80 ? (int)len : 80, line);
		return go_to(t, SMTP_EHLO);
	case SMTP_EHLO:
	case SMTP_HELO:
		return go_to(t, SMTP_QUIT);
	case SMTP_QUIT:
		break;
	}
	snprintf(reason, PROBE_REASON_BYTES, "greeted with: %.80s", t->found);
	return SMTP_WELL;
}

enum smtp_next smtp_end(const struct smtp_talk *t, char reason[PROBE_REASON_BYTES])
{
	snprintf(reason, PROBE_REASON_BYTES, "closed by the server, %s", stages[t->stage].waiting);
	return SMTP_BAD;
}
