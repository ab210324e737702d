/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services from and to JSON: one table of fields for each kind of object. What has been read
 * lies in arrays of the document's sizes, in its order, with holes (AF_UNSPEC) where something was
 * wrong, so that a message can number elements as the document does; service_new() makes the
 * compact value of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/check_field.h"
#include "model/control.h"
#include "model/hash.h"
#include "model/json.h"
#include "model/put.h"
#include "model/reader.h"
#include "model/udp.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const refusals[] = {
	[REFUSAL_REJECT] = "reject",
	[REFUSAL_DROP] = "drop",
};

static void read_listener_address(struct reader *r, const struct at *at, const json_t *value,
				  void *out)
{
	read_address(r, at, value, &((struct listener *)out)->address);
}

static void read_listener_protocol(struct reader *r, const struct at *at, const json_t *value,
				   void *out)
{
	static const char expected[] = "\"tcp\", \"udp\" or \"sctp\"";
	uint8_t *protocol = &((struct listener *)out)->protocol;
	const char *text;

	if (read_string(r, at, value, expected, &text) && !(*protocol = protocol_parse(text)))
		problem(r, at, value, "expected %s", expected);
}

static void read_listener_port(struct reader *r, const struct at *at, const json_t *value,
			       void *out)
{
	json_int_t port;

	if (read_integer(r, at, value, 1, UINT16_MAX, &port))
		((struct listener *)out)->port = (uint16_t)port;
}

/* A listener while it is read: the service has the names of interfaces once. */
struct listener_reading {
	struct listener listener; /* first: what the readers of the other fields get */
	char interface[INTERFACE_NAME_BYTES];
};

static void read_listener_interface(struct reader *r, const struct at *at, const json_t *value,
				    void *out)
{
	(void)read_interface(r, at, value, ((struct listener_reading *)out)->interface);
}

static const struct field listener_fields[] = {
	{ "address", true, read_listener_address },
	{ "protocol", true, read_listener_protocol },
	{ "port", true, read_listener_port },
	{ "interface", false, read_listener_interface },
};

/* The number of a name among the service's interfaces, from 1; 0, and a problem: one too many. */
static uint8_t take_interface(struct reader *r, const struct at *at, struct service *s,
			      const char *name)
{
	size_t i = 0;

	while (i < s->n_interfaces && strcmp(s->interfaces[i], name) != 0)
		i++;
	if (i == UINT8_MAX) {
		problem(r, at, NULL, "more than %d different interfaces", UINT8_MAX);
		return 0;
	}
	if (i == s->n_interfaces) {
		s->interfaces = mem_realloc(s->interfaces, i + 1, sizeof(*s->interfaces));
		memcpy(s->interfaces[s->n_interfaces++], name, INTERFACE_NAME_BYTES);
	}
	return (uint8_t)(i + 1);
}

static void read_listener(struct reader *r, const struct at *at, const json_t *value,
			  struct service *s, struct listener *out)
{
	struct listener_reading reading = { 0 };
	size_t n_before = r->n_problems;

	read_object(r, at, value, listener_fields, ARRAY_SIZE(listener_fields), &reading);
	*out = reading.listener;
	if (*reading.interface)
		out->interface = take_interface(r, at, s, reading.interface);
	if (r->n_problems != n_before)
		out->address.family = AF_UNSPEC;
}

static void read_listeners(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct service *s = out;
	size_t i, n = json_array_size(value);
	json_t *element;

	if (!json_is_array(value) || n == 0) {
		problem(r, at, value, "expected an array of at least one listener");
		return;
	}
	if (n > MODEL_LISTENERS_MAX) {
		problem(r, at, NULL, "%zu listeners: expected at most %d", n, MODEL_LISTENERS_MAX);
		return;
	}
	s->listeners = mem_calloc(n, sizeof(*s->listeners));
	s->n_listeners = n;
	json_array_foreach (value, i, element) {
		struct at at_listener = at_element(at, i);

		read_listener(r, &at_listener, element, s, &s->listeners[i]);
	}
}

static void read_backend_address(struct reader *r, const struct at *at, const json_t *value,
				 void *out)
{
	read_address(r, at, value, &((struct backend *)out)->address);
}

static void read_backend_port(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t port;

	if (read_integer(r, at, value, 1, UINT16_MAX, &port))
		((struct backend *)out)->port = (uint16_t)port;
}

static void read_backend_weight(struct reader *r, const struct at *at, const json_t *value,
				void *out)
{
	json_int_t weight;

	if (read_integer(r, at, value, 0, MODEL_WEIGHT_MAX, &weight))
		((struct backend *)out)->weight = (uint32_t)weight;
}

static const struct field backend_fields[] = {
	{ "address", true, read_backend_address },
	{ "port", false, read_backend_port },
	{ "weight", false, read_backend_weight },
	{ "state", false, read_backend_state },
	{ "priority", false, read_backend_priority },
	{ "sorry", false, read_backend_sorry },
	{ "max_connections", false, read_backend_max_connections },
	{ "min_connections", false, read_backend_min_connections },
};

static void read_backends(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct service *s = out;
	size_t n = json_object_size(value);
	const char *name;
	json_t *member;

	if (!json_is_object(value)) {
		problem(r, at, value, "expected an object of backends by name");
		return;
	}
	if (n > MODEL_BACKENDS_MAX) {
		problem(r, at, NULL, "%zu backends: expected at most %d", n, MODEL_BACKENDS_MAX);
		return;
	}
	s->backends = mem_calloc(n, sizeof(*s->backends));
	json_object_foreach ((json_t *)value, name, member) {
		struct backend *b = &s->backends[s->n_backends++];
		struct at at_backend = at_object(at, "backend", name);
		size_t n_before = r->n_problems;

		b->name = (char *)name; /* borrowed until service_new() */
		b->weight = MODEL_WEIGHT_DEFAULT;
		check_name(r, &at_backend);
		read_object(r, &at_backend, member, backend_fields, ARRAY_SIZE(backend_fields), b);
		if (r->n_problems != n_before)
			b->address.family = AF_UNSPEC;
	}
}

static void read_forward(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	static const char expected[] = "\"fullnat\"";
	const char *text;

	(void)out; /* the only mode there is */
	if (read_string(r, at, value, expected, &text) && strcmp(text, "fullnat") != 0)
		problem(r, at, value, "expected %s", expected);
}

static void read_pool_name(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	const char *text;

	/* Whether there is such a pool is model_check()'s question; a text that cannot be a pool's
	 * name is answered here. */
	if (!read_string(r, at, value, "the name of a pool", &text))
		return;
	if (*text == '\0' || strlen(text) > MODEL_NAME_MAX)
		problem(r, at, value, "expected the name of a pool");
	else
		((struct service *)out)->pool = (char *)text; /* borrowed until service_new() */
}

/* Schedulers of IPVS that make sense where one service has many destinations. */
static bool hashes_destination(const char *name)
{
	return strcmp(name, "dh") == 0 || strcmp(name, "lblc") == 0 || strcmp(name, "lblcr") == 0;
}

static void read_scheduler(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	const char *text = "", *canonical = NULL;
	char expected[128] = "one of";
	size_t n = strlen(expected);

	if (json_is_string(value))
		canonical = scheduler_canonical(json_string_value(value));
	if (canonical) {
		((struct service *)out)->scheduler = canonical;
		return;
	}
	for (size_t i = 0; (text = scheduler_name(i)) && n < sizeof(expected); i++)
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%s \"%s\"", i ? "," : "",
				      text);
	if (json_is_string(value) && hashes_destination(json_string_value(value)))
		problem(r, at, value,
			"the destination that it hashes is always the listener: use \"mh\"");
	else
		problem(r, at, value, "expected %s", expected);
}

static void read_refusal(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	static const char expected[] = "\"reject\" or \"drop\"";
	const char *text;

	if (!read_string(r, at, value, expected, &text))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		if (strcmp(refusals[i], text) == 0) {
			((struct service *)out)->refusal = (enum refusal)i;
			return;
		}
	}
	problem(r, at, value, "expected %s", expected);
}

static void read_check(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	((struct service *)out)->check = check_read(r, at, value);
}

static void read_agent(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	((struct service *)out)->agent = agent_read(r, at, value);
}

static const struct field service_fields[] = {
	{ "listeners", true, read_listeners },
	{ "forward", false, read_forward },
	{ "pool", true, read_pool_name },
	{ "scheduler", false, read_scheduler },
	{ "hash", false, read_hash },
	{ "on_unavailable", false, read_refusal },
	{ "backends", false, read_backends },
	{ "check", false, read_check },
	{ "agent", false, read_agent },
	{ "persistence", false, persistence_read },
	{ "pins", false, pins_read },
	{ "slow_start_s", false, read_slow_start },
	{ "quorum", false, read_quorum },
	{ "quorum_hysteresis", false, read_quorum_hysteresis },
	{ "all_down", false, read_all_down },
	{ "on_down", false, read_on_down },
	{ "on_remove", false, read_on_remove },
	{ "udp_timeout_s", false, read_udp_timeout },
	{ "one_packet", false, read_one_packet },
	{ "drain_timeout_s", false, read_drain_timeout },
	{ "on_drain_timeout", false, read_on_drain_timeout },
	{ "limit", false, read_limit },
	{ "max_connections", false, read_max_connections },
	{ "max_connections_per_client", false, read_max_connections_per_client },
	{ "count_begun", false, read_count_begun },
};

/* Equal listeners next to each other, in the order of the document. */
static int listener_order(const void *a, const void *b)
{
	const struct listener *la = *(const struct listener *const *)a;
	const struct listener *lb = *(const struct listener *const *)b;
	int rc = listener_cmp(la, lb);

	return rc ? rc : (la > lb) - (la < lb);
}

static void check_listeners_differ(struct reader *r, const struct at *at, const struct service *s)
{
	const struct listener **sorted = mem_calloc(s->n_listeners, sizeof(*sorted));
	struct at at_listeners = at_member(at, "listeners");
	char text[LISTENER_STRLEN];

	for (size_t i = 0; i < s->n_listeners; i++)
		sorted[i] = &s->listeners[i];
	qsort(sorted, s->n_listeners, sizeof(*sorted), listener_order);
	for (size_t i = 1; i < s->n_listeners; i++) {
		struct at at_second = at_element(&at_listeners, (size_t)(sorted[i] - s->listeners));

		if (sorted[i]->address.family != AF_UNSPEC &&
		    listener_cmp(sorted[i - 1], sorted[i]) == 0)
			problem_text(r, &at_second, listener_format(sorted[i], text),
				     "the same as listeners[%zu]",
				     (size_t)(sorted[i - 1] - s->listeners));
	}
	free(sorted);
}

static int backend_target_cmp(const struct backend *a, const struct backend *b)
{
	int rc = addr_cmp(&a->address, &b->address);

	return rc ? rc : (a->port > b->port) - (a->port < b->port);
}

static int backend_order(const void *a, const void *b)
{
	const struct backend *ba = *(const struct backend *const *)a;
	const struct backend *bb = *(const struct backend *const *)b;
	int rc = backend_target_cmp(ba, bb);

	return rc ? rc : (ba > bb) - (ba < bb);
}

static void backend_repeated(struct reader *r, const struct at *at, const struct backend *first,
			     const struct backend *second)
{
	struct at at_backends = at_member(at, "backends");
	struct at at_second = at_object(&at_backends, "backend", second->name);
	struct at at_address = at_member(&at_second, "address");
	char address[ADDR_STRLEN], target[ADDR_STRLEN + 16], name[READER_TEXT_BYTES];

	addr_format(&second->address, address);
	if (second->port)
		snprintf(target, sizeof(target), "%s, port %u", address, second->port);
	else
		snprintf(target, sizeof(target), "%s", address);
	problem_text(r, &at_address, target, "already used by backend %s",
		     quote(first->name, name));
}

static void check_backends_differ(struct reader *r, const struct at *at, const struct service *s)
{
	const struct backend **sorted = mem_calloc(s->n_backends, sizeof(*sorted));

	for (size_t i = 0; i < s->n_backends; i++)
		sorted[i] = &s->backends[i];
	qsort(sorted, s->n_backends, sizeof(*sorted), backend_order);
	for (size_t i = 1; i < s->n_backends; i++) {
		if (sorted[i]->address.family != AF_UNSPEC &&
		    backend_target_cmp(sorted[i - 1], sorted[i]) == 0)
			backend_repeated(r, at, sorted[i - 1], sorted[i]);
	}
	free(sorted);
}

static bool has_backend_of(const struct service *s, uint8_t family)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		if (s->backends[i].address.family == family)
			return true;
	}
	return false;
}

/* One problem a family is enough: the first listener stands for all of it. */
static void check_families(struct reader *r, const struct at *at, const struct service *s)
{
	bool is_missing4 = s->n_backends && !has_backend_of(s, AF_INET);
	bool is_missing6 = s->n_backends && !has_backend_of(s, AF_INET6);
	struct at at_listeners = at_member(at, "listeners");
	char text[LISTENER_STRLEN];

	for (size_t i = 0; i < s->n_listeners && (is_missing4 || is_missing6); i++) {
		uint8_t family = s->listeners[i].address.family;
		bool *is_missing = family == AF_INET ? &is_missing4 : &is_missing6;
		struct at at_listener = at_element(&at_listeners, i);

		if (*is_missing)
			problem_text(r, &at_listener, listener_format(&s->listeners[i], text),
				     "expected a backend with an %s address",
				     family == AF_INET ? "IPv4" : "IPv6");
		*is_missing = false;
	}
}

static void check_service(struct reader *r, const struct at *at, const struct service *s,
			  bool is_read_whole)
{
	if (s->n_listeners > 1)
		check_listeners_differ(r, at, s);
	if (s->n_backends > 1)
		check_backends_differ(r, at, s);
	check_hash(r, at, s);
	check_control(r, at, s);
	check_udp(r, at, s);
	persistence_check(r, at, s);
	/* A backend, or a check, that could not be read might be the one that is missing. */
	if (!is_read_whole)
		return;
	agent_verify(r, at, s);
	check_families(r, at, s);
}

const struct service *service_read(struct reader *r, const struct at *at, const json_t *value)
{
	struct service s = {
		.name = (char *)at->name, /* borrowed until service_new() */
		.scheduler = scheduler_canonical(SCHEDULER_DEFAULT),
		.hash = hash_default,
	};
	const struct service *made = NULL;
	size_t n_before = r->n_problems;

	check_name(r, at);
	read_object(r, at, value, service_fields, ARRAY_SIZE(service_fields), &s);
	check_service(r, at, &s, r->n_problems == n_before);
	if (r->n_problems == n_before)
		made = service_new(&s);
	free(s.listeners);
	free(s.interfaces);
	free(s.backends);
	free(s.pins);
	check_unref(s.check);
	check_unref(s.agent);
	return made;
}

const struct service *service_from_json(const json_t *value, const char *name, const char *pointer,
					struct err *err)
{
	struct at at = { .pointer = pointer, .what = "service", .name = name };
	struct reader r = { .err = err };

	return service_read(&r, &at, value);
}

static json_t *address_to_json(const struct addr *a)
{
	char text[ADDR_STRLEN];

	return json_string_nocheck(addr_format(a, text));
}

static json_t *listener_to_json(const struct service *s, const struct listener *l)
{
	const char *interface = service_interface(s, l);
	json_t *object = checked(json_object());

	put(object, "address", address_to_json(&l->address));
	put(object, "protocol", json_string_nocheck(protocol_name(l->protocol)));
	put(object, "port", json_integer(l->port));
	if (interface)
		put(object, "interface", json_string_nocheck(interface));
	return object;
}

json_t *backend_to_json(const struct backend *b)
{
	json_t *object = checked(json_object());

	put(object, "address", address_to_json(&b->address));
	if (b->port) /* else the listener's: no number says that */
		put(object, "port", json_integer(b->port));
	put(object, "weight", json_integer(b->weight));
	put_backend_control(object, b);
	return object;
}

json_t *service_to_json(const struct service *s)
{
	json_t *object = checked(json_object());
	json_t *listeners = checked(json_array()), *backends = checked(json_object());

	for (size_t i = 0; i < s->n_listeners; i++)
		json_array_append_new(listeners, listener_to_json(s, &s->listeners[i]));
	for (size_t i = 0; i < s->n_backends; i++)
		put(backends, s->backends[i].name, backend_to_json(&s->backends[i]));
	put(object, "listeners", listeners);
	put(object, "forward", json_string_nocheck("fullnat"));
	put(object, "pool", json_string_nocheck(s->pool));
	put(object, "scheduler", json_string_nocheck(s->scheduler));
	put_hash(object, s);
	put(object, "on_unavailable", json_string_nocheck(refusals[s->refusal]));
	if (s->check)
		put(object, "check", check_to_json(s->check));
	if (s->agent)
		put(object, "agent", agent_to_json(s->agent));
	put_control(object, s);
	put_udp(object, s);
	if (s->persistence.timeout_s)
		put(object, "persistence", persistence_to_json(&s->persistence));
	if (s->n_pins)
		put(object, "pins", pins_to_json(s));
	put(object, "backends", backends);
	return object;
}
