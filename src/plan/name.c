/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name is as long as the kernel allows at most; what is made here always fits, so that one that
 * does not is a bug.
 */
#include "plan/name.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct name_kind name_kinds[NAME_KINDS] = {
	{ PROGRAM_RR, "rr" },
	{ PROGRAM_RANDOM, "random" },
	{ PROGRAM_SH, "sh" },
	{ PROGRAM_MH, "mh" },
};

const char *name_of_kind(uint8_t kind)
{
	for (size_t i = 0; i < NAME_KINDS; i++)
		if (name_kinds[i].kind == kind)
			return name_kinds[i].word;
	return "?";
}

char name_family_digit(uint8_t family)
{
	return family == AF_INET6 ? '6' : '4';
}

uint8_t name_digit_family(char digit)
{
	return digit == '4' ? AF_INET : digit == '6' ? AF_INET6 : 0;
}

void name_add(struct name *n, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(n->buf + n->len, NFT_NAME_BYTES - n->len, fmt, args);
	va_end(args);
	assert(len >= 0 && n->len + (size_t)len < NFT_NAME_BYTES);
	n->len += (size_t)len;
}

unsigned long name_parse_number(const char **s, const char *word, unsigned long max)
{
	size_t len = strlen(word);
	unsigned long n;

	if (strncmp(*s, word, len) != 0 || (*s)[len] < '1' || (*s)[len] > '9')
		return 0;
	n = strtoul(*s + len, (char **)s, 10);
	return n <= max ? n : 0;
}

bool name_parse_word(const char **s, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*s, word, len) != 0)
		return false;
	*s += len;
	return true;
}

uint16_t name_parse_timeout(const char **s, const char *word)
{
	unsigned long n = name_parse_number(s, word, UINT16_MAX - 1);
	size_t len = strlen(word);

	if (n > 0)
		return PROGRAM_UDP_TIMEOUT(n);
	if (strncmp(*s, word, len) != 0 || (*s)[len] != '0')
		return 0;
	*s += len + 1;
	return PROGRAM_UDP_TIMEOUT(0);
}
