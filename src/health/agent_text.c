/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As HAProxy reads it: words in any order, in upper or lower case, the rest of the line after a '#'
 * is for people. A word that is not known is passed over, so that an agent may say more to others
 * than fnat understands.
 */
#include "health/agent_text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static void say_up(struct agent_said *said)
{
	said->state = AGENT_UP;
}

static void say_down(struct agent_said *said)
{
	said->state = AGENT_DOWN;
}

static void say_ready(struct agent_said *said)
{
	said->order = PROBE_ORDER_READY;
}

static void say_drain(struct agent_said *said)
{
	said->order = PROBE_ORDER_DRAIN;
}

static void say_maint(struct agent_said *said)
{
	said->order = PROBE_ORDER_MAINT;
}

static const struct {
	const char *word;
	void (*say)(struct agent_said *said);
} words[] = {
	{ "up", say_up },       { "down", say_down },    { "fail", say_down },
	{ "failed", say_down }, { "stopped", say_down }, { "ready", say_ready },
	{ "drain", say_drain }, { "maint", say_maint },
};

/* Up to 4 digits, then nothing; -1: something else. */
static int number(const char *text, size_t len)
{
	int n = 0;

	if (len == 0 || len > 4)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -1;
		n = 10 * n + text[i] - '0';
	}
	return n;
}

/* A limit on connections is understood, but is the configuration's business. */
static bool is_maxconn(const char *word, size_t len)
{
	static const char prefix[] = "maxconn:";
	size_t n = sizeof(prefix) - 1;

	if (len <= n || strncasecmp(word, prefix, n) != 0)
		return false;
	while (n < len && isdigit((unsigned char)word[n]))
		n++;
	return n == len;
}

static bool take_word(struct agent_said *said, const char *word, size_t len)
{
	int percent = word[len - 1] == '%' ? number(word, len - 1) : -1;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (len == strlen(words[i].word) && strncasecmp(word, words[i].word, len) == 0) {
			words[i].say(said);
			return true;
		}
	}
	if (percent >= 0)
		said->percent = percent;
	return percent >= 0 || is_maxconn(word, len);
}

static bool is_between(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

size_t agent_take(struct agent_said *said, const char *line, size_t len,
		  char unknown[PROBE_REASON_BYTES])
{
	const char *comment = memchr(line, '#', len), *end = comment ? comment : line + len;
	size_t n_known = 0;

	*unknown = '\0';
	while (line < end) {
		size_t n = 0;

		while (line + n < end && !is_between(line[n]))
			n++;
		if (n > 0 && take_word(said, line, n)) {
			n_known++;
		} else if (n > 0 && !*unknown) {
			size_t copied = n < PROBE_REASON_BYTES ? n : PROBE_REASON_BYTES - 1;

			memcpy(unknown, line, copied);
			unknown[copied] = '\0';
		}
		line += n + (line + n < end);
	}
	return n_known;
}
