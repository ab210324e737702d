/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UTF-8 is decoded here instead of with mbrtowc(3): what the daemon says is UTF-8 whatever the
 * locale, and over ssh the locale is often "C". Only the width of a character is asked of the
 * locale, which answers 1 for all it does not know.
 */
#include "fnatctl/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/mem.h"

/* Length of the character at s (RFC 3629) and its code; 0 when it is not UTF-8. */
static size_t decode(const unsigned char *s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80             ? 1
		     : (s[0] & 0xe0) == 0xc0 ? 2
		     : (s[0] & 0xf0) == 0xe0 ? 3
		     : (s[0] & 0xf8) == 0xf0 ? 4
					     : 0;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (len == 0 || c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return len;
}

size_t text_width(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t width = 0;

	while (*p) {
		uint32_t code = 0;
		size_t len = decode(p, &code);
		int w = len ? wcwidth((wchar_t)code) : 1;

		width += w < 0 ? 1 : (size_t)w;
		p += len ? len : 1;
	}
	return width;
}

/* C0, DEL, C1, and what changes the direction of the text or is not seen. */
static int is_harmful(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

char *text_safe(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	char *out = mem_alloc(4 * strlen(s) + 1), *o = out;

	while (*p) {
		uint32_t code = 0;
		size_t len = decode(p, &code), n = len ? len : 1;

		if (len && !is_harmful(code)) {
			memcpy(o, p, len);
			o += len;
		} else {
			for (size_t i = 0; i < n; i++)
				o += sprintf(o, "\\x%02x", p[i]);
		}
		p += n;
	}
	*o = '\0';
	return out;
}

const char *text_count(unsigned long long n, const char *s, char buf[64])
{
	snprintf(buf, 64, "%llu %s%s", n, s, n == 1 ? "" : "s");
	return buf;
}

const char *text_duration(unsigned long long seconds, char buf[64])
{
	if (seconds < 60)
		snprintf(buf, 64, "%llu s", seconds);
	else if (seconds < 3600)
		snprintf(buf, 64, "%llu min %llu s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(buf, 64, "%llu h %llu min", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(buf, 64, "%llu d %llu h", seconds / 86400, seconds / 3600 % 24);
	return buf;
}
