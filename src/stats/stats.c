/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event counts in four rows. The rows with anything alive, or with rates that are not zero yet,
 * are in a list, so that the end of a listing costs what there is traffic for, and nothing at rest.
 */
#include "stats/stats.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stats/announced.h"
#include "stats/recent.h"
#include "stats/rows.h"
#include "stats/unanswered.h"

struct stats {
	struct rows rows;
	bool is_listing;
	uint64_t listing;    /* number of the current, or the last one */
	uint64_t settled_ns; /* end of the last one */
	uint64_t n_listed, n_listed_now;
	uint64_t n_foreign, n_duplicates, n_listings, n_overflowed, n_counted;
	struct recent recent;
	struct recent closed; /* TIME_WAIT: a reset may close them once more */
	struct announced announced;
	struct {
		stats_signal_fn *fn;
		void *arg;
	} followers[STATS_FOLLOWERS_MAX];
	size_t n_followers;
	stats_end_fn *on_end;
	void *on_end_arg;
	struct unanswered *unanswered; /* NULL: nobody watches */
	stats_load_fn *load;
	void *load_arg;
};

struct stats *stats_new(void)
{
	return mem_zalloc(sizeof(struct stats));
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	rows_fini(&s->rows);
	recent_fini(&s->recent);
	recent_fini(&s->closed);
	announced_fini(&s->announced);
	unanswered_free(s->unanswered);
	free(s);
}

void stats_apply(struct stats *s, const struct model *m, const struct change *c)
{
	rows_apply(&s->rows, m, c);
}

static void touch(struct stats *s, struct row *row)
{
	if (row->is_busy)
		return;
	row->is_busy = true;
	LIST_INSERT_HEAD(&s->rows.busy, row, busy);
	meter_wake(&row->meter, s->settled_ns);
}

static void count(struct stats *s, struct row *row, const struct flow *f)
{
	touch(s, row);
	switch ((enum flow_kind)f->kind) {
	case FLOW_NEW:
		meter_begin(&row->meter, s->is_listing);
		break;
	case FLOW_UPDATE:
		meter_update(&row->meter, f);
		break;
	case FLOW_DESTROY:
		meter_end(&row->meter, f, s->is_listing);
		break;
	case FLOW_LISTED:
		meter_list(&row->meter, f, s->listing);
		break;
	case FLOW_ANNOUNCED:
		break;
	}
}

/* Has the backend so many connections that the ports of local addresses may run out? */
static bool is_watched(struct backend_row *b, const struct port_pool *pool, const struct flow *f)
{
	const struct meter *m = &b->row.meter;

	if (!b->is_watched && f->kind == FLOW_LISTED)
		b->is_watched =
			(uint64_t)(m->listed_active + m->listed_inactive) * PORTS_WATCH_PART >=
			pool->n_ports;
	return b->is_watched;
}

static void unwatch(struct row *row)
{
	struct backend_row *b = (struct backend_row *)row;
	const struct service_row *service = row->key.owner;

	if (row->kind == STATS_BACKEND && b->is_watched &&
	    (uint64_t)(row->meter.active + row->meter.inactive) * 2 * PORTS_WATCH_PART <
		    service->pool->ports.n_ports)
		b->is_watched = false;
}

static void count_all(struct stats *s, const struct found *found, const struct flow *f)
{
	count(s, &found->service->row, f);
	count(s, &found->listener->row, f);
	count(s, &found->local->row, f);
	if (!found->backend)
		return;
	count(s, &found->backend->row, f);
	/* What a helper announced has ports of its own at the backend. */
	if (f->master_to.address.family == 0 &&
	    is_watched(found->backend, &found->service->pool->ports, f))
		ports_flow(&s->rows.ports, &found->service->pool->ports, f, s->listing);
}

/* It was open no longer before this change of its state. */
static bool is_closed_again(struct stats *s, const struct flow *f)
{
	return f->kind == FLOW_UPDATE && flow_is_closed(f) && recent_is_again(&s->closed, f);
}

static enum stats_signal signal_of(const struct flow *f)
{
	switch (flow_end_of(f)) {
	case END_REFUSED:
		return SIGNAL_REFUSED;
	case END_FAILED:
		if (f->protocol == IPPROTO_UDP)
			return SIGNAL_UNREPLIED;
		/* Without counters a reset looks like this; so does a deletion. */
		return f->has_counters || f->is_expired ? SIGNAL_UNANSWERED : SIGNAL_REFUSED;
	case END_TIMED_OUT:
	case N_ENDS:
		break;
	}
	return SIGNAL_ANSWERED;
}

/* Who watches how full backends are. */
static void tell_load(const struct stats *s, const struct found *found, const struct flow *f)
{
	const struct backend_row *b = found->backend;

	if (b && b->is_limited && s->load && f->kind != FLOW_LISTED)
		s->load(found->service->config->name, b->config, s->load_arg);
}

static void say(const struct stats *s, const struct found *found, const struct stats_said *said)
{
	for (size_t i = 0; i < s->n_followers; i++)
		s->followers[i].fn(found->service->config->name, found->backend->config, said,
				   s->followers[i].arg);
}

static bool is_followed(const struct stats *s, const struct flow *f)
{
	return s->unanswered && (f->protocol == IPPROTO_TCP || f->protocol == IPPROTO_SCTP);
}

/* From its begin to the first reply, or to its end. */
static void watch(struct stats *s, const struct found *found, const struct flow *f)
{
	struct unanswered_time time;

	if (f->kind == FLOW_NEW) {
		unanswered_begin(s->unanswered, f);
	} else if (f->kind == FLOW_UPDATE && (f->status & FLOW_SEEN_REPLY) &&
		   unanswered_end(s->unanswered, f, &time)) {
		const struct stats_said said = { SIGNAL_REPLIED, time.ns, time.is_exact };

		say(s, found, &said);
	}
}

/* Somebody deleted the entry: that says nothing. */
static bool is_deleted(const struct flow *f)
{
	return f->has_counters && !f->is_expired && f->packets_out == 0;
}

static void tell(struct stats *s, const struct found *found, const struct flow *f)
{
	struct stats_said said = { .what = SIGNAL_ANSWERED };
	struct unanswered_time time;
	bool is_new = true;

	if (!found->service->is_observed || !found->backend || !found->backend->config ||
	    f->master_to.address.family != 0)
		return;
	if (is_followed(s, f)) {
		watch(s, found, f);
		is_new = f->kind == FLOW_DESTROY && unanswered_end(s->unanswered, f, &time);
	}
	if (f->kind != FLOW_DESTROY)
		return;
	said.what = signal_of(f);
	/* What was overdue was told then. */
	if ((said.what == SIGNAL_UNANSWERED && !is_new) || is_deleted(f))
		return;
	say(s, found, &said);
}

static struct flow reversed(const struct flow *f)
{
	struct flow r = *f;

	r.packets_in = f->packets_out;
	r.packets_out = f->packets_in;
	r.bytes_in = f->bytes_out;
	r.bytes_out = f->bytes_in;
	return r;
}

/* The kernel names the master in a listing, and not in the event of the end. */
static const struct flow_end *master_of(const struct stats *s, const struct flow *f)
{
	if (!(f->status & FLOW_EXPECTED) || f->master_to.address.family != 0)
		return NULL;
	return announced_find(&s->announced, f);
}

void stats_flow(struct stats *s, const struct model *m, const struct flow *f)
{
	const struct flow_end *master = master_of(s, f);
	struct flow r, with_master;
	struct found found;

	if (f->kind == FLOW_ANNOUNCED) {
		announced_note(&s->announced, f);
		return;
	}
	if (f->kind == FLOW_LISTED && !s->is_listing)
		return;
	if (master) {
		with_master = *f;
		with_master.master_to = *master;
		f = &with_master;
	}
	if (!rows_find(&s->rows, m, f, &found)) {
		if (f->kind == FLOW_DESTROY)
			s->n_foreign++;
		return;
	}
	if (f->kind == FLOW_DESTROY && recent_is_again(&s->recent, f)) {
		s->n_duplicates++;
		return;
	}
	if (is_closed_again(s, f))
		return;
	if (f->kind == FLOW_LISTED)
		s->n_listed_now++;
	if (f->kind == FLOW_DESTROY && s->on_end)
		s->on_end(found.service->config->name, found.backend ? found.backend->config : NULL,
			  f, s->on_end_arg);
	if (found.is_reversed) {
		r = reversed(f);
		f = &r;
	}
	count_all(s, &found, f);
	tell(s, &found, f);
	tell_load(s, &found, f);
}

static void fetch(const struct stats *s, const struct flow *flows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (flows[i].kind == FLOW_DESTROY)
			recent_fetch(&s->recent, &flows[i]);
	}
	rows_fetch(&s->rows, flows, n);
}

void stats_flows(struct stats *s, const struct model *m, const struct flow *flows, size_t n)
{
	while (n > 0) {
		size_t n_now = n < ROWS_FETCH_MAX ? n : ROWS_FETCH_MAX;

		fetch(s, flows, n_now);
		for (size_t i = 0; i < n_now; i++)
			stats_flow(s, m, &flows[i]);
		flows += n_now;
		n -= n_now;
	}
}

void stats_list_begin(struct stats *s)
{
	s->is_listing = true;
	s->listing++;
	s->n_listed_now = 0;
}

void stats_list_end(struct stats *s, const struct model *m, uint64_t now_ns, bool has_lost)
{
	struct row *row, *next;

	s->is_listing = false;
	s->settled_ns = now_ns;
	s->n_listed = s->n_listed_now;
	s->n_listings++;
	ports_settle(&s->rows.ports, s->listing);
	for (row = LIST_FIRST(&s->rows.busy); row; row = next) {
		next = LIST_NEXT(row, busy);
		if (meter_settle(&row->meter, s->listing, now_ns, has_lost)) {
			unwatch(row);
			continue;
		}
		LIST_REMOVE(row, busy);
		row->is_busy = false;
		rows_rest(&s->rows, m, row);
	}
}

void stats_list_cancel(struct stats *s)
{
	struct row *row;

	s->is_listing = false;
	for (row = LIST_FIRST(&s->rows.busy); row; row = LIST_NEXT(row, busy))
		meter_cancel(&row->meter);
}

static struct meter numbers(const struct row *row)
{
	return row ? row->meter : (struct meter){ .active = 0 };
}

struct meter stats_of_service(const struct stats *s, const char *service)
{
	const struct service_row *r = rows_service(&s->rows, service);

	return numbers(r ? &r->row : NULL);
}

struct meter stats_of_listener(const struct stats *s, const struct listener *l)
{
	const struct listener_row *r = rows_listener(&s->rows, l);

	return numbers(r ? &r->row : NULL);
}

struct meter stats_of_backend(const struct stats *s, const char *service, const struct backend *b)
{
	const struct backend_row *r = rows_backend(&s->rows, service, &b->address, b->port);

	return numbers(r ? &r->row : NULL);
}

struct stats_live stats_live(const struct stats *s, const char *service, const struct backend *b)
{
	const struct backend_row *r = rows_backend(&s->rows, service, &b->address, b->port);

	return r ? (struct stats_live){ r->row.meter.active, r->row.meter.inactive,
					r->row.meter.open, r->row.meter.begun }
		 : (struct stats_live){ 0, 0, 0, 0 };
}

void stats_on_end(struct stats *s, stats_end_fn *fn, void *arg)
{
	s->on_end = fn;
	s->on_end_arg = arg;
}

struct ports *stats_ports(struct stats *s)
{
	return &s->rows.ports;
}

static void tell_address(struct pool_row *p, struct row *row, stats_object_fn *fn, void *arg)
{
	const struct stats_object o = {
		.kind = STATS_POOL_ADDRESS,
		.pool = p->name,
		.address = &row->key.address,
		.meter = &row->meter,
	};

	fn(&o, arg);
}

static void tell_child(struct service_row *s, struct row *row, stats_object_fn *fn, void *arg)
{
	struct stats_object o = {
		.kind = row->kind,
		.service = s->config->name,
		.meter = &row->meter,
		.is_counted = s->config->counts_begun,
	};

	if (row->kind == STATS_LISTENER)
		o.listener = &((struct listener_row *)row)->at;
	else
		o.backend = ((struct backend_row *)row)->config;
	if (o.listener || o.backend)
		fn(&o, arg);
}

void stats_each_address(const struct stats *s, const char *pool, stats_object_fn *fn, void *arg)
{
	struct pool_row *p = rows_pool(&s->rows, pool);
	struct row *row;

	for (row = p ? LIST_FIRST(&p->children) : NULL; row; row = LIST_NEXT(row, sibling))
		tell_address(p, row, fn, arg);
}

void stats_each(const struct stats *s, stats_object_fn *fn, void *arg)
{
	struct service_row *service, *next_service;
	struct pool_row *pool, *next_pool;
	struct row *row;

	HASH_ITER (hh, s->rows.services, service, next_service) {
		const struct stats_object o = {
			.kind = STATS_SERVICE,
			.service = service->config->name,
			.meter = &service->row.meter,
			.is_counted = service->config->counts_begun,
		};

		fn(&o, arg);
		for (row = LIST_FIRST(&service->children); row; row = LIST_NEXT(row, sibling))
			tell_child(service, row, fn, arg);
	}
	HASH_ITER (hh, s->rows.pools, pool, next_pool)
		stats_each_address(s, pool->name, fn, arg);
}

void stats_restore(struct stats *s, const struct model *m, enum stats_kind kind, const char *name,
		   uint8_t protocol, const struct flow_end *at, const struct meter_saved *from)
{
	struct row *row = rows_restore(&s->rows, m, kind, name, protocol, at);

	if (!row)
		return;
	meter_restore(&row->meter, from);
	touch(s, row); /* the first listing tells what became of it */
}

/* Of the backend, or of the service (NULL). One that had nothing is not made for nothing. */
static struct row *row_for(struct stats *s, const struct model *m, const char *service,
			   const struct backend *b, uint64_t n)
{
	struct flow_end at = { .port = b ? b->port : 0 };

	if (b)
		at.address = b->address;
	if (n == 0 && !(b ? (const void *)rows_backend(&s->rows, service, &at.address, at.port)
			  : (const void *)rows_service(&s->rows, service)))
		return NULL;
	return rows_restore(&s->rows, m, b ? STATS_BACKEND : STATS_SERVICE, service, 0, &at);
}

void stats_overflowed(struct stats *s, const struct model *m, const char *service,
		      const struct backend *b, uint64_t handle, uint64_t packets)
{
	struct row *row = row_for(s, m, service, b, packets);

	if (row)
		s->n_overflowed += meter_overflowed(&row->meter, handle, packets);
}

void stats_counted(struct stats *s, const struct model *m, const char *service,
		   const struct backend *b, uint64_t handle, uint64_t before, uint64_t packets)
{
	struct row *row = b ? row_for(s, m, service, b, packets) : NULL;
	uint64_t n = row ? meter_counted(&row->meter, handle, before, packets) : 0;

	/* The backend's row may be from before it went; what came since then the service has. */
	if (before > 0 && packets >= before)
		n = packets - before;
	row = row_for(s, m, service, NULL, n);
	if (row)
		row->meter.counted += n;
	s->n_counted += n;
}

void stats_remembered(struct stats *s, const struct model *m, const char *service,
		      const struct backend *b, uint64_t n)
{
	struct row *row = row_for(s, m, service, b, n);

	if (row)
		row->meter.remembered = n;
}

static void zero_children(struct row_list *list)
{
	struct row *row;

	for (row = LIST_FIRST(list); row; row = LIST_NEXT(row, sibling))
		meter_zero(&row->meter);
}

static void zero_service(struct service_row *s)
{
	meter_zero(&s->row.meter);
	zero_children(&s->children);
}

void stats_zero(struct stats *s, const char *name)
{
	struct service_row *service = name ? rows_service(&s->rows, name) : NULL, *next;
	struct pool_row *pool, *next_pool;

	if (service)
		zero_service(service);
	if (name)
		return;
	HASH_ITER (hh, s->rows.services, service, next)
		zero_service(service);
	HASH_ITER (hh, s->rows.pools, pool, next_pool)
		zero_children(&pool->children);
}

void stats_follow(struct stats *s, stats_signal_fn *fn, void *arg)
{
	if (s->n_followers == STATS_FOLLOWERS_MAX)
		abort();
	s->followers[s->n_followers].fn = fn;
	s->followers[s->n_followers++].arg = arg;
}

void stats_follow_load(struct stats *s, stats_load_fn *fn, void *arg)
{
	s->load = fn;
	s->load_arg = arg;
}

void stats_watch(struct stats *s, bool is_on)
{
	if (is_on == (s->unanswered != NULL))
		return;
	unanswered_free(s->unanswered);
	s->unanswered = is_on ? unanswered_new() : NULL;
}

void stats_watch_again(struct stats *s)
{
	if (s->unanswered)
		unanswered_clear(s->unanswered);
}

uint64_t stats_next_overdue_ns(const struct stats *s)
{
	uint64_t oldest_ns = s->unanswered ? unanswered_oldest_ns(s->unanswered) : 0;

	return oldest_ns ? oldest_ns + STATS_OVERDUE_NS : 0;
}

void stats_overdue(struct stats *s, const struct model *m, uint64_t now_ns)
{
	const struct stats_said said = { .what = SIGNAL_UNANSWERED };
	uint64_t due_ns;

	while ((due_ns = stats_next_overdue_ns(s)) && due_ns <= now_ns) {
		struct flow f = unanswered_take(s->unanswered);
		struct found found;

		if (rows_find(&s->rows, m, &f, &found) && found.backend && found.backend->config)
			say(s, &found, &said);
	}
}

struct stats_self stats_self(const struct stats *s)
{
	return (struct stats_self){
		.n_foreign = s->n_foreign,
		.n_duplicates = s->n_duplicates,
		.n_listings = s->n_listings,
		.n_listed = s->n_listed,
		.n_rows = s->rows.n_rows,
		.n_overflowed = s->n_overflowed,
		.n_counted = s->n_counted,
	};
}
