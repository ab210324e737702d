/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and kernel messages stand in what people and programs read: they must neither break JSON
 * nor play with a terminal. One byte becomes one byte, so that nothing needs to be allocated.
 */
#include "base/utf8.h"

#include <stddef.h>

/* Bytes of the UTF-8 character (RFC 3629) at s, 0 when there is none or it is a control. */
static size_t character_len(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] < 0x20 || s[0] == 0x7f || (s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* C1 controls; overlong forms; surrogates; beyond U+10FFFF */
	if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
	    (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return len;
}

char *utf8_clean(char *text)
{
	unsigned char *s = (unsigned char *)text;

	while (*s) {
		size_t len = character_len(s);

		if (len == 0)
			*s = '?';
		s += len ? len : 1;
	}
	return text;
}
