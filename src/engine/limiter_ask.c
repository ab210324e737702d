/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a gate has turned away and let through is in counters of its chain, which the kernel writer
 * reads between changes: of a few services at a time, so that no change waits long for it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "engine/engine_internal.h"
#include "engine/limiter_internal.h"

/* A count that is not remembered is one of before: a gate has another epoch, or another limit. */
static uint64_t handle_of(const struct admission *a)
{
	return (uint64_t)a->of << 32 | (uint64_t)a->epoch << 1 | 1;
}

void limiter_overflowed(struct limiter *l, const struct limited *s, const struct backend *b)
{
	const struct watched *w = &s->items[b - s->config->backends];

	stats_overflowed(observer_stats(l->observer), engine_model(l->engine), s->config->name, b,
			 handle_of(&w->admission), w->counts.n_refused);
}

static void take_report(struct limiter *l, const struct gate_report *r)
{
	struct limited *s = limited_find(l, r->service);
	const struct backend *b = s ? service_backend(s->config, r->backend) : NULL;
	struct watched *w = b ? &s->items[b - s->config->backends] : NULL;

	if (!w || w->admission.state == ADMISSION_SHUT || w->admission.epoch != r->gate.epoch)
		return;
	renewal_read(&w->renewal, r->counts.n_tokens, clock_mono_ms());
	w->counts = r->counts;
	limiter_overflowed(l, s, b);
}

static void asked_cb(const struct gate_reports *gates, void *arg)
{
	struct limiter *l = arg;

	l->is_asking = false;
	for (size_t i = 0; i < gates->n; i++)
		take_report(l, &gates->items[i]);
}

static void ask(struct limiter *l, const struct gates_asked *of)
{
	l->is_asking = of->n > 0;
	if (l->is_asking)
		engine_gates(l->engine, of, asked_cb, l);
}

static void ask_of(struct gates_asked *of, const struct limited *s)
{
	snprintf(of->names[of->n++], sizeof(of->names[0]), "%s", s->config->name);
}

/* Those where tokens are due. */
void limiter_ask_due(struct limiter *l)
{
	struct gates_asked of = { .n = 0 };

	for (struct limited *s = l->services; s && !l->is_asking && of.n < GATES_ASKED_MAX;
	     s = s->hh.next) {
		bool is_due = false;

		for (size_t i = 0; s->has_tokens && i < s->config->n_backends; i++)
			is_due = is_due ||
				 (s->items[i].renewal.due_ms && !s->items[i].renewal.read_ms);
		if (is_due)
			ask_of(&of, s);
	}
	if (of.n > 0)
		ask(l, &of);
}

/* A few services at a time, in turn. */
void limiter_ask(struct limiter *l)
{
	struct limited *s = l->asked_last ? limited_find(l, l->asked_last) : NULL;
	struct gates_asked of = { .n = 0 };

	if (l->is_asking)
		return;
	for (s = s && s->hh.next ? s->hh.next : l->services; s && of.n < GATES_ASKED_MAX;
	     s = s->hh.next) {
		if (s->has_gates)
			ask_of(&of, s);
	}
	free(l->asked_last);
	l->asked_last = of.n == GATES_ASKED_MAX ? mem_strdup(of.names[of.n - 1]) : NULL;
	ask(l, &of);
}
