/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shown where it says something: a service that does not hash has the defaults, which would only be
 * in the way of who reads it.
 */
#include "model/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/put.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const hash_keys[] = {
	[HASH_SOURCE] = "source",
	[HASH_SOURCE_PORT] = "source_port",
	[HASH_FIVE_TUPLE] = "five_tuple",
};

const struct hash hash_default = {
	.key = HASH_SOURCE,
	.prefix4 = HASH_PREFIX4_MAX,
	.prefix6 = HASH_PREFIX6_MAX,
};

static void read_hash_key(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	static const char expected[] = "\"source\", \"source_port\" or \"five_tuple\"";
	const char *text;

	if (!read_string(r, at, value, expected, &text))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(hash_keys); i++) {
		if (strcmp(hash_keys[i], text) == 0) {
			((struct hash *)out)->key = (enum hash_key)i;
			return;
		}
	}
	problem(r, at, value, "expected %s", expected);
}

static void read_hash_prefix4(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t bits;

	if (read_integer(r, at, value, 1, HASH_PREFIX4_MAX, &bits))
		((struct hash *)out)->prefix4 = (uint8_t)bits;
}

static void read_hash_prefix6(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t bits;

	if (read_integer(r, at, value, 1, HASH_PREFIX6_MAX, &bits))
		((struct hash *)out)->prefix6 = (uint8_t)bits;
}

static void read_hash_table_size(struct reader *r, const struct at *at, const json_t *value,
				 void *out)
{
	char expected[128] = "one of";
	size_t n = strlen(expected);
	uint32_t size;

	for (size_t i = 0; (size = hash_table_size(i)) && n < sizeof(expected); i++) {
		if (json_is_integer(value) && json_integer_value(value) == size) {
			((struct hash *)out)->table_size = size;
			return;
		}
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%s %" PRIu32,
				      i ? "," : "", size);
	}
	problem(r, at, value, "expected %s", expected);
}

static const struct field hash_fields[] = {
	{ "key", false, read_hash_key },
	{ "prefix4", false, read_hash_prefix4 },
	{ "prefix6", false, read_hash_prefix6 },
	{ "table_size", false, read_hash_table_size },
};

void read_hash(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_object(r, at, value, hash_fields, ARRAY_SIZE(hash_fields),
		    &((struct service *)out)->hash);
}

void check_hash(struct reader *r, const struct at *at, const struct service *s)
{
	struct at at_hash = at_member(at, "hash"), at_size = at_member(&at_hash, "table_size");
	char found[16];

	if (s->hash.table_size == 0 || s->n_backends <= s->hash.table_size)
		return;
	snprintf(found, sizeof(found), "%" PRIu32, s->hash.table_size);
	problem_text(r, &at_size, found, "expected no less than the %zu backends", s->n_backends);
}

static json_t *hash_to_json(const struct hash *h)
{
	json_t *object = checked(json_object());

	put(object, "key", json_string_nocheck(hash_keys[h->key]));
	put(object, "prefix4", json_integer(h->prefix4));
	put(object, "prefix6", json_integer(h->prefix6));
	if (h->table_size) /* else by the number of backends: no number says that */
		put(object, "table_size", json_integer(h->table_size));
	return object;
}

/* Does it say something? It stays while another scheduler is tried. */
static bool shows_hash(const struct service *s)
{
	return scheduler_hashes(s->scheduler) || s->hash.key != hash_default.key ||
	       s->hash.prefix4 != hash_default.prefix4 || s->hash.prefix6 != hash_default.prefix6 ||
	       s->hash.table_size != hash_default.table_size;
}

void put_hash(json_t *object, const struct service *s)
{
	if (shows_hash(s))
		put(object, "hash", hash_to_json(&s->hash));
}
