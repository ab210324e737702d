/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The begin of a conversation with an SMTP server (RFC 5321): its greeting, EHLO, or HELO where it
 * does not know that, and QUIT. Pure: lines go in, what to say next comes out.
 */
#ifndef FNAT_HEALTH_SMTP_TEXT_H
#define FNAT_HEALTH_SMTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "health/probe.h"

/* A reply has no more lines. */
#define SMTP_LINES_MAX 128

enum smtp_stage { SMTP_GREETING, SMTP_EHLO, SMTP_HELO, SMTP_QUIT };

/* All zero: it waits for the greeting. */
struct smtp_talk {
	enum smtp_stage stage;
	unsigned int n_lines;           /* of the reply that is being read */
	char found[PROBE_REASON_BYTES]; /* what the server said to the greeting's question */
};

enum smtp_next {
	SMTP_WAIT, /* for more */
	SMTP_SAY,  /* smtp_command() */
	SMTP_WELL, /* it is over, and all was well */
	SMTP_BAD,  /* reason says why */
};

/* Length of the first line, with its end; 0: it is not complete. */
size_t smtp_line(const char *data, size_t len);

/* The next line; with its end or without. */
enum smtp_next smtp_take(struct smtp_talk *t, const char *line, size_t len,
			 char reason[PROBE_REASON_BYTES]);

/* The server closed the connection. */
enum smtp_next smtp_end(const struct smtp_talk *t, char reason[PROBE_REASON_BYTES]);

/* What is to be said: "EHLO name\r\n", ...; the length. */
#define SMTP_COMMAND_BYTES 300
size_t smtp_command(const struct smtp_talk *t, const char *name, char out[SMTP_COMMAND_BYTES]);

/* What it waits for, in words. */
const char *smtp_stage_text(const struct smtp_talk *t);

#endif
