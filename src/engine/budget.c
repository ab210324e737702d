/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is decided is in stats/ports.c (when) and plan/plan_detour.c (whereto); this carries it from
 * one to the other, and says so.
 */
#include "engine/budget.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_internal.h"
#include "engine/events.h"

struct budget {
	struct engine *engine;
	struct observer *observer;
	struct budget_status status;
};

/* How many of the pool's addresses of the family still take connections to that backend. */
static size_t addresses_left(const struct budget *b, const struct ports_pair *p, size_t n_avoided)
{
	const struct pool *pool = model_pool(engine_model(b->engine), p->pool->name);
	size_t n = 0;

	if (pool)
		n = p->local.family == AF_INET6 ? pool->n6 : pool->n4;
	return n > n_avoided ? n - n_avoided : 0;
}

static void report(const struct budget *b, const struct ports_pair *p, enum ports_level was,
		   size_t n_left)
{
	char local[ADDR_STRLEN], address[ADDR_STRLEN];
	char *backend = mem_printf(p->backend.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
				   addr_format(&p->backend, address), p->port);
	const char *from = ports_level_name(was), *to = ports_level_name(p->level);

	(p->level > was ? log_warn : log_info)(
		"ports",
		"pool %s: %s to %s (%s): %s -> %s (%u of %u ports in use; %zu addresses of the "
		"pool take new connections to it)",
		p->pool->name, addr_format(&p->local, local), backend, protocol_name(p->protocol),
		from, to, p->used, p->pool->n_ports, n_left);
	events_add(engine_events(b->engine), "ports", clock_real_ms(),
		   json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I}", "pool", p->pool->name,
			     "address", local, "backend", backend, "protocol",
			     protocol_name(p->protocol), "from", from, "to", to, "used",
			     (json_int_t)p->used, "ports", (json_int_t)p->pool->n_ports,
			     "addresses_left", (json_int_t)n_left));
	free(backend);
}

static void level_cb(const struct ports_pair *p, enum ports_level was, void *arg)
{
	const struct detour at = {
		.local = p->local, .backend = p->backend, .port = p->port, .protocol = p->protocol
	};
	struct budget *b = arg;
	bool was_busy = b->status.n_pairs[PORTS_BUSY] > 0;
	size_t n_avoided;

	for (int level = PORTS_BUSY; level < N_PORTS_LEVELS; level++) {
		b->status.n_pairs[level] += (int)p->level >= level;
		b->status.n_pairs[level] -= (int)was >= level;
	}
	if (!was_busy && b->status.n_pairs[PORTS_BUSY] > 0)
		observer_want(b->observer, CT_EVENTS_NEW | CT_EVENTS_AT_ONCE);
	else if (was_busy && b->status.n_pairs[PORTS_BUSY] == 0)
		observer_unwant(b->observer, CT_EVENTS_NEW | CT_EVENTS_AT_ONCE);
	n_avoided = engine_set_detour(b->engine, p->pool->name, &at, p->level == PORTS_FULL);
	if (p->level >= PORTS_WARN || was >= PORTS_WARN)
		report(b, p, was, addresses_left(b, p, n_avoided));
}

struct budget *budget_new(struct engine *e, struct observer *o)
{
	struct budget *b = mem_zalloc(sizeof(*b));

	b->engine = e;
	b->observer = o;
	ports_on_level(stats_ports(observer_stats(o)), level_cb, b);
	return b;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	ports_on_level(stats_ports(observer_stats(b->observer)), NULL, NULL);
	free(b);
}

struct budget_status budget_status(const struct budget *b)
{
	return b->status;
}
