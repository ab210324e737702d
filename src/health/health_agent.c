/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An agent beside the check, as HAProxy has it: the check finds out whether the backend works, the
 * agent is told what somebody wants. So an agent that cannot be reached says nothing at all, and
 * what it says is no measurement to be counted: it holds, until it says otherwise.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "health/health_internal.h"

bool agent_is_down(const struct checked *b)
{
	return b->agent && (b->agent->said.is_down || b->agent->is_awaited);
}

enum probe_order checked_order(const struct checked *b)
{
	return b->agent ? b->agent->said.order : b->order;
}

/* A probe that is new knows nothing of what was said before. */
static void take_words(struct health_agent *said, const struct probe_outcome *outcome)
{
	if (outcome->weight_percent >= 0)
		said->weight_percent = outcome->weight_percent;
	if (outcome->order != PROBE_ORDER_NONE)
		said->order = outcome->order;
	if (outcome->is_decision)
		said->is_down = outcome->result == PROBE_FAILED;
}

static void agent_done_cb(struct probe *p, const struct probe_outcome *outcome)
{
	struct checked *b = p->arg;
	struct health *h = b->service->health;
	struct agent *a = b->agent;

	results_add(&a->results, clock_real_ms(), outcome);
	a->is_awaited = false;
	if (outcome->result != PROBE_UNDONE)
		checked_warn(b, a->warning, outcome->warning);
	take_words(&a->said, outcome);
	if (outcome->result == PROBE_OK)
		checked_answered(b);
	asking_next(h, &a->asking, p->check->interval_ms);
	checked_tell(h, b, outcome->reason, outcome->duration_us);
}

static struct agent *agent_new(struct checked *b)
{
	struct agent *a = mem_zalloc(sizeof(*a));

	a->asking.owner = b;
	a->said.weight_percent = -1;
	a->said.results = &a->results;
	a->said.warning = a->warning;
	return a;
}

void agent_drop(struct health *h, struct checked *b)
{
	if (b->agent)
		asking_stop(h, &b->agent->asking);
	free(b->agent);
	b->agent = NULL;
}

void agent_follow(struct health *h, struct checked *b, bool is_other)
{
	const struct check *check = b->service->value->agent;

	if (!check) {
		agent_drop(h, b);
		return;
	}
	if (!b->agent)
		b->agent = agent_new(b);
	if (is_other)
		asking_begin(h, &b->agent->asking, check, agent_done_cb);
	else
		asking_rename(&b->agent->asking);
}
