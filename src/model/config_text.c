/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration of 100,000 services is 70 MB of text and 900 MB of jansson's values, most of the
 * time spent on memory that is touched once. So a document is taken apart by its outline: only
 * the two outer levels are scanned here, and each service becomes a jansson value by itself,
 * which is read and freed before the next one. The scanner knows just enough for the usual text;
 * whatever surprises it, and every mistake, is left to the plain way, which tells what is wrong and
 * where.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"
#include "model/reader.h"

struct cursor {
	const char *p, *end;
};

struct span {
	const char *text;
	size_t len;
};

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

/* The next token is this one: step over it. */
static bool take(struct cursor *c, char token)
{
	skip_space(c);
	if (c->p == c->end || *c->p != token)
		return false;
	c->p++;
	return true;
}

/* A key as a NUL-terminated name. False for one with escapes, and for one that is no name. */
static bool take_key(struct cursor *c, char key[MODEL_NAME_MAX + 1])
{
	size_t n;

	if (!take(c, '"'))
		return false;
	for (n = 0; c->p < c->end && *c->p != '"'; c->p++) {
		if (n == MODEL_NAME_MAX || *c->p == '\\' || (signed char)*c->p < 0x20)
			return false;
		key[n++] = *c->p;
	}
	key[n] = '\0';
	return take(c, '"') && take(c, ':');
}

/* Behind the opening quote: to behind the closing one. */
static bool skip_string(struct cursor *c)
{
	for (; c->p < c->end; c->p++) {
		if (*c->p == '"') {
			c->p++;
			return true;
		}
		if (*c->p == '\\' && ++c->p == c->end)
			break;
	}
	return false;
}

/* An object from brace to brace. What is between is jansson's to judge. */
static bool take_object(struct cursor *c, struct span *out)
{
	size_t depth = 0;

	skip_space(c);
	out->text = c->p;
	if (c->p == c->end || *c->p != '{')
		return false;
	while (c->p < c->end) {
		char ch = *c->p++;

		if (ch == '"') {
			if (!skip_string(c))
				return false;
		} else if (ch == '{' || ch == '[') {
			depth++;
		} else if ((ch == '}' || ch == ']') && --depth == 0) {
			out->len = (size_t)(c->p - out->text);
			return true;
		}
	}
	return false;
}

typedef bool member_fn(struct cursor *c, const char *key, void *arg);

/* { "key": VALUE, ... }: member() takes each VALUE. */
static bool take_members(struct cursor *c, member_fn *member, void *arg)
{
	char key[MODEL_NAME_MAX + 1];

	if (!take(c, '{'))
		return false;
	if (take(c, '}'))
		return true;
	do {
		if (!take_key(c, key) || !member(c, key, arg))
			return false;
	} while (take(c, ','));
	return take(c, '}');
}

struct config_build {
	struct config *config;
	struct reader reader;
	struct at root;
	size_t services_cap, pools_cap;
	bool has_services, has_pools;
};

/* An object as a value, to be freed. NULL: not an object, or not JSON. */
static json_t *take_value(struct cursor *c, struct err *err)
{
	struct span span;

	return take_object(c, &span) ? json_parse(span.text, span.len, err) : NULL;
}

static bool take_service(struct cursor *c, const char *key, void *arg)
{
	struct config_build *b = arg;
	struct at at_services = at_member(&b->root, "services");
	struct at at = at_object(&at_services, "service", key);
	const struct service *s = NULL;
	json_t *value = take_value(c, b->reader.err);

	if (value)
		s = service_read(&b->reader, &at, value);
	json_decref(value);
	if (s)
		VEC_PUSH(b->config->services, b->config->n_services, b->services_cap) = s;
	return s;
}

static bool take_pool(struct cursor *c, const char *key, void *arg)
{
	struct config_build *b = arg;
	struct at at_pools = at_member(&b->root, "pools");
	struct at at = at_object(&at_pools, "pool", key);
	const struct pool *p = NULL;
	json_t *value = take_value(c, b->reader.err);

	if (value)
		p = pool_read(&b->reader, &at, value);
	json_decref(value);
	if (p)
		VEC_PUSH(b->config->pools, b->config->n_pools, b->pools_cap) = p;
	return p;
}

static bool take_section(struct cursor *c, const char *key, void *arg)
{
	struct config_build *b = arg;

	if (strcmp(key, "services") == 0 && !b->has_services) {
		b->has_services = true;
		return take_members(c, take_service, b);
	}
	if (strcmp(key, "pools") == 0 && !b->has_pools) {
		b->has_pools = true;
		return take_members(c, take_pool, b);
	}
	return false;
}

static bool names_differ(const struct config *c)
{
	for (size_t i = 1; i < c->n_services; i++) {
		if (strcmp(c->services[i - 1]->name, c->services[i]->name) == 0)
			return false;
	}
	for (size_t i = 1; i < c->n_pools; i++) {
		if (strcmp(c->pools[i - 1]->name, c->pools[i]->name) == 0)
			return false;
	}
	return true;
}

static bool parse_by_outline(const char *text, size_t len, struct config *out)
{
	struct cursor cursor = { text, text + len };
	struct err err = ERR_INIT; /* forgotten: the plain way finds it again */
	struct config_build b = {
		.config = out,
		.reader = { .err = &err },
		.root = { .pointer = "", .what = "document" },
	};
	bool ok = take_members(&cursor, take_section, &b);

	skip_space(&cursor);
	err_fini(&err);
	if (ok && cursor.p == cursor.end) {
		config_sort(out);
		if (names_differ(out))
			return true;
	}
	config_fini(out);
	return false;
}

int config_parse(const char *text, size_t len, struct config *out, struct err *err)
{
	json_t *value;
	int rc;

	*out = (struct config){ 0 };
	if (parse_by_outline(text, len, out))
		return 0;
	value = json_parse(text, len, err);
	if (!value)
		return -EINVAL;
	rc = config_from_json(value, out, err);
	json_decref(value);
	return rc;
}
