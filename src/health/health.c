/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to ask. One timer of the loop stands for the deadlines of all checks; each round of the
 * loop begins a limited number, so that a burst of checks that are due does not delay an answer
 * of the API. Times vary by chance from the first check on: 10,000 backends that were configured
 * at once are not asked at once, and do not fall into step later.
 */
#include "health/health.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "health/health_internal.h"

#define STARTS_PER_ROUND 64
/* The first checks of n backends are spread over n times this, or over their interval if shorter.
 */
#define SPREAD_US 200

const double health_bucket_s[HEALTH_BUCKETS] = { 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3 };

/* xorshift64*: below max, or 0. */
static uint64_t random_below(struct health *h, uint64_t max)
{
	h->random ^= h->random >> 12;
	h->random ^= h->random << 25;
	h->random ^= h->random >> 27;
	return max ? (h->random * 0x2545f4914f6cdd1d >> 11) % max : 0;
}

static const struct check *check_of(const struct checked *b)
{
	return b->service->value->check;
}

void health_arm(struct health *h)
{
	const struct timer *first = timers_first(&h->timers);
	const struct timer *over = timers_first(&h->inhibitions);
	uint64_t now_us, wait_us;

	if (over && (!first || over->at_us < first->at_us))
		first = over;

	if (!first || (h->armed_us && h->armed_us <= first->at_us))
		return;
	now_us = clock_mono_us();
	wait_us = first->at_us > now_us ? first->at_us - now_us : 0;
	h->armed_us = first->at_us;
	event_add(h->tick, &(struct timeval){ .tv_sec = (time_t)(wait_us / 1000000),
					      .tv_usec = (suseconds_t)(wait_us % 1000000) });
}

static uint32_t interval_ms(const struct checked *b)
{
	const struct check *c = check_of(b);

	if (b->machine.state == HEALTH_DOWN && c->down_interval_ms)
		return c->down_interval_ms;
	if (machine_is_in_transition(&b->machine) && c->fast_interval_ms)
		return c->fast_interval_ms;
	return c->interval_ms;
}

void asking_next(struct health *h, struct asking *a, uint32_t interval_ms)
{
	uint64_t interval_us = (uint64_t)interval_ms * 1000, now_us = clock_mono_us();
	uint64_t jitter_us = interval_us * a->probe->check->jitter_percent / 100;
	uint64_t at_us =
		a->probe->started_us + interval_us - jitter_us + random_below(h, 2 * jitter_us + 1);

	timers_set(&h->timers, &a->timer, at_us > now_us ? at_us : now_us);
	h->n_running--;
	health_arm(h);
}

static void schedule_soon(struct health *h, struct asking *a)
{
	uint64_t spread_us = (uint64_t)h->n_backends * SPREAD_US;
	uint64_t interval_us = (uint64_t)a->probe->check->interval_ms * 1000;

	if (spread_us > interval_us)
		spread_us = interval_us;
	timers_set(&h->timers, &a->timer, clock_mono_us() + random_below(h, spread_us));
}

void asking_stop(struct health *h, struct asking *a)
{
	timers_clear(&h->timers, &a->timer);
	if (a->probe && a->probe->is_running)
		h->n_running--;
	probe_free(a->probe);
	a->probe = NULL;
}

void asking_begin(struct health *h, struct asking *a, const struct check *check,
		  probe_done_fn *done)
{
	struct checked *b = a->owner;
	const struct probe_target target = {
		.service = b->service->value->name,
		.backend = b->name,
		.address = b->address,
		.port = b->port,
	};

	asking_stop(h, a);
	if (!probe_type_of(check))
		return;
	a->probe = probe_new(h->prober, check, &target, done, b);
	schedule_soon(h, a);
}

void asking_rename(struct asking *a)
{
	if (!a->probe)
		return;
	a->probe->target.service = a->owner->service->value->name;
	a->probe->target.backend = a->owner->name;
}

/* -1: nothing is asked. */
static int64_t next_in_ms(const struct asking *a, uint64_t now_us)
{
	if (!a->probe)
		return -1;
	if (a->probe->is_running || a->timer.at_us < now_us)
		return 0;
	return (int64_t)(a->timer.at_us - now_us) / 1000;
}

bool checked_is_held(const struct checked *b)
{
	return b->observed.passive.is_down || b->flapping.passive.is_down;
}

/* How long it is held yet. */
static int64_t held_ms(const struct checked *b, uint64_t now_us)
{
	uint64_t until_us = 0;

	if (b->observed.passive.is_down)
		until_us = b->observed.passive.until_us;
	if (b->flapping.passive.is_down && b->flapping.passive.until_us > until_us)
		until_us = b->flapping.passive.until_us;
	return until_us > now_us ? (int64_t)(until_us - now_us) / 1000 + 1 : 0;
}

void hold_drop(struct health *h, struct hold *hold)
{
	timers_clear(&h->inhibitions, &hold->timer);
	hold->passive = (struct passive){ 0 };
}

bool checked_is_down(const struct checked *b)
{
	return checked_is_held(b) || agent_is_down(b) || checked_order(b) == PROBE_ORDER_MAINT ||
	       (b->asking.probe && machine_is_down(&b->machine, &b->rule));
}

enum health_state checked_state(const struct checked *b)
{
	bool is_draining = b->is_draining || checked_order(b) == PROBE_ORDER_DRAIN;
	bool is_disabled =
		(!b->asking.probe && !b->agent && check_of(b)->observe == CHECK_OBSERVE_OFF) ||
		checked_order(b) == PROBE_ORDER_MAINT;

	if ((checked_is_held(b) || agent_is_down(b)) && !is_disabled)
		return HEALTH_DOWN;

	return machine_shown(&b->machine, is_draining, is_disabled);
}

int checked_weight(const struct checked *b)
{
	int percent = b->agent ? b->agent->said.weight_percent : b->weight_percent;
	uint64_t weight = b->weight >= 0 ? (uint64_t)b->weight : b->configured_weight;

	if (checked_order(b) == PROBE_ORDER_DRAIN)
		return 0;
	if (percent < 0 || weight == 0)
		return b->weight;
	weight = weight * (unsigned int)percent / 100;
	if (weight > MODEL_WEIGHT_MAX)
		return MODEL_WEIGHT_MAX;
	return percent > 0 && weight == 0 ? 1 : (int)weight;
}

void checked_view(const struct health *h, const struct checked *b, struct health_backend *out)
{
	uint64_t now_us = clock_mono_us();
	const struct probe *probe = b->asking.probe;

	(void)h;
	*out = (struct health_backend){
		.service = b->service->value,
		.name = b->name,
		.address = probe ? probe->target.address : b->address,
		.port = probe ? probe->target.port : b->port,
		.state = checked_state(b),
		.is_down = checked_is_down(b),
		.since_ms = b->since_ms,
		.inhibited_ms = held_ms(b, now_us),
		.needed = machine_needed(&b->machine, &b->rule),
		.next_in_ms = next_in_ms(&b->asking, now_us),
		.results = &b->results,
		.replies = &b->replies,
		.warning = b->warning,
		.weight = checked_weight(b),
		.agent = b->agent ? &b->agent->said : NULL,
	};
}

void checked_tell(struct health *h, struct checked *b, const char *reason, uint32_t duration_us)
{
	struct health_backend now;
	struct health_change change = { .now = &now,
					.before = b->told,
					.was_down = b->told_down,
					.reason = reason,
					.duration_us = duration_us };

	if (b->told == checked_state(b) && b->told_down == checked_is_down(b) &&
	    b->told_weight == checked_weight(b))
		return;
	if (b->told != checked_state(b))
		b->since_ms = clock_real_ms();
	h->by_state[b->told]--;
	h->by_state[checked_state(b)]++;
	b->told = checked_state(b);
	b->told_down = checked_is_down(b);
	b->told_weight = checked_weight(b);
	checked_view(h, b, &now);
	if (change.before == now.state)
		log_info("health", "%s/%s weight %d (%s, %u ms)", now.service->name, now.name,
			 now.weight, reason, duration_us / 1000);
	else
		log_info("health", "%s/%s %s -> %s (%s, %u ms)", now.service->name, now.name,
			 health_state_name(change.before), health_state_name(now.state), reason,
			 duration_us / 1000);
	if (h->changed)
		h->changed(&change, h->arg);
}

static void note_duration(struct health *h, double s)
{
	size_t i = 0;

	while (i < HEALTH_BUCKETS && s > health_bucket_s[i])
		i++;
	h->took[i]++;
	h->took_sum_s += s;
}

void checked_warn(const struct checked *b, char kept[PROBE_REASON_BYTES], const char *warning)
{
	if (strcmp(kept, warning) != 0 && *warning)
		log_warn("health", "%s/%s: %s", b->service->value->name, b->name, warning);
	strcpy(kept, warning);
}

static void take_outcome(struct health *h, struct checked *b, const struct probe_outcome *outcome)
{
	static const struct machine_rule at_once = { .rise = 1, .fall = 1 };

	results_add(&b->results, clock_real_ms(), outcome);
	h->n_ok += outcome->result == PROBE_OK;
	h->n_failed += outcome->result == PROBE_FAILED;
	h->n_undone += outcome->result == PROBE_UNDONE;
	if (outcome->result == PROBE_UNDONE)
		return;
	note_duration(h, outcome->duration_us / 1e6);
	checked_warn(b, b->warning, outcome->warning);
	b->weight_percent = outcome->weight_percent;
	b->weight = outcome->weight;
	b->order = outcome->order;
	machine_result(&b->machine, outcome->is_decision ? &at_once : &b->rule,
		       outcome->result == PROBE_OK);
}

/* It went down because of a check: once more than it may, it stays down for a time. */
static void count_flap(struct health *h, struct checked *b)
{
	const struct check *c = check_of(b);
	const struct passive_rule rule = {
		.failures = c->flap_count,
		.window_us = (uint64_t)c->flap_window_s * 1000000,
		.inhibit_us = (uint64_t)c->inhibit_s * 1000000,
		.inhibit_max_us = (uint64_t)c->inhibit_max_s * 1000000,
	};
	struct passive *p = &b->flapping.passive;

	if (c->flap_count == 0 || !passive_failed(p, &rule, clock_mono_us()))
		return;
	log_warn("health", "%s/%s went down %u times within %u s: it stays down for %llu s",
		 b->service->value->name, b->name, c->flap_count, c->flap_window_s,
		 (unsigned long long)(p->inhibit_us / 1000000));
	timers_set(&h->inhibitions, &b->flapping.timer, p->until_us);
}

void checked_done_cb(struct probe *p, const struct probe_outcome *outcome)
{
	struct checked *b = p->arg;
	struct health *h = b->service->health;

	take_outcome(h, b, outcome);
	if (checked_is_down(b) && !b->told_down)
		count_flap(h, b);
	asking_next(h, &b->asking, interval_ms(b));
	checked_tell(h, b, outcome->reason, outcome->duration_us);
}

/* Others have the sockets that there may be: soon, but not so soon that waiting is what all the
 * time is spent with. */
static void postpone(struct health *h, struct asking *a, uint64_t now_us)
{
	uint64_t wait_us = (uint64_t)a->probe->check->interval_ms * 1000 / 4;

	timers_set(&h->timers, &a->timer, now_us + 1 + random_below(h, wait_us));
}

static void start(struct health *h, struct asking *a, uint64_t now_us)
{
	const struct prober_sockets *sockets = prober_sockets(h->prober);
	uint64_t timeout_us = (uint64_t)a->probe->check->timeout_ms * 1000;

	if (sockets->n_open >= sockets->open_max) {
		postpone(h, a, now_us);
		return;
	}

	h->n_running++;
	timers_set(&h->timers, &a->timer, now_us + timeout_us);
	probe_start(a->probe, now_us); /* may have ended when this returns */
}

/* The times out of use that are over: these backends are tried again. */
static void end_inhibitions(struct health *h)
{
	uint64_t now_us = clock_mono_us();
	struct timer *first;

	while ((first = timers_first(&h->inhibitions)) && first->at_us <= now_us) {
		struct hold *hold = (struct hold *)first;

		timers_clear(&h->inhibitions, first);
		passive_over(&hold->passive);
		checked_tell(h, hold->owner, "tried again", 0);
	}
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct health *h = arg;
	struct timer *first;

	(void)fd;
	(void)what;
	end_inhibitions(h);
	h->armed_us = 1; /* earlier than any: armed at the end, once */
	for (unsigned int i = 0; i < STARTS_PER_ROUND; i++) {
		uint64_t now_us = clock_mono_us();
		struct asking *a;

		first = timers_first(&h->timers);
		if (!first || first->at_us > now_us)
			break;
		a = (struct asking *)first;
		if (a->probe->is_running)
			probe_expire(a->probe);
		else
			start(h, a, now_us);
	}
	h->armed_us = 0;
	health_arm(h);
}

struct health *health_new(struct event_base *base, const struct health_options *opt)
{
	struct health *h = mem_zalloc(sizeof(*h));

	h->base = base;
	h->prober = prober_new(base, opt->programs);
	h->changed = opt->changed;
	h->arg = opt->arg;
	h->tick = event_new(base, -1, 0, tick_cb, h);
	h->random = clock_mono_us() * 0x9e3779b97f4a7c15 | 1;
	return h;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	health_forget_all(h);
	event_free(h->tick);
	prober_free(h->prober);
	timers_fini(&h->timers);
	timers_fini(&h->inhibitions);
	free(h);
}

static struct checked *find(const struct health *h, const char *service, const char *backend)
{
	struct checked_service *s = NULL;
	const struct backend *b = NULL;

	HASH_FIND(hh, h->services, service, strlen(service), s);
	if (s)
		b = service_backend(s->value, backend);
	return b ? s->backends[b - s->value->backends] : NULL;
}

bool health_get(const struct health *h, const char *service, const char *backend,
		struct health_backend *out)
{
	const struct checked *b = find(h, service, backend);

	if (b)
		checked_view(h, b, out);
	return b != NULL;
}

static bool counts(const struct check *c, enum health_signal signal)
{
	if (c->observe == CHECK_OBSERVE_OFF)
		return false;
	return signal != HEALTH_SIGNAL_UNREPLIED || c->does_observe_udp;
}

static void connection_failed(struct health *h, struct checked *b, enum health_signal signal)
{
	const struct check *c = check_of(b);
	const struct passive_rule rule = {
		.failures = c->observe_failures,
		.window_us = (uint64_t)c->observe_window_ms * 1000,
		.inhibit_us = (uint64_t)c->inhibit_s * 1000000,
		.inhibit_max_us = (uint64_t)c->inhibit_max_s * 1000000,
	};
	char reason[PROBE_REASON_BYTES];

	if (!passive_failed(&b->observed.passive, &rule, clock_mono_us()))
		return;
	snprintf(reason, sizeof(reason),
		 "%u connections of clients failed, the last was %s; out for %llu s",
		 c->observe_failures, signal == HEALTH_SIGNAL_REFUSED ? "refused" : "not answered",
		 (unsigned long long)(b->observed.passive.inhibit_us / 1000000));
	timers_set(&h->inhibitions, &b->observed.timer, b->observed.passive.until_us);
	if (b->asking.probe && !b->asking.probe->is_running)
		timers_set(&h->timers, &b->asking.timer, clock_mono_us());
	checked_tell(h, b, reason, 0);
	health_arm(h);
}

void checked_answered(struct checked *b)
{
	if (!b->asking.probe && !checked_is_held(b))
		machine_result(&b->machine, &b->rule, true);
}

void health_signal(struct health *h, const char *service, const char *backend,
		   enum health_signal signal)
{
	struct checked *b = find(h, service, backend);

	if (!b || !counts(check_of(b), signal))
		return;
	if (signal != HEALTH_SIGNAL_ANSWERED && signal != HEALTH_SIGNAL_REPLIED) {
		connection_failed(h, b, signal);
		return;
	}
	passive_answered(&b->observed.passive);
	checked_answered(b);
	checked_tell(h, b, "a client's connection was answered", 0);
}

void health_replied(struct health *h, const char *service, const char *backend, uint64_t reply_ns,
		    bool is_exact)
{
	struct checked *b = find(h, service, backend);
	struct health_replies *r = b ? &b->replies : NULL;
	double s = (double)reply_ns / 1e9;

	if (!b)
		return;
	r->smoothed_s = r->n ? r->smoothed_s + (s - r->smoothed_s) / 8 : s;
	r->sum_s += s;
	r->n++;
	r->is_exact = is_exact;
	health_signal(h, service, backend, HEALTH_SIGNAL_REPLIED);
}

void health_each(const struct health *h, health_each_fn *fn, void *arg)
{
	const struct checked_service *s;

	for (s = h->services; s; s = s->hh.next) {
		for (size_t i = 0; i < s->value->n_backends; i++) {
			struct health_backend b;

			checked_view(h, s->backends[i], &b);
			fn(&b, arg);
		}
	}
}

void health_totals(const struct health *h, struct health_totals *out)
{
	*out = (struct health_totals){
		.backends = h->n_backends,
		.running = h->n_running,
		.ok = h->n_ok,
		.failed = h->n_failed,
		.undone = h->n_undone,
		.took_sum_s = h->took_sum_s,
	};
	memcpy(out->took, h->took, sizeof(out->took));
	for (size_t i = 0; i <= HEALTH_DISABLED; i++)
		out->by_state[i] = h->by_state[i];
}
