/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As stats_metrics.c: a metric is a column, its lines stand together. Of the states of a backend
 * only the one that it is in is told, so that a thousand backends are a thousand lines.
 */
#include "api/health_metrics.h"

#include <inttypes.h>
#include <stdlib.h>

#include "api/histogram.h"
#include "base/mem.h"

static void put_head(const char *name, const char *type, const char *help, FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_durations(const struct health_totals *t, FILE *out)
{
	static const char name[] = "fnat_health_check_seconds";

	histogram_put(name, "Duration of checks that were made.", health_bucket_s, t->took,
		      HEALTH_BUCKETS, t->took_sum_s, out);
}

static void put_states(const char *name, const struct health_totals *t, FILE *out)
{
	for (enum health_state s = 0; s <= HEALTH_DISABLED; s++)
		fprintf(out, "%s{state=\"%s\"} %zu\n", name, health_state_name(s), t->by_state[s]);
}

static void put_running(const char *name, const struct health_totals *t, FILE *out)
{
	fprintf(out, "%s %zu\n", name, t->running);
}

static void put_made(const char *name, const struct health_totals *t, FILE *out)
{
	const uint64_t counts[PROBE_N_RESULTS] = {
		[PROBE_OK] = t->ok, [PROBE_FAILED] = t->failed, [PROBE_UNDONE] = t->undone
	};

	for (enum probe_result r = 0; r < PROBE_N_RESULTS; r++)
		fprintf(out, "%s{result=\"%s\"} %" PRIu64 "\n", name, probe_result_name(r),
			counts[r]);
}

static const struct {
	const char *name, *type, *help;
	void (*put)(const char *name, const struct health_totals *t, FILE *out);
} totals[] = {
	{ "fnat_health_backends", "gauge", "Backends that are checked, by state.", put_states },
	{ "fnat_health_checks_running", "gauge", "Checks under way.", put_running },
	{ "fnat_health_checks_total", "counter", "Checks by result.", put_made },
};

void health_metrics_totals(const struct health *h, FILE *out)
{
	struct health_totals t;

	health_totals(h, &t);
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		put_head(totals[i].name, totals[i].type, totals[i].help, out);
		totals[i].put(totals[i].name, &t, out);
	}
	put_durations(&t, out);
}

/* --- of each backend ----------------------------------------------------------------------- */

struct line {
	char *labels;
	enum health_state state;
	bool is_down, has_last;
	bool has_agent, is_agent_down;
	uint64_t counts[PROBE_N_RESULTS], agent_counts[PROBE_N_RESULTS];
	double last_s;
	struct health_replies replies;
};

struct health_metrics {
	struct line *items;
	size_t n, cap;
	/* What comes next. */
	size_t column, line;
};

static void put_state(const char *name, const struct line *l, FILE *out)
{
	fprintf(out, "%s{%s,state=\"%s\"} 1\n", name, l->labels, health_state_name(l->state));
}

static void put_down(const char *name, const struct line *l, FILE *out)
{
	fprintf(out, "%s{%s} %d\n", name, l->labels, l->is_down);
}

static void put_results(const char *name, const struct line *l,
			const uint64_t counts[PROBE_N_RESULTS], FILE *out)
{
	for (enum probe_result r = 0; r < PROBE_N_RESULTS; r++)
		fprintf(out, "%s{%s,result=\"%s\"} %" PRIu64 "\n", name, l->labels,
			probe_result_name(r), counts[r]);
}

static void put_counts(const char *name, const struct line *l, FILE *out)
{
	put_results(name, l, l->counts, out);
}

static void put_agent_down(const char *name, const struct line *l, FILE *out)
{
	if (l->has_agent)
		fprintf(out, "%s{%s} %d\n", name, l->labels, l->is_agent_down);
}

static void put_agent_counts(const char *name, const struct line *l, FILE *out)
{
	if (l->has_agent)
		put_results(name, l, l->agent_counts, out);
}

static void put_last(const char *name, const struct line *l, FILE *out)
{
	if (l->has_last)
		fprintf(out, "%s{%s} %.6g\n", name, l->labels, l->last_s);
}

static void put_replies(const char *name, const struct line *l, FILE *out)
{
	if (l->replies.n)
		fprintf(out, "%s_sum{%s} %.9g\n%s_count{%s} %" PRIu64 "\n", name, l->labels,
			l->replies.sum_s, name, l->labels, l->replies.n);
}

static const struct {
	const char *name, *type, *help;
	void (*put)(const char *name, const struct line *l, FILE *out);
} columns[] = {
	{ "fnat_backend_health", "gauge", "1 for the state that a checked backend is in.",
	  put_state },
	{ "fnat_backend_down", "gauge", "1 while it gets no new connections for that.", put_down },
	{ "fnat_backend_checks_total", "counter", "Checks of it by result.", put_counts },
	{ "fnat_backend_check_seconds", "gauge", "Duration of its last check.", put_last },
	{ "fnat_backend_agent_down", "gauge", "1 while the agent beside the check says so.",
	  put_agent_down },
	{ "fnat_backend_agent_checks_total", "counter",
	  "Questions to the agent beside the check, by result.", put_agent_counts },
	{ "fnat_backend_reply_seconds", "summary",
	  "From the first packet of clients' connections to its reply, where they are observed.",
	  put_replies },
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void copy_counts(const struct results *r, uint64_t counts[PROBE_N_RESULTS])
{
	counts[PROBE_OK] = r->n_ok;
	counts[PROBE_FAILED] = r->n_failed;
	counts[PROBE_UNDONE] = r->n_undone;
}

static void add(const struct health_backend *b, void *arg)
{
	struct health_metrics *hm = arg;
	const struct result *last = results_get(b->results, 0);
	/* No name needs an escape. */
	struct line l = {
		.labels = mem_printf("service=\"%s\",backend=\"%s\"", b->service->name, b->name),
		.state = b->state,
		.is_down = b->is_down,
		.has_last = last != NULL,
		.last_s = last ? last->duration_us / 1e6 : 0,
		.replies = *b->replies,
		.has_agent = b->agent != NULL,
		.is_agent_down = b->agent && b->agent->is_down,
	};

	copy_counts(b->results, l.counts);
	if (b->agent)
		copy_counts(b->agent->results, l.agent_counts);
	VEC_PUSH(hm->items, hm->n, hm->cap) = l;
}

struct health_metrics *health_metrics_new(const struct health *h)
{
	struct health_metrics *hm = mem_zalloc(sizeof(*hm));

	health_each(h, add, hm);
	return hm;
}

void health_metrics_free(struct health_metrics *hm)
{
	if (!hm)
		return;
	for (size_t i = 0; i < hm->n; i++)
		free(hm->items[i].labels);
	free(hm->items);
	free(hm);
}

bool health_metrics_put(struct health_metrics *hm, FILE *out)
{
	if (hm->n == 0 || hm->column == N_COLUMNS)
		return false;
	if (hm->line == 0)
		put_head(columns[hm->column].name, columns[hm->column].type,
			 columns[hm->column].help, out);
	columns[hm->column].put(columns[hm->column].name, &hm->items[hm->line], out);
	if (++hm->line == hm->n) {
		hm->line = 0;
		hm->column++;
	}
	return true;
}
