/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a service has besides listeners, backends and a scheduler. The model is asked whether it
 * takes a check, so that what it refuses is known here, with the place where it was found.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/import.h"
#include "model/json.h"
#include "model/model.h"

/* The leading ones of an IPv4 mask, or a number of bits; 0: neither. */
static uint32_t mask_bits(const char *text, uint8_t *family)
{
	struct addr a;
	uint32_t bits = 0, mask;

	*family = AF_INET6;
	if (import_number(text, 128, &bits))
		return bits;
	*family = AF_INET;
	if (addr_parse(text, &a) < 0 || a.family != AF_INET)
		return 0;
	mask = (uint32_t)a.bytes[0] << 24 | (uint32_t)a.bytes[1] << 16 | (uint32_t)a.bytes[2] << 8 |
	       a.bytes[3];
	while (bits < 32 && mask & (UINT32_C(0x80000000) >> bits))
		bits++;
	return bits == 32 || mask << bits == 0 ? bits : 0;
}

void import_persistence(struct import *im, struct import_place at, struct import_service *s,
			const char *timeout, const char *netmask)
{
	json_t *object;
	uint32_t seconds, bits;
	uint8_t family;

	if (!import_number(timeout, PERSISTENCE_TIMEOUT_MAX_S, &seconds) || seconds == 0) {
		import_note_service(im, at, s, "persistence \"%s\": expected seconds", timeout);
		return;
	}
	object = json_pack("{s:i}", "timeout_s", (int)seconds);
	bits = netmask ? mask_bits(netmask, &family) : 0;
	if (bits > 0)
		json_object_set_new_nocheck(object, family == AF_INET ? "prefix4" : "prefix6",
					    json_integer(bits));
	else if (netmask)
		import_note_service(im, at, s, "netmask \"%s\": each client by itself instead",
				    netmask);
	import_set(s, "persistence", object);
}

/* What the model says against the check, or NULL; for the caller to free(). */
static char *check_problem(json_t *check)
{
	struct err err = ERR_INIT;
	json_t *service =
		json_pack("{s:[{s:s,s:s,s:i}],s:s,s:O}", "listeners", "address", "192.0.2.1",
			  "protocol", "tcp", "port", 80, "pool", "lan", "check", check);
	const struct service *s = service_from_json(service, "web", "", &err);
	static const char place[] = "service \"web\": ";
	const char *text = err_text(&err);
	char *problem;

	if (strncmp(text, place, sizeof(place) - 1) == 0)
		text += sizeof(place) - 1;
	problem = s ? NULL : mem_strdup(text);

	service_unref(s);
	json_decref(service);
	err_fini(&err);
	return problem;
}

void import_check(struct import *im, struct import_place at, struct import_service *s,
		  json_t *check)
{
	const json_t *now = json_object_get(s->value, "check");
	char *problem = check_problem(check);

	if (problem)
		import_note_service(im, at, s, "check of type %s: not carried over: %s",
				    json_string_value(json_object_get(check, "type")), problem);
	else if (!now)
		import_set(s, "check", json_incref(check));
	else if (!json_equal(now, check))
		import_note_service(im, at, s,
				    "check of type %s: not carried over: a service has one for all "
				    "backends, the first is taken",
				    json_string_value(json_object_get(check, "type")));
	free(problem);
	json_decref(check);
}

/* A client may come to several listeners: either all backends have a port, or none. */
static void settle_ports(struct import *im, struct import_service *s)
{
	json_t *b;
	const char *name;
	size_t n_with = 0;

	json_object_foreach (json_object_get(s->value, "backends"), name, b)
		n_with += json_object_get(b, "port") != NULL;
	if (!json_object_get(s->value, "persistence") || n_with == 0 ||
	    n_with == json_object_size(json_object_get(s->value, "backends")))
		return;
	import_note_service(im, s->at, s,
			    "persistence: not carried over: some backends have a port, some none");
	json_object_del(s->value, "persistence");
}

/* Clients that come back cannot be counted by the kernel. */
static void settle_limits(struct import_service *s)
{
	json_t *b;
	const char *name;
	bool has_limit = false;

	json_object_foreach (json_object_get(s->value, "backends"), name, b)
		has_limit = has_limit || json_object_get(b, "max_connections");
	if (has_limit && json_object_get(s->value, "persistence"))
		import_set(s, "limit", json_string("fast"));
}

void import_settle(struct import *im, struct import_service *s)
{
	settle_ports(im, s);
	settle_limits(s);
}
