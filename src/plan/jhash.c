/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bob Jenkins' lookup3 (public domain, http://burtleburtle.net/bob/c/lookup3.c) with the kernel's
 * initial value. A number from it is not the remainder but the high half of a product
 * (reciprocal_scale() in linux/kernel.h), which is what "mod" means to nft.
 */
#include "plan/jhash.h"

#include <string.h>

#define INITIAL 0xdeadbeefu
#define BLOCK   12

static uint32_t rotate(uint32_t word, unsigned int by)
{
	return word << by | word >> (32 - by);
}

static void mix(uint32_t s[3])
{
	static const uint8_t turns[] = { 4, 6, 8, 16, 19, 4 };

	for (unsigned int i = 0; i < sizeof(turns); i++) {
		uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];

		*a = (*a - *c) ^ rotate(*c, turns[i]);
		*c += *b;
	}
}

static void finish(uint32_t s[3])
{
	static const uint8_t turns[] = { 14, 11, 25, 16, 4, 14, 24 };

	for (unsigned int i = 0; i < sizeof(turns); i++) {
		uint32_t *to = &s[(i + 2) % 3], from = s[(i + 1) % 3];

		*to = (*to ^ from) - rotate(from, turns[i]);
	}
}

static void take(uint32_t s[3], const uint8_t *block)
{
	uint32_t words[3];

	memcpy(words, block, BLOCK);
	for (int i = 0; i < 3; i++)
		s[i] += words[i];
}

/* What is left is counted byte by byte, the first one lowest, on every machine. */
static void take_rest(uint32_t s[3], const uint8_t *rest, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s[i / 4] += (uint32_t)rest[i] << 8 * (i % 4);
}

uint32_t jhash(const void *key, size_t len, uint32_t seed)
{
	uint32_t start = INITIAL + (uint32_t)len + seed, s[3] = { start, start, start };
	const uint8_t *at = key;

	for (; len > BLOCK; len -= BLOCK, at += BLOCK) {
		take(s, at);
		mix(s);
	}
	take_rest(s, at, len);
	if (len > 0)
		finish(s);
	return s[2];
}

uint32_t jhash_mod(const void *key, size_t len, uint32_t modulus, uint32_t seed)
{
	return (uint32_t)((uint64_t)jhash(key, len, seed) * modulus >> 32);
}
