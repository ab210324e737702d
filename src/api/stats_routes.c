/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/stats: first a new listing of the living connections, so that the answer is of now, then
 * service by service, so that nobody has to wait for 100,000 backends to be written.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/stats_ports.h"
#include "base/mem.h"
#include "stats/columns.h"

#define PIECE_BYTES (32u << 10)

struct stats_stream {
	struct observer *observer;
	/* What is asked for; the objects that are configured. */
	const struct service **services;
	size_t n_services;
	const struct pool **pools;
	size_t n_pools;
	char *backend; /* this one only; NULL: all */
	size_t i;      /* next service, then next pool */
	FILE *out;
	char *text;
	size_t len;
};

/* --- JSON ---------------------------------------------------------------------------------- */

/* Names need no escapes: name_check(). */
static void put_numbers(FILE *out, enum stats_kind kind, bool is_counted, const struct meter *m)
{
	const struct column *c;

	for (size_t i = 0; (c = column_at(i)); i++) {
		if (!column_is_of(c, kind, is_counted))
			continue;
		fprintf(out, "%s\"%s\":", i ? "," : "", c->name);
		if (c->kind == COLUMN_RATE)
			fprintf(out, "%.2f", c->rate(m));
		else
			fprintf(out, "%" PRIu64, c->whole(m));
	}
}

static void put_listeners(const struct stats_stream *st, const struct service *s)
{
	char address[ADDR_STRLEN];

	fputs(",\"listeners\":[", st->out);
	for (size_t i = 0; i < s->n_listeners; i++) {
		const struct listener *l = &s->listeners[i];
		struct meter m = stats_of_listener(observer_stats(st->observer), l);

		fprintf(st->out, "%s{\"address\":\"%s\",\"protocol\":\"%s\",\"port\":%u,",
			i ? "," : "", addr_format(&l->address, address), protocol_name(l->protocol),
			l->port);
		put_numbers(st->out, STATS_LISTENER, s->counts_begun, &m);
		fputc('}', st->out);
	}
	fputc(']', st->out);
}

static void put_backends(const struct stats_stream *st, const struct service *s)
{
	const char *comma = "";

	fputs(",\"backends\":{", st->out);
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];
		struct meter m = stats_of_backend(observer_stats(st->observer), s->name, b);

		if (st->backend && strcmp(st->backend, b->name) != 0)
			continue;
		fprintf(st->out, "%s\"%s\":{", comma, b->name);
		put_numbers(st->out, STATS_BACKEND, s->counts_begun, &m);
		fputc('}', st->out);
		comma = ",";
	}
	fputc('}', st->out);
}

static void put_service(const struct stats_stream *st, const struct service *s)
{
	struct meter m = stats_of_service(observer_stats(st->observer), s->name);

	fprintf(st->out, "\"%s\":{", s->name);
	put_numbers(st->out, STATS_SERVICE, s->counts_begun, &m);
	put_listeners(st, s);
	put_backends(st, s);
	fputc('}', st->out);
}

/* Addresses of a pool that had traffic, to be sorted. */
struct address_numbers {
	struct addr address;
	struct meter meter;
};

struct addresses {
	struct address_numbers *items;
	size_t n, cap;
};

static void add_address(const struct stats_object *o, void *arg)
{
	struct addresses *list = arg;

	VEC_PUSH(list->items, list->n, list->cap) =
		(struct address_numbers){ *o->address, *o->meter };
}

static int cmp_addresses(const void *a, const void *b)
{
	return addr_cmp(&((const struct address_numbers *)a)->address,
			&((const struct address_numbers *)b)->address);
}

static void put_pool(const struct stats_stream *st, const struct pool *p)
{
	struct addresses list = { 0 };
	char address[ADDR_STRLEN];

	stats_each_address(observer_stats(st->observer), p->name, add_address, &list);
	if (list.n > 0)
		qsort(list.items, list.n, sizeof(*list.items), cmp_addresses);
	fprintf(st->out, "\"%s\":{\"addresses\":{", p->name);
	for (size_t i = 0; i < list.n; i++) {
		fprintf(st->out, "%s\"%s\":{", i ? "," : "",
			addr_format(&list.items[i].address, address));
		put_numbers(st->out, STATS_POOL_ADDRESS, false, &list.items[i].meter);
		fputc('}', st->out);
	}
	fputc('}', st->out);
	stats_ports_json(observer_stats(st->observer), p, st->out);
	fputc('}', st->out);
	free(list.items);
}

/* --- the stream ---------------------------------------------------------------------------- */

static void put_begin(const struct stats_stream *st)
{
	const struct observer_status s = observer_status(st->observer);

	fprintf(st->out,
		"{\"since_ms\":%" PRId64 ",\"unobserved_ms\":%" PRId64 ",\"events_lost\":%" PRIu64
		",\"insert_failed\":%" PRIu64 ",\"services\":{",
		s.since_ms, s.unobserved_ms, s.events.n_lost, s.kernel.insert_failed);
}

/* One object; false after the last. */
static bool step(struct stats_stream *st)
{
	size_t i = st->i++;

	if (i == 0)
		put_begin(st);
	if (i < st->n_services) {
		fputs(i ? "," : "", st->out);
		put_service(st, st->services[i]);
		return true;
	}
	i -= st->n_services;
	if (i == 0)
		fputs("},\"pools\":{", st->out);
	if (i < st->n_pools) {
		fputs(i ? "," : "", st->out);
		put_pool(st, st->pools[i]);
		return true;
	}
	fputs("}}", st->out);
	return false;
}

static void more(struct http_request *req, void *arg)
{
	struct stats_stream *st = arg;
	bool is_more = true;

	rewind(st->out);
	while (is_more && ftell(st->out) < (long)PIECE_BYTES)
		is_more = step(st);
	fflush(st->out);
	http_reply_chunk(req, st->text, (size_t)ftell(st->out));
	if (!is_more)
		http_reply_end(req);
}

static void done(void *arg)
{
	struct stats_stream *st = arg;

	for (size_t i = 0; i < st->n_services; i++)
		service_unref(st->services[i]);
	for (size_t i = 0; i < st->n_pools; i++)
		pool_unref(st->pools[i]);
	free(st->services);
	free(st->pools);
	free(st->backend);
	if (st->out)
		fclose(st->out);
	free(st->text);
	free(st);
}

/* --- what is asked for --------------------------------------------------------------------- */

static bool answered_unknown(struct call *c, const char *service, const char *backend,
			     const char *pool)
{
	const struct model *m = engine_model(c->engine);
	const struct service *s = service ? model_service(m, service) : NULL;

	if (backend && !service)
		call_answer_problem(c, 400,
				    "query parameter \"backend\": needs \"service\" as well");
	else if (service && !s)
		call_answer_problem(c, 404, "service \"%.100s\": no such service", service);
	else if (backend && !service_backend(s, backend))
		call_answer_problem(c, 404,
				    "service \"%.100s\": backend \"%.100s\": no such backend",
				    service, backend);
	else if (pool && !model_pool(m, pool))
		call_answer_problem(c, 404, "pool \"%.100s\": no such pool", pool);
	else
		return false;
	return true;
}

static void take_services(struct stats_stream *st, const struct model *m, const char *name)
{
	if (!name) {
		st->services = model_services(m, &st->n_services);
		return;
	}
	st->services = mem_alloc(sizeof(*st->services));
	st->services[st->n_services++] = service_ref(model_service(m, name));
}

static void take_pools(struct stats_stream *st, const struct model *m, const char *name)
{
	if (!name) {
		st->pools = model_pools(m, &st->n_pools);
		return;
	}
	st->pools = mem_alloc(sizeof(*st->pools));
	st->pools[st->n_pools++] = pool_ref(model_pool(m, name));
}

/* The numbers are fresh. */
static void answer(void *arg)
{
	static const struct http_stream stream = { more, done };
	struct call *c = arg;
	const struct model *m = engine_model(c->engine);
	const char *service = http_query(c->req, "service"), *pool = http_query(c->req, "pool");
	const char *backend = http_query(c->req, "backend");
	struct stats_stream *st;

	if (answered_unknown(c, service, backend, pool))
		return;
	st = mem_zalloc(sizeof(*st));
	st->observer = c->observer;
	st->backend = backend ? mem_strdup(backend) : NULL;
	if (service || !pool)
		take_services(st, m, service);
	if (pool || !service)
		take_pools(st, m, pool);
	st->out = open_memstream(&st->text, &st->len);
	if (!st->out) {
		done(st);
		call_answer_problem(c, 503, "out of memory");
		return;
	}
	http_set_header(c->req, "Cache-Control", "no-store");
	call_answer_stream(c, JSON_TYPE, &stream, st);
}

void stats_get(struct call *c)
{
	const char *name = http_query(c->req, "service");

	if (!answered_unknown(c, name, http_query(c->req, "backend"), http_query(c->req, "pool")))
		call_refresh(c, name, answer);
}

static void zero(void *arg)
{
	struct call *c = arg;
	const char *service = http_query(c->req, "service");

	if (answered_unknown(c, service, NULL, NULL))
		return;
	stats_zero(observer_stats(c->observer), service);
	call_answer_empty(c, 204);
}

void stats_delete(struct call *c)
{
	if (answered_unknown(c, http_query(c->req, "service"), NULL, NULL))
		return;
	call_refresh(c, NULL, zero);
}
