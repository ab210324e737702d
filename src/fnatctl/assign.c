/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Only the form is looked at here: which keys there are and what they may hold is the daemon's
 * business, and so a field that is new there needs nothing here. A value that is JSON is taken as
 * such, any other is a string; the table names the fields that are written otherwise.
 */
#include "fnatctl/assign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/document.h"

static json_t *parse_string(const char *value, struct err *err)
{
	json_t *v = json_string(value);

	if (!v)
		err_add(err, ERR_SYNTAX, -EINVAL, NULL, "\"%s\" is not UTF-8", value);
	return v;
}

/* 2, true, ["a"], {"type": "tcp"}; anything else is a string. */
static json_t *parse_any(const char *value, struct err *err)
{
	json_t *v = json_loads(value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	return v ? v : parse_string(value, err);
}

/* ADDRESS:PORT[/PROTOCOL] */
static json_t *parse_listener(const char *value, struct err *err)
{
	bool is_bracketed = *value == '[';
	const char *slash = strrchr(value, '/'), *colon = NULL, *rest;
	json_t *listener = json_object();
	char *address, *port;

	rest = is_bracketed ? strchr(value, ']') : value;
	colon = rest ? strchr(rest, ':') : NULL;
	if (!colon || colon == value || (is_bracketed && colon != rest + 1) ||
	    (!is_bracketed && strchr(colon + 1, ':'))) {
		json_decref(listener);
		err_add(err, ERR_SYNTAX, -EINVAL, NULL,
			"\"%s\" is not a listener: write 192.0.2.1:80/tcp or [2001:db8::1]:80/tcp",
			value);
		return NULL;
	}
	address = is_bracketed ? mem_strndup(value + 1, (size_t)(rest - value - 1))
			       : mem_strndup(value, (size_t)(colon - value));
	port = slash && slash > colon ? mem_strndup(colon + 1, (size_t)(slash - colon - 1))
				      : mem_strdup(colon + 1);
	json_object_set_new(listener, "address", json_string(address));
	json_object_set_new(listener, "protocol",
			    json_string(slash && slash > colon ? slash + 1 : "tcp"));
	json_object_set_new(listener, "port", parse_any(port, err));
	free(address);
	free(port);
	return listener;
}

typedef json_t *parse_fn(const char *value, struct err *err);

/* "A,B,C", or a JSON array. */
static json_t *parse_list(const char *value, parse_fn *parse_item, struct err *err)
{
	json_t *list = json_array();

	for (const char *s = value; s;) {
		const char *comma = strchr(s, ',');
		char *item = comma ? mem_strndup(s, (size_t)(comma - s)) : mem_strdup(s);
		json_t *v = parse_item(item, err);

		free(item);
		if (!v) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, v);
		s = comma ? comma + 1 : NULL;
	}
	return list;
}

static json_t *parse_strings(const char *value, struct err *err)
{
	return *value == '[' ? parse_any(value, err) : parse_list(value, parse_string, err);
}

/* The same of numbers, and strings where they are none. */
static json_t *parse_values(const char *value, struct err *err)
{
	return *value == '[' ? parse_any(value, err) : parse_list(value, parse_any, err);
}

static json_t *parse_listeners(const char *value, struct err *err)
{
	/* "[2001:db8::1]:80" begins with a bracket, too. */
	json_t *v = *value == '[' ? json_loads(value, JSON_REJECT_DUPLICATES, NULL) : NULL;

	return v ? v : parse_list(value, parse_listener, err);
}

/* A string where it may look like a number. */
static const struct assign_field fields[] = {
	{ "service", "listeners", parse_listeners, NULL },
	{ "service", "pool", parse_string, "POOL" },
	{ "service", "scheduler", parse_string, "rr wrr random sh mh fo lc wlc sed nq ovf twos" },
	{ "service", "hash.key", NULL, "source source_port five_tuple" },
	{ "service", "hash.prefix4", NULL, NULL },
	{ "service", "hash.prefix6", NULL, NULL },
	{ "service", "hash.table_size", NULL, "251 509 1021 2039 4093 8191 16381 32749 65521" },
	{ "service", "forward", NULL, "fullnat" },
	{ "service", "on_unavailable", NULL, "reject drop" },
	{ "service", "persistence.timeout_s", NULL, NULL },
	{ "service", "persistence.prefix4", NULL, NULL },
	{ "service", "persistence.prefix6", NULL, NULL },
	{ "service", "persistence.max_entries", NULL, NULL },
	{ "service", "persistence.keep_draining", NULL, "true false" },
	{ "service", "check.type", NULL,
	  "none tcp icmp udp dns exec http https tls smtp grpc grpcs agent" },
	{ "service", "check.interval_ms", NULL, NULL },
	{ "service", "check.fast_interval_ms", NULL, NULL },
	{ "service", "check.down_interval_ms", NULL, NULL },
	{ "service", "check.timeout_ms", NULL, NULL },
	{ "service", "check.rise", NULL, NULL },
	{ "service", "check.fall", NULL, NULL },
	{ "service", "check.initial", NULL, "up down" },
	{ "service", "check.jitter_percent", NULL, NULL },
	{ "service", "check.port", NULL, NULL },
	{ "service", "check.address", parse_string, NULL },
	{ "service", "check.source", parse_string, NULL },
	{ "service", "check.observe", NULL, "off connections" },
	{ "service", "check.observe_failures", NULL, NULL },
	{ "service", "check.observe_window_ms", NULL, NULL },
	{ "service", "check.observe_udp", NULL, "true false" },
	{ "service", "check.inhibit_s", NULL, NULL },
	{ "service", "check.inhibit_max_s", NULL, NULL },
	{ "service", "check.flap_count", NULL, NULL },
	{ "service", "check.flap_window_s", NULL, NULL },
	{ "service", "check.payload", parse_string, NULL },
	{ "service", "check.payload_hex", parse_string, NULL },
	{ "service", "check.expect", parse_string, NULL },
	{ "service", "check.expect_hex", parse_string, NULL },
	{ "service", "check.reply_required", NULL, "true false" },
	{ "service", "check.name", parse_string, NULL },
	{ "service", "check.record", NULL, "SOA A AAAA NS CNAME MX TXT PTR SRV" },
	{ "service", "check.rcode", NULL, "noerror nxdomain any" },
	{ "service", "check.program", parse_string, NULL },
	{ "service", "check.args", parse_strings, NULL },
	{ "service", "check.dynamic_weight", NULL, "true false" },
	{ "service", "check.method", parse_string, "GET HEAD POST OPTIONS" },
	{ "service", "check.path", parse_string, NULL },
	{ "service", "check.host", parse_string, NULL },
	{ "service", "check.headers", parse_strings, NULL },
	{ "service", "check.status", parse_values, NULL },
	{ "service", "check.expect_regex", parse_string, NULL },
	{ "service", "check.version", parse_string, "1.1 1.0 2" },
	{ "service", "check.sni", parse_string, NULL },
	{ "service", "check.verify", NULL, "none chain full" },
	{ "service", "check.ca", parse_string, NULL },
	{ "service", "check.certificate", parse_string, NULL },
	{ "service", "check.key", parse_string, NULL },
	{ "service", "check.expiry_days", NULL, NULL },
	{ "service", "check.grpc_service", parse_string, NULL },
	{ "service", "check.hostname", parse_string, NULL },
	{ "service", "check.send", parse_string, NULL },
	{ "service", "agent.port", NULL, NULL },
	{ "service", "agent.address", parse_string, NULL },
	{ "service", "agent.source", parse_string, NULL },
	{ "service", "agent.interval_ms", NULL, NULL },
	{ "service", "agent.timeout_ms", NULL, NULL },
	{ "service", "agent.jitter_percent", NULL, NULL },
	{ "service", "agent.send", parse_string, NULL },
	{ "service", "slow_start_s", NULL, NULL },
	{ "service", "quorum", NULL, NULL },
	{ "service", "quorum_hysteresis", NULL, NULL },
	{ "service", "limit", NULL, "auto exact budget fast" },
	{ "service", "max_connections", NULL, NULL },
	{ "service", "max_connections_per_client", NULL, NULL },
	{ "service", "count_begun", NULL, "true false" },
	{ "service", "all_down", NULL, "closed open" },
	{ "service", "on_down", NULL, "keep cut" },
	{ "service", "on_remove", NULL, "keep cut" },
	{ "service", "udp_timeout_s", NULL, NULL },
	{ "service", "one_packet", NULL, "true false" },
	{ "service", "drain_timeout_s", NULL, NULL },
	{ "service", "on_drain_timeout", NULL, "keep cut" },
	{ "backend", "address", parse_string, NULL },
	{ "backend", "port", NULL, NULL },
	{ "backend", "weight", NULL, NULL },
	{ "backend", "state", NULL, "enabled draining disabled" },
	{ "backend", "priority", NULL, NULL },
	{ "backend", "sorry", NULL, "true false" },
	{ "backend", "max_connections", NULL, NULL },
	{ "backend", "min_connections", NULL, NULL },
	{ "pool", "addresses", parse_strings, NULL },
	{ "pool", "ports", parse_string, NULL },
	{ "pool", "interface", parse_string, NULL },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

const struct assign_field *assign_field_at(size_t i)
{
	return i < N_FIELDS ? &fields[i] : NULL;
}

static parse_fn *parser_of(const char *object, const char *key)
{
	for (size_t i = 0; i < N_FIELDS; i++)
		if (fields[i].parse && !strcmp(fields[i].object, object) &&
		    !strcmp(fields[i].key, key))
			return fields[i].parse;
	return parse_any;
}

/* Set "a.b.c" in *object; objects between are made. */
static void set_nested(json_t *object, char *key, json_t *value)
{
	char *dot = strchr(key, '.');
	json_t *inner;

	if (!dot) {
		json_object_set_new(object, key, value);
		return;
	}
	*dot = '\0';
	inner = json_object_get(object, key);
	if (!json_is_object(inner)) {
		inner = json_object();
		json_object_set_new(object, key, inner);
	}
	set_nested(inner, dot + 1, value);
}

static int assign(const char *object, json_t *target, const char *arg, struct err *err)
{
	const char *equals = strchr(arg, '=');
	char *key;
	json_t *v;

	if (!equals || equals == arg)
		return err_add(err, ERR_SYNTAX, -EINVAL, NULL, "\"%s\": expected KEY=VALUE", arg);
	key = mem_strndup(arg, (size_t)(equals - arg));
	v = equals[1] ? parser_of(object, key)(equals + 1, err) : json_null();
	if (v)
		set_nested(target, key, v);
	free(key);
	return v ? 0 : -EINVAL;
}

/* JSON text from the command line or a file. */
static json_t *parse_document(const char *arg, struct err *err)
{
	struct document d = { 0 };
	json_t *v;

	if (*arg == '@') {
		if (document_read(arg + 1, &d, err) < 0)
			return NULL;
	} else {
		d = (struct document){ mem_strdup("argument"), mem_strdup(arg), strlen(arg) };
	}
	v = json_loadb(d.text, d.len, JSON_REJECT_DUPLICATES, NULL);
	if (!v && document_explain(&d, stderr))
		err->kind = ERR_SYNTAX; /* and all has been said */
	else if (!json_is_object(v))
		err_add(err, ERR_SYNTAX, -EINVAL, NULL, "%s: expected a JSON object", d.name);
	document_fini(&d);
	if (json_is_object(v))
		return v;
	json_decref(v);
	return NULL;
}

json_t *assign_parse(const char *object, char *const args[], size_t n, struct err *err)
{
	json_t *target;

	if (n == 1 && (args[0][0] == '{' || args[0][0] == '@'))
		return parse_document(args[0], err);
	target = json_object();
	for (size_t i = 0; i < n; i++)
		if (assign(object, target, args[i], err) < 0) {
			json_decref(target);
			return NULL;
		}
	return target;
}
