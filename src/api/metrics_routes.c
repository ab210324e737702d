/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /metrics, in the Prometheus text format 0.0.4. A metric is a row of a table. What is told of
 * services and their parts may be long, and is written in pieces.
 */
#include <stdlib.h>
#include <unistd.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/health_metrics.h"
#include "api/histogram.h"
#include "api/stats_metrics.h"
#include "api/stats_ports.h"
#include "base/mem.h"

#define PIECE_BYTES (32u << 10)

struct numbers {
	struct engine_status status;
	size_t n_services, n_pools, n_findings;
	struct observer_status observer;
	struct balancer_status balance;
	size_t n_balanced, n_limited, n_full, n_draining;
	struct budget_status budget;
	struct session_log_status session_log;
	uint64_t memory_bytes;
};

struct metric {
	const char *name, *type, *help;
	double (*value)(const struct numbers *n);
};

#define VALUE(name, expression)                                                                    \
	static double name(const struct numbers *n)                                                \
	{                                                                                          \
		return (double)(expression);                                                       \
	}

VALUE(generation, n->status.generation)
VALUE(services, n->n_services)
VALUE(pools, n->n_pools)
VALUE(elements, n->status.plan.n_elems)
VALUE(programs, n->status.plan.n_programs)
VALUE(lanes, n->status.plan.lanes)
VALUE(lanes_used, n->status.plan.lanes_used)
VALUE(batches, n->status.batches)
VALUE(batch_failures, n->status.batch_failures)
VALUE(last_commit, n->status.last_commit_ns / 1e9)
VALUE(drift, n->status.drift_repaired)
VALUE(pending, n->status.pending)
VALUE(findings, n->n_findings)
VALUE(owner, n->status.is_owner)
VALUE(durable, n->status.is_durable)
VALUE(memory, n->memory_bytes)
VALUE(events, n->observer.events.n_events)
VALUE(events_lost, n->observer.events.n_lost)
VALUE(events_overruns, n->observer.events.n_overruns)
VALUE(events_unreadable, n->observer.events.n_unreadable)
VALUE(events_foreign, n->observer.stats.n_foreign)
VALUE(events_duplicate, n->observer.stats.n_duplicates)
VALUE(events_stalls, n->observer.events.n_stalls)
VALUE(events_buffer, n->observer.events.buffer_bytes)
VALUE(events_backlog, n->observer.events.backlog_bytes)
VALUE(events_backlog_max, n->observer.events.backlog_max_bytes)
VALUE(events_reliable, n->observer.events.is_reliable)
VALUE(events_given_up, n->observer.events.n_given_up)
VALUE(listings, n->observer.stats.n_listings)
VALUE(listed, n->observer.stats.n_listed)
VALUE(listing_seconds, n->observer.last_listing_ns / 1e9)
VALUE(balanced, n->n_balanced)
VALUE(balance_error, n->balance.error_ppm / 1e6)
VALUE(balance_changes, n->balance.n_changes)
VALUE(balance_moved, n->balance.n_moved)
VALUE(limited, n->n_limited)
VALUE(full, n->n_full)
VALUE(draining, n->n_draining)
VALUE(stats_since, n->observer.since_ms / 1e3)
VALUE(stats_unobserved, n->observer.unobserved_ms / 1e3)
VALUE(insert_failed, n->observer.kernel.insert_failed)
VALUE(table_drops, n->observer.kernel.drop)
VALUE(early_drops, n->observer.kernel.early_drop)
VALUE(ports_warn, n->budget.n_pairs[PORTS_WARN])
VALUE(ports_full, n->budget.n_pairs[PORTS_FULL])
VALUE(sessions, n->session_log.n_written)
VALUE(sessions_lost, n->session_log.n_lost)
VALUE(stats_rows, n->observer.stats.n_rows)

static const struct metric metrics[] = {
	{ "fnat_generation", "gauge", "Number of the current generation.", generation },
	{ "fnat_balanced_services", "gauge", "Services with a load-aware scheduler.", balanced },
	{ "fnat_balance_error_ratio", "gauge",
	  "Largest deviation of the load of one of their backends from the mean, of the mean.",
	  balance_error },
	{ "fnat_balance_changes_total", "counter", "Times that slots of theirs moved.",
	  balance_changes },
	{ "fnat_balance_slots_moved_total", "counter", "Slots that moved, at least.",
	  balance_moved },
	{ "fnat_limited_backends", "gauge", "Backends that may have only so many connections.",
	  limited },
	{ "fnat_full_backends", "gauge", "Those of them that are full.", full },
	{ "fnat_draining_backends", "gauge", "Backends that drain and have not finished.",
	  draining },
	{ "fnat_services", "gauge", "Services configured.", services },
	{ "fnat_pools", "gauge", "Pools configured.", pools },
	{ "fnat_elements", "gauge", "Elements in the maps of the table.", elements },
	{ "fnat_programs", "gauge", "Programs (chains) in use.", programs },
	{ "fnat_lanes", "gauge", "Lanes there are.", lanes },
	{ "fnat_lanes_used", "gauge", "Lanes in use.", lanes_used },
	{ "fnat_batches_total", "counter", "Batches the kernel accepted.", batches },
	{ "fnat_batch_failures_total", "counter", "Batches the kernel refused.", batch_failures },
	{ "fnat_last_commit_seconds", "gauge", "Duration of the last batch.", last_commit },
	{ "fnat_drift_repaired_operations_total", "counter",
	  "Operations it took to repair changes made by others.", drift },
	{ "fnat_requests_pending", "gauge", "Changes that wait.", pending },
	{ "fnat_findings", "gauge", "Findings of the preflight.", findings },
	{ "fnat_table_owned", "gauge", "1 when the kernel protects the table.", owner },
	{ "fnat_durable", "gauge", "1 when changes are stored.", durable },
	{ "process_resident_memory_bytes", "gauge", "Resident memory of fnatd.", memory },
	{ "fnat_events_total", "counter", "Conntrack events that were counted.", events },
	{ "fnat_events_lost_total", "counter", "Conntrack events the kernel could not deliver.",
	  events_lost },
	{ "fnat_event_overruns_total", "counter", "Times the event buffer was full.",
	  events_overruns },
	{ "fnat_events_unreadable_total", "counter", "Conntrack events that were not understood.",
	  events_unreadable },
	{ "fnat_events_foreign_total", "counter",
	  "Ends of connections to nothing that is configured.", events_foreign },
	{ "fnat_events_duplicate_total", "counter",
	  "Ends of connections that the kernel told again, and that were not counted again.",
	  events_duplicate },
	{ "fnat_event_stalls_total", "counter", "Times that events waited to be counted.",
	  events_stalls },
	{ "fnat_event_buffer_bytes", "gauge", "Size of the event buffer.", events_buffer },
	{ "fnat_event_backlog_bytes", "gauge", "What waited there at the last look.",
	  events_backlog },
	{ "fnat_event_backlog_max_bytes", "gauge", "The most that ever waited there.",
	  events_backlog_max },
	{ "fnat_event_reliable", "gauge", "1 while the kernel keeps what does not fit there.",
	  events_reliable },
	{ "fnat_event_reliable_given_up_total", "counter",
	  "Times that was given up for a backlog that lasted.", events_given_up },
	{ "fnat_listings_total", "counter", "Listings of living connections.", listings },
	{ "fnat_listed_connections", "gauge", "Living connections in the last listing.", listed },
	{ "fnat_listing_seconds", "gauge", "Duration of the last listing.", listing_seconds },
	{ "fnat_stats_since_seconds", "gauge", "When counting began, seconds since 1970.",
	  stats_since },
	{ "fnat_stats_unobserved_seconds", "gauge", "For how long since then no daemon counted.",
	  stats_unobserved },
	{ "fnat_conntrack_insert_failed_total", "counter",
	  "New connections, of any kind, that found no free port, or lost a race for one.",
	  insert_failed },
	{ "fnat_conntrack_drop_total", "counter",
	  "Those, and others that conntrack dropped: its table is full.", table_drops },
	{ "fnat_conntrack_early_drop_total", "counter",
	  "Connections, of any kind, that had to make room there.", early_drops },
	{ "fnat_pool_ports_warn", "gauge",
	  "Local addresses towards a backend that have 80 % of their ports in use.", ports_warn },
	{ "fnat_pool_ports_full", "gauge",
	  "... 95 %: new connections go around them where they can.", ports_full },
	{ "fnat_session_log_lines_total", "counter", "Connections written to the session log.",
	  sessions },
	{ "fnat_session_log_lost_total", "counter", "Connections that are missing there.",
	  sessions_lost },
	{ "fnat_stats_objects", "gauge", "Objects with numbers of their own.", stats_rows },
};

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%*u %llu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_latency(const struct observer_status *o, FILE *out)
{
	static const char name[] = "fnat_event_batch_latency_seconds";

	histogram_put(name, "From reading a batch of events until it is counted.",
		      observer_latency_s, o->latency, OBSERVER_LATENCY_BUCKETS, o->latency_sum_s,
		      out);
}

static void put_own(const struct call *c, FILE *out)
{
	const struct model *m = engine_model(c->engine);
	struct numbers n = { .n_services = model_n_services(m),
			     .n_pools = model_n_pools(m),
			     .n_findings = engine_findings(c->engine)->n,
			     .observer = observer_status(c->observer),
			     .memory_bytes = resident_bytes() };

	if (c->balancer)
		n.n_balanced = balancer_total(c->balancer, &n.balance);
	if (c->limiter)
		limiter_total(c->limiter, &n.n_limited, &n.n_full);
	if (c->drainer)
		n.n_draining = drainer_total(c->drainer);
	if (c->budget)
		n.budget = budget_status(c->budget);
	if (c->session_log)
		n.session_log = session_log_status(c->session_log);
	engine_status(c->engine, &n.status);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct metric *metric = &metrics[i];

		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", metric->name, metric->help,
			metric->name, metric->type, metric->name, metric->value(&n));
	}
	put_latency(&n.observer, out);
	stats_ports_metrics(observer_stats(c->observer), out);
	if (c->health)
		health_metrics_totals(c->health, out);
}

struct metrics_stream {
	struct stats_metrics *of;
	struct health_metrics *health;
	FILE *out;
	char *text;
	size_t len;
};

static void more(struct http_request *req, void *arg)
{
	struct metrics_stream *ms = arg;
	bool is_more = true;

	while (is_more && ftell(ms->out) < (long)PIECE_BYTES)
		is_more = stats_metrics_put(ms->of, ms->out) ||
			  (ms->health && health_metrics_put(ms->health, ms->out));
	fflush(ms->out);
	http_reply_chunk(req, ms->text, (size_t)ftell(ms->out));
	rewind(ms->out);
	if (!is_more)
		http_reply_end(req);
}

static void done(void *arg)
{
	struct metrics_stream *ms = arg;

	stats_metrics_free(ms->of);
	health_metrics_free(ms->health);
	fclose(ms->out);
	free(ms->text);
	free(ms);
}

/* The numbers are fresh enough. */
static void answer(void *arg)
{
	static const struct http_stream stream = { more, done };
	struct call *c = arg;
	struct metrics_stream *ms = mem_zalloc(sizeof(*ms));

	ms->out = open_memstream(&ms->text, &ms->len);
	if (!ms->out) {
		free(ms);
		call_answer_problem(c, 503, "out of memory");
		return;
	}
	ms->of = stats_metrics_new(observer_stats(c->observer));
	ms->health = c->health ? health_metrics_new(c->health) : NULL;
	put_own(c, ms->out);
	call_answer_stream(c, "text/plain; version=0.0.4; charset=utf-8", &stream, ms);
}

void metrics_get(struct call *c)
{
	if (observer_is_recent(c->observer))
		answer(c);
	else
		call_refresh(c, NULL, answer);
}
