/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/services/{service}/persistence: what the kernel remembers of a service's clients.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/query.h"
#include "base/log.h"
#include "plan/stay.h"

#define ENTRIES_DEFAULT 1000
#define ENTRIES_MAX     65536

static const char *client_text(const struct entry *e, const struct persistence *p,
			       char buf[ADDR_STRLEN + 8])
{
	bool is_v4 = e->client.family == AF_INET;
	unsigned int bits = is_v4 ? p->prefix4 : p->prefix6;
	char address[ADDR_STRLEN];

	addr_format(&e->client, address);
	if (bits == addr_len(e->client.family) * 8)
		snprintf(buf, ADDR_STRLEN + 8, "%s", address);
	else
		snprintf(buf, ADDR_STRLEN + 8, "%s/%u", address, bits);
	return buf;
}

static json_t *entry_to_json(const struct entry *e, const struct service *s)
{
	const struct backend *b = backend_of_entry(s, &e->to, e->to_port);
	char address[ADDR_STRLEN], client[ADDR_STRLEN + 8];
	json_t *object =
		json_pack("{s:s, s:s, s:I}", "client", client_text(e, &s->persistence, client),
			  "address", addr_format(&e->to, address), "expires_s",
			  (json_int_t)((e->expires_ms + 999) / 1000));

	if (b)
		json_object_set_new_nocheck(object, "backend", json_string_nocheck(b->name));
	return object;
}

static void get_done(const struct entries *entries, long total, const struct err *err, void *arg)
{
	struct call *c = arg;
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);
	json_t *list;

	if (err) {
		call_answer_err(c, err);
		return;
	}
	list = json_array();
	for (size_t i = 0; s && i < entries->n; i++)
		json_array_append_new(list, entry_to_json(&entries->items[i], s));
	call_answer_json(c, 200,
			 json_pack("{s:I, s:o}", "total", (json_int_t)total, "entries", list));
}

static void delete_done(const struct entries *entries, long total, const struct err *err, void *arg)
{
	char what[CALL_WHAT_BYTES];
	struct call *c = arg;
	long uid, pid;

	(void)entries;
	if (err) {
		call_answer_err(c, err);
		return;
	}
	http_peer(c->req, &uid, &pid);
	log_info("api", "uid %ld pid %ld: %s -> 200 (%ld clients forgotten)", uid, pid,
		 call_what(c, what), total);
	call_answer_json(c, 200, json_pack("{s:I}", "deleted", (json_int_t)total));
}

/* The service, if it has persistence; NULL: answered. */
static const struct service *sticky_service(struct call *c)
{
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);

	if (s && s->persistence.timeout_s > 0)
		return s;
	if (!s)
		call_answer_problem(c, 404, "service \"%s\": no such service", c->names[0]);
	else
		call_answer_problem(c, 404,
				    "service \"%s\": has no persistence: give it some with "
				    "\"persistence\": {}",
				    c->names[0]);
	return NULL;
}

/* An address, or a prefix as this route shows clients. */
static bool query_client(struct call *c, struct addr *out)
{
	const char *text = http_query(c->req, "client");
	struct addr_range range;

	*out = (struct addr){ 0 };
	if (!text)
		return true;
	if (addr_range_parse(text, &range) < 0) {
		call_answer_problem(c, 400,
				    "query parameter \"client\": \"%.60s\": expected an address, "
				    "or a prefix as GET shows it",
				    text);
		return false;
	}
	*out = range.lo;
	return true;
}

static bool query_filter(struct call *c, const struct service *s, struct entries_filter *out)
{
	const char *backend = http_query(c->req, "backend");

	if (!query_client(c, &out->client))
		return false;
	if (backend && !service_backend(s, backend)) {
		call_answer_problem(c, 404, "service \"%s\": backend \"%.60s\": no such backend",
				    s->name, backend);
		return false;
	}
	out->backend = (char *)backend;
	return true;
}

void persistence_get(struct call *c)
{
	const struct service *s = sticky_service(c);
	struct entries_filter filter;
	uint64_t max;

	if (!s || !query_number(c, "max", ENTRIES_DEFAULT, 0, ENTRIES_MAX, &max) ||
	    !query_filter(c, s, &filter))
		return;
	filter.max = (size_t)max;
	engine_entries(c->engine, s->name, &filter, false, get_done, c);
}

void persistence_delete(struct call *c)
{
	const struct service *s = sticky_service(c);
	struct entries_filter filter;

	if (!s || !query_filter(c, s, &filter))
		return;
	filter.max = 0;
	engine_entries(c->engine, s->name, &filter, true, delete_done, c);
}
