/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document is built as JSON, not as the model's values, because that is what it becomes; the
 * rules that the model would check at the end are kept while it grows, where the place in the input
 * is known. fnatd --check and the fuzzer hold the two to each other.
 *
 * FULLNAT needs addresses of its own, which none of the other systems has. Without --pool the
 * document gets addresses that are reserved for documentation, and a note: it can be read, compared
 * and checked, but nobody can take it for one that works.
 */
#include "fnatctl/import.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/model.h"

#define POOL_NAME    "local"
#define PLACEHOLDER4 "192.0.2.254"      /* RFC 5737 */
#define PLACEHOLDER6 "2001:db8::ffff:1" /* RFC 3849 */

static json_t *checked(json_t *value)
{
	if (!value)
		abort(); /* out of memory, as in mem.c: every text here is ASCII */
	return value;
}

static void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new_nocheck(object, key, checked(value));
}

/* --- notes --------------------------------------------------------------------------------- */

const char *import_file(struct import *im, const char *name)
{
	for (size_t i = 0; i < im->n_files; i++)
		if (!strcmp(im->files[i], name))
			return im->files[i];
	VEC_PUSH(im->files, im->n_files, im->cap_files) = mem_strdup(name);
	return im->files[im->n_files - 1];
}

static void note(struct import *im, struct import_place at, char *text)
{
	if (im->n_notes < IMPORT_NOTES_MAX) {
		VEC_PUSH(im->notes, im->n_notes, im->cap_notes) = (struct import_note){ at, text };
		return;
	}
	im->n_dropped++;
	free(text);
}

static char *__attribute__((format(printf, 1, 0))) format(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		abort(); /* as in mem.c */
	return text;
}

void import_note(struct import *im, struct import_place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(im, at, format(fmt, ap));
	va_end(ap);
}

void import_note_service(struct import *im, struct import_place at, const struct import_service *s,
			 const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	note(im, at, mem_printf("service \"%s\": %s", s->name, text));
	free(text);
}

bool import_number(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;

	for (const char *s = text; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return false;
		value = value * 10 + (uint64_t)(*s - '0');
		if (value > max)
			return false;
	}
	if (!*text)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* --- names --------------------------------------------------------------------------------- */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What names may have of it, "-" for the rest; numbered when it is taken. */
static char *unused_name(const json_t *taken, const char *wanted, const char *otherwise)
{
	char name[MODEL_NAME_MAX + 1], numbered[MODEL_NAME_MAX + 1];
	size_t n = 0;

	for (const char *s = wanted; *s && n < MODEL_NAME_MAX; s++) {
		if (is_alnum(*s))
			name[n++] = *s;
		else if (n > 0)
			name[n++] = strchr("._-", *s) ? *s : '-';
	}
	name[n] = '\0';
	if (n == 0)
		snprintf(name, sizeof(name), "%s", otherwise);
	if (!json_object_get(taken, name))
		return mem_strdup(name);
	for (unsigned int i = 2;; i++) {
		snprintf(numbered, sizeof(numbered), "%.*s-%u", MODEL_NAME_MAX - 11, name, i);
		if (!json_object_get(taken, numbered))
			return mem_strdup(numbered);
	}
}

/* --- services ------------------------------------------------------------------------------ */

struct import_service *import_service(struct import *im, struct import_place at, const char *wanted)
{
	struct import_service *s;

	im->names = im->names ? im->names : checked(json_object());
	VEC_PUSH(im->services, im->n_services, im->cap_services) = (struct import_service){
		.name = unused_name(im->names, wanted, "service"),
		.at = at,
		.value = checked(json_object()),
		.targets = checked(json_object()),
	};
	s = &im->services[im->n_services - 1];
	put(im->names, s->name, json_true());
	put(s->value, "listeners", json_array());
	put(s->value, "pool", json_string_nocheck(POOL_NAME));
	put(s->value, "backends", json_object());
	return s;
}

struct import_service *import_service_at(struct import *im, struct import_place at,
					 const struct addr *a, uint8_t protocol, uint16_t port)
{
	char text[ADDR_STRLEN], *wanted;
	struct import_service *s;

	wanted = mem_printf("%s-%u-%s", addr_format(a, text), port, protocol_name(protocol));
	s = import_service(im, at, wanted);
	free(wanted);
	return s;
}

static json_t *address_to_json(const struct addr *a)
{
	char text[ADDR_STRLEN];

	return json_string_nocheck(addr_format(a, text));
}

/* What the model takes as the address of a host. */
static bool is_host(const struct addr *a)
{
	return addr_is_unicast(a) && !addr_is_v4_mapped(a);
}

static bool is_listener_possible(struct import *im, struct import_place at,
				 const struct import_service *s, const struct listener *l,
				 const char *text)
{
	const char *other = json_string_value(json_object_get(im->listeners, text));

	if (!is_host(&l->address))
		import_note_service(im, at, s, "listener %s: not an address of a host", text);
	else if (l->port == 0)
		import_note_service(im, at, s, "listener %s: all ports are not carried over", text);
	else if (other)
		import_note_service(im, at, s, "listener %s: service \"%s\" has it already", text,
				    other);
	else if (json_array_size(json_object_get(s->value, "listeners")) >= MODEL_LISTENERS_MAX)
		import_note_service(im, at, s, "listener %s: more than %d listeners", text,
				    MODEL_LISTENERS_MAX);
	else
		return true;
	return false;
}

void import_listener(struct import *im, struct import_place at, struct import_service *s,
		     const struct addr *a, uint8_t protocol, uint16_t port)
{
	struct listener l = { .address = *a, .protocol = protocol, .port = port };
	char text[LISTENER_STRLEN];
	json_t *object;

	im->listeners = im->listeners ? im->listeners : checked(json_object());
	listener_format(&l, text);
	if (!is_listener_possible(im, at, s, &l, text))
		return;
	object = checked(json_object());
	put(object, "address", address_to_json(a));
	put(object, "protocol", json_string_nocheck(protocol_name(protocol)));
	put(object, "port", json_integer(port));
	json_array_append_new(json_object_get(s->value, "listeners"), object);
	put(im->listeners, text, json_string_nocheck(s->name));
}

bool import_backend(struct import *im, struct import_place at, struct import_service *s,
		    const struct import_backend *b)
{
	json_t *backends = json_object_get(s->value, "backends"), *object;
	char text[ADDR_STRLEN], target[ADDR_STRLEN + 16], *name;

	addr_format(&b->address, text);
	snprintf(target, sizeof(target), "%s port %u", text, b->port);
	if (!is_host(&b->address))
		import_note_service(im, at, s, "backend %s: not an address of a host", text);
	else if (json_object_get(s->targets, target))
		import_note_service(im, at, s, "backend %s: is there already", target);
	else if (json_object_size(backends) >= MODEL_BACKENDS_MAX)
		import_note_service(im, at, s, "backend %s: more than %d backends", target,
				    MODEL_BACKENDS_MAX);
	else {
		name = unused_name(backends, b->name ? b->name : text, "backend");
		object = checked(json_object());
		put(object, "address", address_to_json(&b->address));
		if (b->port)
			put(object, "port", json_integer(b->port));
		put(object, "weight", json_integer(b->weight));
		if (b->max_connections)
			put(object, "max_connections", json_integer(b->max_connections));
		if (b->max_connections && b->min_connections)
			put(object, "min_connections", json_integer(b->min_connections));
		if (b->priority)
			put(object, "priority", json_integer(b->priority));
		if (b->is_sorry)
			put(object, "sorry", json_true());
		if (b->is_disabled)
			put(object, "state", json_string_nocheck("disabled"));
		put(backends, name, object);
		put(s->targets, target, json_true());
		free(name);
		return true;
	}
	return false;
}

/* --- schedulers ---------------------------------------------------------------------------- */

/* The nearest that fnat has, for those that it has not. */
static const struct {
	const char *name, *instead, *why;
} substitutes[] = {
	{ "lblc", "wlc", "without regard to the destination" },
	{ "lblcr", "wlc", "without regard to the destination" },
	{ "dh", "wrr", "a listener's address is the only destination there is" },
};

void import_hash_key(struct import_service *s, const char *key)
{
	json_t *hash = checked(json_object());

	put(hash, "key", json_string_nocheck(key));
	put(s->value, "hash", hash);
}

static void read_flags(struct import *im, struct import_place at, struct import_service *s,
		       const char *flags)
{
	char *copy = mem_strdup(flags), *rest = copy, *flag;

	while ((flag = strsep(&rest, ","))) {
		if (!strcmp(flag, "sh-port") || !strcmp(flag, "mh-port") || !strcmp(flag, "flag-2"))
			import_hash_key(s, "source_port");
		else if (strcmp(flag, "sh-fallback") != 0 && strcmp(flag, "mh-fallback") != 0 &&
			 strcmp(flag, "flag-1") != 0) /* fnat always moves on */
			import_note_service(im, at, s, "scheduler flag \"%s\": there is none",
					    flag);
	}
	free(copy);
}

static void set_scheduler(struct import *im, struct import_place at, struct import_service *s,
			  const char *name)
{
	const char *same = scheduler_canonical(name);

	for (size_t i = 0; !same && i < sizeof(substitutes) / sizeof(*substitutes); i++) {
		if (strcmp(substitutes[i].name, name) != 0)
			continue;
		same = substitutes[i].instead;
		import_note_service(im, at, s, "scheduler \"%s\": %s instead: %s", name, same,
				    substitutes[i].why);
	}
	if (!same) {
		same = SCHEDULER_DEFAULT;
		import_note_service(im, at, s, "scheduler \"%s\": unknown: %s instead", name, same);
	}
	put(s->value, "scheduler", json_string_nocheck(same));
}

void import_scheduler(struct import *im, struct import_place at, struct import_service *s,
		      const char *name, const char *flags)
{
	set_scheduler(im, at, s, name);
	if (flags)
		read_flags(im, at, s, flags);
}

void import_rerouted(struct import *im, struct import_place at, struct import_service *s,
		     const char *how)
{
	if (!s->is_rerouted)
		import_note_service(im, at, s,
				    "%s: becomes FULLNAT: backends see the pool's addresses, are "
				    "connected to at "
				    "their own, and answer through this machine",
				    how);
	s->is_rerouted = true;
}

/* --- what else a service has --------------------------------------------------------------- */

void import_set(struct import_service *s, const char *field, json_t *value)
{
	put(s->value, field, value);
}

/* --- pools --------------------------------------------------------------------------------- */

void import_pool(struct import *im, struct import_place at, struct import_service *s,
		 const struct addr *a)
{
	char text[ADDR_STRLEN], name[ADDR_STRLEN + 8];
	json_t *pool, *list;

	im->pools = im->pools ? im->pools : checked(json_object());
	snprintf(name, sizeof(name), "from-%s", addr_format(a, text));
	for (char *c = name; *c; c++)
		*c = (char)(*c == ':' ? '-' : *c);
	if (!is_host(a) || (!json_object_get(im->pools, name) &&
			    json_object_size(im->pools) >= MODEL_POOLS_MAX - 1)) {
		import_note_service(im, at, s, "source address %s: cannot be a pool", text);
		return;
	}
	if (!json_object_get(im->pools, name)) {
		pool = checked(json_object());
		list = checked(json_array());
		json_array_append_new(list, checked(address_to_json(a)));
		put(pool, "addresses", list);
		put(im->pools, name, pool);
	}
	put(s->value, "pool", json_string_nocheck(name));
}

static uint8_t family_of(const json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "address"));

	return text && strchr(text, ':') ? AF_INET6 : AF_INET;
}

static bool has_backend_of(const json_t *service, uint8_t family)
{
	json_t *backends = json_object_get(service, "backends"), *b;
	const char *name;

	if (json_object_size(backends) == 0)
		return true; /* refuses all, in either family */
	json_object_foreach (backends, name, b) {
		if (family_of(b) == family)
			return true;
	}
	return false;
}

static bool has_address_of(const json_t *addresses, uint8_t family)
{
	struct addr_range range;
	json_t *item;
	size_t i;

	json_array_foreach (addresses, i, item) {
		const char *text = json_string_value(item);

		if (text && addr_range_parse(text, &range) == 0 && range.lo.family == family)
			return true;
	}
	return false;
}

/* The addresses of the service's pool; NULL for those of a placeholder, which has all families. */
static const json_t *pool_of(const struct import *im, const struct import_service *s)
{
	const char *name = json_string_value(json_object_get(s->value, "pool"));

	if (name && strcmp(name, POOL_NAME) != 0)
		return json_object_get(json_object_get(im->pools, name), "addresses");
	return im->pool;
}

/* Takes away the listeners of families that the service cannot serve. */
static void keep_families(struct import *im, struct import_service *s, bool needs[2])
{
	json_t *listeners = json_object_get(s->value, "listeners");
	const json_t *addresses = pool_of(im, s);
	size_t i = 0;

	while (i < json_array_size(listeners)) {
		const json_t *l = json_array_get(listeners, i);
		const char *address = json_string_value(json_object_get(l, "address"));
		uint8_t family = family_of(l);
		const char *missing = !has_backend_of(s->value, family)
					      ? "no backend has an address"
				      : addresses && !has_address_of(addresses, family)
					      ? "its pool has no address"
					      : NULL;

		if (!missing) {
			needs[family == AF_INET6] |= addresses == im->pool;
			i++;
			continue;
		}
		import_note_service(
			im, s->at, s, "listener %s, port %lld: %s of its family", address,
			(long long)json_integer_value(json_object_get(l, "port")), missing);
		json_array_remove(listeners, i);
	}
}

/* --- the document -------------------------------------------------------------------------- */

static json_t *placeholder_pool(struct import *im, const bool needs[2])
{
	static const char *const texts[] = { PLACEHOLDER4, PLACEHOLDER6 };
	struct import_place at = { NULL, 0 };
	json_t *list = checked(json_array());

	for (size_t i = 0; i < 2; i++) {
		if (!needs[i])
			continue;
		json_array_append_new(list, checked(json_string_nocheck(texts[i])));
		import_note(im, at,
			    "pool \"" POOL_NAME "\": %s stands for the local addresses that "
			    "FULLNAT needs: give yours with --pool",
			    texts[i]);
	}
	return list;
}

static void add_pools(struct import *im, json_t *pools, const bool needs[2])
{
	json_t *pool;
	const char *name;

	json_object_foreach (im->pools, name, pool) {
		json_object_set_nocheck(pools, name, pool);
	}
	if (!needs[0] && !needs[1])
		return;
	pool = checked(json_object());
	put(pool, "addresses", im->pool ? json_deep_copy(im->pool) : placeholder_pool(im, needs));
	put(pools, POOL_NAME, pool);
}

json_t *import_finish(struct import *im)
{
	json_t *document = checked(json_object()), *pools = checked(json_object());
	json_t *services = checked(json_object());
	bool needs[2] = { false, false };

	for (size_t i = 0; i < im->n_services; i++) {
		struct import_service *s = &im->services[i];

		import_settle(im, s);
		keep_families(im, s, needs);
		if (json_array_size(json_object_get(s->value, "listeners")) > 0) {
			json_object_set_nocheck(services, s->name, s->value);
			continue;
		}
		import_note_service(im, s->at, s, "left out: it has no listener");
	}
	add_pools(im, pools, needs);
	put(document, "pools", pools);
	put(document, "services", services);
	return document;
}

void import_fini(struct import *im)
{
	for (size_t i = 0; i < im->n_services; i++) {
		free(im->services[i].name);
		json_decref(im->services[i].value);
		json_decref(im->services[i].targets);
	}
	for (size_t i = 0; i < im->n_notes; i++)
		free(im->notes[i].text);
	for (size_t i = 0; i < im->n_files; i++)
		free(im->files[i]);
	free(im->services);
	free(im->notes);
	free(im->files);
	json_decref(im->names);
	json_decref(im->listeners);
	json_decref(im->pools);
	*im = (struct import){ 0 };
}
