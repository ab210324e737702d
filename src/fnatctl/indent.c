/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration of 10,000 services is seven megabytes: to parse it and to write it again takes
 * a second and a hundred megabytes, to count brackets neither.
 */
#include "fnatctl/indent.h"

static void begin_line(const struct indent *i)
{
	fprintf(i->out, "\n%*s", 2 * (int)i->depth, "");
}

static void begin_value(struct indent *i)
{
	if (i->is_open)
		begin_line(i);
	i->is_open = false;
}

static void take_in_text(struct indent *i, char c)
{
	putc_unlocked(c, i->out);
	if (i->is_escaped)
		i->is_escaped = false;
	else if (c == '\\')
		i->is_escaped = true;
	else if (c == '"')
		i->is_text = false;
}

static void end_value(struct indent *i, char c)
{
	i->depth -= i->depth > 0;
	if (!i->is_open)
		begin_line(i);
	i->is_open = false;
	putc_unlocked(c, i->out);
}

static void take_outside(struct indent *i, char c)
{
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		break;
	case '{':
	case '[':
		begin_value(i);
		putc_unlocked(c, i->out);
		i->depth++;
		i->is_open = true;
		break;
	case '}':
	case ']':
		end_value(i, c);
		break;
	case ',':
		putc_unlocked(c, i->out);
		begin_line(i);
		break;
	case ':':
		fputs(": ", i->out);
		break;
	default:
		begin_value(i);
		i->is_text = c == '"';
		putc_unlocked(c, i->out);
	}
}

void indent_take(struct indent *i, const char *text, size_t len)
{
	for (size_t k = 0; k < len; k++) {
		if (i->is_text)
			take_in_text(i, text[k]);
		else
			take_outside(i, text[k]);
	}
}
