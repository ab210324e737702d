/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All listeners of a service share what is remembered, so an entry cannot say which port: it holds
 * the backend's address, with the port where backends have one of their own. That is decided for a
 * service as a whole, since one map has one kind of entry.
 */
#include "model/persistence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"
#include "model/put.h"
#include "model/reader.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define TIMEOUT_DEFAULT_S 300 /* IPVS */

static void read_u32(struct reader *r, const struct at *at, const json_t *value, json_int_t min,
		     json_int_t max, uint32_t *out)
{
	json_int_t n;

	if (read_integer(r, at, value, min, max, &n))
		*out = (uint32_t)n;
}

static void read_timeout(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_u32(r, at, value, 1, PERSISTENCE_TIMEOUT_MAX_S,
		 &((struct persistence *)out)->timeout_s);
}

static void read_max_entries(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_u32(r, at, value, PERSISTENCE_ENTRIES_MIN, PERSISTENCE_ENTRIES_MAX,
		 &((struct persistence *)out)->max_entries);
}

static void read_prefix4(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	uint32_t bits = ((struct persistence *)out)->prefix4;

	read_u32(r, at, value, 1, PERSISTENCE_PREFIX4_MAX, &bits);
	((struct persistence *)out)->prefix4 = (uint8_t)bits;
}

static void read_prefix6(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	uint32_t bits = ((struct persistence *)out)->prefix6;

	read_u32(r, at, value, 1, PERSISTENCE_PREFIX6_MAX, &bits);
	((struct persistence *)out)->prefix6 = (uint8_t)bits;
}

static void read_keep_draining(struct reader *r, const struct at *at, const json_t *value,
			       void *out)
{
	read_boolean(r, at, value, &((struct persistence *)out)->keep_draining);
}

static const struct field persistence_fields[] = {
	{ "timeout_s", false, read_timeout },
	{ "prefix4", false, read_prefix4 },
	{ "prefix6", false, read_prefix6 },
	{ "max_entries", false, read_max_entries },
	{ "keep_draining", false, read_keep_draining },
};

void persistence_read(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct persistence *p = &((struct service *)out)->persistence;

	*p = (struct persistence){
		.timeout_s = TIMEOUT_DEFAULT_S,
		.max_entries = PERSISTENCE_ENTRIES_DEFAULT,
		.prefix4 = PERSISTENCE_PREFIX4_MAX,
		.prefix6 = PERSISTENCE_PREFIX6_MAX,
	};
	read_object(r, at, value, persistence_fields, ARRAY_SIZE(persistence_fields), p);
}

/* "198.51.100.7", "198.51.100.0/24" */
static bool pin_parse(struct reader *r, const struct at *at, struct pin *pin)
{
	static const char expected[] = "a client's address, or a prefix (198.51.100.0/24)";
	const char *slash = strchr(at->key, '/');
	struct addr_range range;
	int rc = addr_range_parse(at->key, &range);

	if (rc == -EDOM) {
		problem(r, at, NULL, "expected a prefix without host bits");
		return false;
	}
	if (rc < 0 || strchr(at->key, '-')) {
		problem(r, at, NULL, "expected %s", expected);
		return false;
	}
	pin->client = range.lo;
	pin->bits = slash ? (uint8_t)atoi(slash + 1) : (uint8_t)(addr_len(range.lo.family) * 8);
	if (pin->bits > 0)
		return true;
	problem(r, at, NULL, "a prefix of 0 bits is every client: expected at least 1 bit");
	return false;
}

void pins_read(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct service *s = out;
	size_t n = json_object_size(value);
	const char *client, *backend;
	json_t *member;

	if (!json_is_object(value)) {
		problem(r, at, value, "expected an object of backends' names by client");
		return;
	}
	if (n > PINS_MAX) {
		problem(r, at, NULL, "%zu clients: expected at most %d", n, PINS_MAX);
		return;
	}
	s->pins = mem_calloc(n + 1, sizeof(*s->pins));
	json_object_foreach ((json_t *)value, client, member) {
		struct at at_client = at_member(at, client);
		struct pin pin = { .bits = 0 };

		if (!pin_parse(r, &at_client, &pin) ||
		    !read_string(r, &at_client, member, "the name of a backend", &backend))
			continue;
		pin.backend = (char *)backend;
		s->pins[s->n_pins++] = pin;
	}
}

static const struct backend *find_backend(const struct service *s, const char *name)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		if (strcmp(s->backends[i].name, name) == 0)
			return &s->backends[i];
	}
	return NULL;
}

static void pin_text(const struct pin *p, char text[ADDR_STRLEN + 4])
{
	char address[ADDR_STRLEN];

	addr_format(&p->client, address);
	if (p->bits == addr_len(p->client.family) * 8)
		snprintf(text, ADDR_STRLEN + 4, "%s", address);
	else
		snprintf(text, ADDR_STRLEN + 4, "%s/%u", address, p->bits);
}

static void check_pin(struct reader *r, const struct at *at, const struct service *s,
		      const struct pin *p)
{
	const struct backend *b = find_backend(s, p->backend);
	char text[ADDR_STRLEN + 4], name[READER_TEXT_BYTES];
	struct at at_pins = at_member(at, "pins");
	struct at at_pin;

	pin_text(p, text);
	at_pin = at_member(&at_pins, text);
	if (!b)
		problem_text(r, &at_pin, quote(p->backend, name),
			     "no such backend: name one of the service, or remove the pin");
	else if (b->address.family != AF_UNSPEC && b->address.family != p->client.family)
		problem_text(r, &at_pin, quote(p->backend, name),
			     "expected a backend with an %s address",
			     p->client.family == AF_INET ? "IPv4" : "IPv6");
}

static void check_pin_lengths(struct reader *r, const struct at *at, const struct service *s,
			      uint8_t family)
{
	struct at at_pins = at_member(at, "pins");
	bool is_used[129] = { false };
	unsigned int n = 0;

	for (size_t i = 0; i < s->n_pins; i++) {
		if (s->pins[i].client.family != family || is_used[s->pins[i].bits])
			continue;
		is_used[s->pins[i].bits] = true;
		n++;
	}
	if (n > PIN_LENGTHS_MAX)
		problem(r, &at_pins, NULL,
			"%s prefixes of %u different lengths: expected at most %d",
			family == AF_INET ? "IPv4" : "IPv6", n, PIN_LENGTHS_MAX);
}

static int pin_cmp(const void *a, const void *b)
{
	const struct pin *x = *(const struct pin *const *)a, *y = *(const struct pin *const *)b;
	int rc = addr_cmp(&x->client, &y->client);

	return rc ? rc : (x->bits > y->bits) - (x->bits < y->bits);
}

/* "10.0.0.1" and "10.0.0.1/32" are two keys of the document and one client. */
static void check_pins_differ(struct reader *r, const struct at *at, const struct service *s)
{
	const struct pin **sorted = mem_calloc(s->n_pins, sizeof(*sorted));
	struct at at_pins = at_member(at, "pins");
	char text[ADDR_STRLEN + 4];

	for (size_t i = 0; i < s->n_pins; i++)
		sorted[i] = &s->pins[i];
	qsort(sorted, s->n_pins, sizeof(*sorted), pin_cmp);
	for (size_t i = 1; i < s->n_pins; i++) {
		if (pin_cmp(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		pin_text(sorted[i], text);
		problem_text(r, &at_pins, text, "given twice");
	}
	free(sorted);
}

static void check_ports_alike(struct reader *r, const struct at *at, const struct service *s)
{
	for (size_t i = 1; i < s->n_backends; i++) {
		const struct backend *a = &s->backends[0], *b = &s->backends[i];
		struct at at_backends = at_member(at, "backends");
		struct at at_backend = at_object(&at_backends, "backend", b->name);
		struct at at_port = at_member(&at_backend, "port");
		char name[READER_TEXT_BYTES];

		if (a->address.family == AF_UNSPEC || b->address.family == AF_UNSPEC ||
		    (a->port == 0) == (b->port == 0))
			continue;
		problem(r, &at_port, NULL,
			"%s, and backend %s %s: with persistence or pins, "
			"expected all backends to have a port, or none",
			b->port ? "given" : "not given", quote(a->name, name),
			a->port ? "has one" : "has none");
		return;
	}
}

void persistence_check(struct reader *r, const struct at *at, const struct service *s)
{
	for (size_t i = 0; i < s->n_pins; i++)
		check_pin(r, at, s, &s->pins[i]);
	if (s->n_pins > 0) {
		check_pin_lengths(r, at, s, AF_INET);
		check_pin_lengths(r, at, s, AF_INET6);
		check_pins_differ(r, at, s);
	}
	if (s->n_pins > 0 || s->persistence.timeout_s > 0)
		check_ports_alike(r, at, s);
}

json_t *persistence_to_json(const struct persistence *p)
{
	json_t *object = json_object();

	put(object, "timeout_s", json_integer(p->timeout_s));
	put(object, "prefix4", json_integer(p->prefix4));
	put(object, "prefix6", json_integer(p->prefix6));
	put(object, "max_entries", json_integer(p->max_entries));
	put(object, "keep_draining", json_boolean(p->keep_draining));
	return object;
}

json_t *pins_to_json(const struct service *s)
{
	json_t *object = json_object();

	for (size_t i = 0; i < s->n_pins; i++) {
		char text[ADDR_STRLEN + 4];

		pin_text(&s->pins[i], text);
		put(object, text, json_string_nocheck(s->pins[i].backend));
	}
	return object;
}

bool persistence_equal(const struct service *a, const struct service *b)
{
	const struct persistence *p = &a->persistence, *q = &b->persistence;

	if (p->timeout_s != q->timeout_s || p->max_entries != q->max_entries ||
	    p->prefix4 != q->prefix4 || p->prefix6 != q->prefix6 ||
	    p->keep_draining != q->keep_draining || a->n_pins != b->n_pins)
		return false;
	for (size_t i = 0; i < a->n_pins; i++) {
		if (a->pins[i].bits != b->pins[i].bits ||
		    addr_cmp(&a->pins[i].client, &b->pins[i].client) != 0 ||
		    strcmp(a->pins[i].backend, b->pins[i].backend) != 0)
			return false;
	}
	return true;
}
