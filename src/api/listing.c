/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document is one or two sections ("pools", "services"), each an array of
 * objects by name. The cursor (section, i) goes on by one object at a time until a piece
 * is long enough.
 */
#include "api/listing.h"

#include <stdlib.h>
#include <string.h>

#include "api/health_json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "model/json.h"

/* A piece ends with whichever comes first: a service whose text is at hand takes no time, others
 * do. */
#define PIECE_BYTES (32u << 10)
#define PIECE_US    500

struct section {
	const char *open, *close; /* around the objects */
	size_t n;
	const struct service **services; /* one of the two */
	const struct pool **pools;
	struct health *health; /* of the services their health, not their configuration */
};

struct listing_stream {
	struct section sections[2];
	size_t n_sections;
	size_t section, i; /* next to be written */
	bool is_first;     /* of its section */
	char *piece;
	size_t len, cap;
};

static void put(struct listing_stream *l, const char *s, size_t len)
{
	if (l->len + len > l->cap) {
		l->cap = 2 * (l->len + len);
		l->piece = mem_realloc(l->piece, l->cap, 1);
	}
	memcpy(l->piece + l->len, s, len);
	l->len += len;
}

static void put_text(struct listing_stream *l, const char *s)
{
	put(l, s, strlen(s));
}

static int put_cb(const char *s, size_t len, void *arg)
{
	put(arg, s, len);
	return 0;
}

/* Names need no escapes: name_check(). */
static void put_name(struct listing_stream *l, const char *name)
{
	put_text(l, l->is_first ? "\"" : ",\"");
	l->is_first = false;
	put_text(l, name);
	put_text(l, "\":");
}

static void put_object(struct listing_stream *l, const char *name, json_t *value)
{
	put_name(l, name);
	json_dump_callback(value, put_cb, l, JSON_COMPACT);
	json_decref(value);
}

static void put_service(struct listing_stream *l, const struct service *s)
{
	put_name(l, s->name);
	put_text(l, service_text(s));
}

/* One step; false after the last. */
static bool step(struct listing_stream *l)
{
	struct section *s = &l->sections[l->section];

	if (l->section == l->n_sections)
		return false;
	if (l->i == 0) {
		put_text(l, s->open);
		l->is_first = true;
	}
	if (l->i == s->n) {
		put_text(l, s->close);
		l->section++;
		l->i = 0;
		return true;
	}
	if (s->health && s->services[l->i]->check)
		put_object(l, s->services[l->i]->name,
			   health_to_json(s->health, s->services[l->i]));
	else if (s->services && !s->health)
		put_service(l, s->services[l->i]);
	else if (s->pools)
		put_object(l, s->pools[l->i]->name, pool_to_json(s->pools[l->i]));
	l->i++;
	return true;
}

static void more(struct http_request *req, void *arg)
{
	struct listing_stream *l = arg;
	uint64_t until_us = clock_mono_us() + PIECE_US;
	bool is_more = true;

	while (l->len < PIECE_BYTES && is_more && clock_mono_us() < until_us)
		is_more = step(l);
	http_reply_chunk(req, l->piece, l->len);
	l->len = 0;
	if (!is_more)
		http_reply_end(req);
}

static void section_free(struct section *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->services)
			service_unref(s->services[i]);
		else
			pool_unref(s->pools[i]);
	}
	free(s->services);
	free(s->pools);
}

static void done(void *arg)
{
	struct listing_stream *l = arg;

	for (size_t i = 0; i < l->n_sections; i++)
		section_free(&l->sections[i]);
	free(l->piece);
	free(l);
}

static const struct http_stream stream = { more, done };

static struct section *add_section(struct listing_stream *l, const char *open, const char *close)
{
	struct section *s = &l->sections[l->n_sections++];

	s->open = open;
	s->close = close;
	return s;
}

static struct section *add_services(struct listing_stream *l, const struct model *m,
				    const char *open, const char *close)
{
	struct section *s = add_section(l, open, close);

	s->services = model_services(m, &s->n);
	return s;
}

static void add_pools(struct listing_stream *l, const struct model *m, const char *open,
		      const char *close)
{
	struct section *s = add_section(l, open, close);

	s->pools = model_pools(m, &s->n);
}

void listing_answer(struct call *c, enum listing what)
{
	const struct model *m = engine_model(c->engine);
	struct listing_stream *l;

	if (what != LISTING_HEALTH && call_answered_unchanged(c))
		return;
	l = mem_zalloc(sizeof(*l));
	switch (what) {
	case LISTING_CONFIG:
		add_pools(l, m, "{\"pools\":{", "}");
		add_services(l, m, ",\"services\":{", "}}");
		break;
	case LISTING_SERVICES:
		add_services(l, m, "{", "}");
		break;
	case LISTING_POOLS:
		add_pools(l, m, "{", "}");
		break;
	case LISTING_HEALTH:
		add_services(l, m, "{", "}")->health = c->health;
		break;
	}
	call_answer_stream(c, JSON_TYPE, &stream, l);
}
