/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan knows services and weights, and nothing of health, load or time. So what happens at run
 * time is put into the terms it knows: a backend that must not have new connections has weight 0,
 * one that is warming up has part of its weight. The result is a service value like any other, and
 * a change at run time takes the same way to the kernel as a change of the configuration.
 *
 * Sorry backends come before "open": where one of them is up health evidently works, so the others
 * are down indeed. Where even they are down, the checks themselves are what is suspicious.
 */
#include "plan/effective.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/scheduler.h"
#include "plan/tokens.h"

static const struct backend_runtime nothing;

/* Is what it counts, and what it does not, as the limit of the service has it? */
static bool counts_as_said(const struct gate_runtime *gate, const struct service *s)
{
	return service_limit(s) == LIMIT_BUDGET ? gate->room <= tokens_reserve(gate->of)
						: gate->tokens == 0;
}

bool gate_holds(const struct gate_runtime *gate, const struct service *s, const struct backend *b)
{
	return gate->of > 0 && gate->of <= b->max_connections && gate->port == b->port &&
	       addr_equal(&gate->to, &b->address) && counts_as_said(gate, s);
}

static bool gate_runtime_equal(const struct gate_runtime *a, const struct gate_runtime *b)
{
	return addr_equal(&a->to, &b->to) && a->port == b->port && a->epoch == b->epoch &&
	       a->of == b->of && a->tokens == b->tokens && a->room == b->room;
}

bool backend_runtime_equal(const struct backend_runtime *a, const struct backend_runtime *b)
{
	return a->is_down == b->is_down && a->is_up == b->is_up && a->is_weighed == b->is_weighed &&
	       a->weight == b->weight && a->is_full == b->is_full &&
	       a->is_at_limit == b->is_at_limit && a->is_uncounted == b->is_uncounted &&
	       gate_runtime_equal(&a->gate, &b->gate) && a->warm_permille == b->warm_permille &&
	       a->has_share == b->has_share && a->share == b->share;
}

uint16_t slow_start_permille(uint64_t elapsed_ms, uint32_t slow_start_s)
{
	uint64_t percent = slow_start_s ? elapsed_ms / (10ull * slow_start_s) : 100;

	if (percent >= 100)
		return 0;
	return (uint16_t)(percent ? percent * 10 : 10);
}

static const struct backend_runtime *runtime_of(const struct backend_runtime *at, size_t i)
{
	return at ? &at[i] : &nothing;
}

static unsigned int family_number(const struct backend *b)
{
	return b->address.family == AF_INET6;
}

/* May it have new connections, as far as the operator says? */
static bool is_meant(const struct backend *b)
{
	return b->weight > 0 && b->state == BACKEND_ENABLED;
}

static bool is_usable(const struct backend *b, const struct backend_runtime *at)
{
	return is_meant(b) && !at->is_down && !at->is_full;
}

/* What can be had in one family. */
struct offers {
	bool has_normal, has_sorry, has_doubted;
	bool has_life;                            /* somebody is up, and be it without room ... */
	bool has_full;                            /* ... for any more connections */
	bool has_uncounted;                       /* ... until it is known for how many */
	uint8_t normal, doubted, full, uncounted; /* lowest priority */
};

static void offer(bool *has, uint8_t *lowest, uint8_t priority)
{
	if (!*has || priority < *lowest)
		*lowest = priority;
	*has = true;
}

/* Not what health says of it keeps it out of use, but how many connections there are. */
static bool is_crowded(const struct backend *b, const struct backend_runtime *at)
{
	return is_meant(b) && !at->is_down && at->is_full && !(at->is_weighed && at->weight == 0);
}

static void look_at(const struct backend *b, const struct backend_runtime *at, struct offers *o)
{
	bool usable = is_usable(b, at);

	if (b->is_sorry) {
		o->has_sorry = o->has_sorry || usable;
		return;
	}
	if (usable)
		offer(&o->has_normal, &o->normal, b->priority);
	if (is_crowded(b, at))
		offer(&o->has_full, &o->full, b->priority);
	if (is_crowded(b, at) && at->is_uncounted)
		offer(&o->has_uncounted, &o->uncounted, b->priority);
	if (!is_meant(b))
		return;
	o->has_life = o->has_life || !at->is_down;
	offer(&o->has_doubted, &o->doubted, b->priority);
}

static bool below_quorum(const struct control *c, uint64_t live_weight, bool was_below)
{
	if (c->quorum == 0)
		return false;
	return was_below ? live_weight < (uint64_t)c->quorum + c->quorum_hysteresis
			 : live_weight < c->quorum - c->quorum_hysteresis;
}

struct standing service_standing(const struct service *s, const struct backend_runtime *at,
				 bool was_below_quorum)
{
	struct offers offers[2] = { { 0 } };
	struct standing out = { 0 };

	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		look_at(b, runtime_of(at, i), &offers[family_number(b)]);
		if (is_meant(b) && !b->is_sorry && !runtime_of(at, i)->is_down)
			out.live_weight += b->weight;
	}
	out.is_below_quorum = below_quorum(&s->control, out.live_weight, was_below_quorum);
	for (int f = 0; f < 2; f++) {
		const struct offers *o = &offers[f];
		bool gives_way = out.is_below_quorum && o->has_sorry;

		if (o->has_normal && !gives_way) {
			out.of[f].serving = SERVING_NORMAL;
			out.of[f].priority = o->normal;
		} else if (o->has_sorry) {
			out.of[f].serving = SERVING_SORRY;
		} else if (o->has_doubted && !o->has_life && s->control.all_down == ALL_DOWN_OPEN) {
			out.of[f].serving = SERVING_OPEN;
			out.of[f].priority = o->doubted;
		} else if (o->has_uncounted) {
			out.of[f].serving = SERVING_NORMAL;
			out.of[f].priority = o->uncounted;
			out.of[f].waits = true;
		}
		out.of[f].overflows = o->has_full && !gives_way && !out.of[f].waits &&
				      (!o->has_normal || o->full < o->normal);
	}
	return out;
}

const char *serving_name(enum serving serving)
{
	static const char *const names[] = {
		[SERVING_NONE] = "none",
		[SERVING_NORMAL] = "normal",
		[SERVING_SORRY] = "sorry",
		[SERVING_OPEN] = "open",
	};

	return names[serving];
}

static bool serves(const struct standing *standing, const struct backend *b,
		   const struct backend_runtime *at)
{
	unsigned int f = family_number(b);

	switch (standing->of[f].serving) {
	case SERVING_NORMAL:
		return !b->is_sorry && is_usable(b, at) && b->priority == standing->of[f].priority;
	case SERVING_SORRY:
		return b->is_sorry && is_usable(b, at);
	case SERVING_OPEN:
		return !b->is_sorry && is_meant(b) && b->priority == standing->of[f].priority;
	case SERVING_NONE:
		break;
	}
	return false;
}

static bool is_warming(const struct backend_runtime *at)
{
	return at->warm_permille > 0 && at->warm_permille < WARM_ALL;
}

/* Weights are small numbers ("1"): a part of one needs a finer unit, for all of them. */
static uint32_t warm_weight(uint32_t weight, const struct backend_runtime *at)
{
	uint64_t fine = (uint64_t)weight * (is_warming(at) ? at->warm_permille : WARM_ALL);

	return fine ? (uint32_t)fine : 1;
}

/* The weights of who serves become what slow start leaves of them. */
static void set_warm(struct service *copy, const struct backend_runtime *at,
		     const struct scheduler *scheduler)
{
	bool any = false;

	if (scheduler->takes_best) /* a part of its weight would make another one the best */
		return;
	for (size_t i = 0; i < copy->n_backends && !any; i++)
		any = copy->backends[i].weight > 0 && is_warming(runtime_of(at, i));
	if (!any)
		return;
	for (size_t i = 0; i < copy->n_backends; i++) {
		struct backend *b = &copy->backends[i];

		if (b->weight > 0)
			b->weight =
				warm_weight(scheduler->is_alike ? 1 : b->weight, runtime_of(at, i));
	}
	copy->n_slots = scheduler_steady_size(copy->n_backends);
}

/* Of one family, while nothing is known of its load. */
static void set_unshared(struct service *copy, unsigned int family,
			 const struct scheduler *scheduler)
{
	struct backend *best = NULL;

	for (size_t i = 0; i < copy->n_backends; i++) {
		struct backend *b = &copy->backends[i];

		if (family_number(b) != family || b->weight == 0)
			continue;
		if (scheduler->is_alike)
			b->weight = 1;
		if (!scheduler->takes_best)
			continue;
		if (best && b->weight > best->weight)
			best->weight = 0;
		else if (best)
			b->weight = 0;
		best = b->weight ? b : best;
	}
}

/* Shares of one family instead of weights. */
static void set_shares(struct service *copy, const struct backend_runtime *at, unsigned int family,
		       const struct scheduler *scheduler)
{
	uint64_t shares = 0, weights = 0;

	for (size_t i = 0; i < copy->n_backends; i++) {
		const struct backend *b = &copy->backends[i];

		if (family_number(b) != family || b->weight == 0 || !runtime_of(at, i)->has_share)
			continue;
		shares += at[i].share;
		weights += b->weight;
	}
	if (shares == 0) {
		set_unshared(copy, family, scheduler);
		return;
	}
	for (size_t i = 0; i < copy->n_backends; i++) {
		struct backend *b = &copy->backends[i];

		if (family_number(b) != family || b->weight == 0)
			continue;
		b->weight = at[i].has_share
				    ? at[i].share
				    : (uint32_t)((b->weight * shares + weights - 1) / weights);
	}
}

/*
 * May clients that are known go to this backend? One without room, or without a share for the
 * moment, keeps them; one that gives way to a better tier does not.
 */
static bool known_stay(const struct standing *standing, const struct service *s,
		       const struct backend *b, const struct backend_runtime *at)
{
	unsigned int f = family_number(b);
	enum serving serving = standing->of[f].serving;

	if (serves(standing, b, at))
		return true;
	if (at->is_down || b->state == BACKEND_DISABLED)
		return false;
	if (!is_meant(b))
		return s->persistence.keep_draining;
	if (serving == SERVING_NORMAL)
		return !b->is_sorry && b->priority <= standing->of[f].priority;
	return serving == SERVING_SORRY && !b->is_sorry && at->is_full;
}

/* Say so where the weights do not. */
static void set_known(struct service *copy, const struct service *s,
		      const struct backend_runtime *at, bool was_below_quorum)
{
	struct standing standing;

	if (s->persistence.timeout_s == 0 && s->n_pins == 0)
		return;
	standing = service_standing(s, at, was_below_quorum);
	for (size_t i = 0; i < copy->n_backends; i++) {
		bool stay = known_stay(&standing, s, &s->backends[i], runtime_of(at, i));
		bool by_weight = copy->backends[i].weight > 0 || s->persistence.keep_draining;

		if (stay != by_weight)
			copy->backends[i].known = stay ? KNOWN_STAY : KNOWN_LEAVE;
	}
}

/* Of a backend that has no connections yet. */
static void set_first_tokens(struct backend *b, enum limit limit)
{
	if (limit != LIMIT_BUDGET)
		return;
	b->gate_of = b->max_connections;
	tokens_split(b->max_connections, b->max_connections, &b->tokens, &b->room);
}

/* What the kernel is to count; and sorry backends that take what others have no room for. */
static void set_gates(struct service *copy, const struct service *s,
		      const struct backend_runtime *at, const struct standing *standing)
{
	if (!service_has_gates(s))
		return;
	for (size_t i = 0; i < s->n_backends; i++) {
		struct backend *b = &copy->backends[i];
		const struct backend_runtime *is = runtime_of(at, i);

		b->is_overflow = b->is_sorry && is_usable(&s->backends[i], is) &&
				 standing->of[family_number(b)].serving == SERVING_NORMAL;
		if (b->max_connections == 0)
			continue;
		if (!at) {
			set_first_tokens(b, service_limit(s));
			continue;
		}
		b->is_shut = is->is_at_limit;
		b->gate_of = is->is_at_limit ? 0 : is->gate.of;
		b->tokens = is->is_at_limit ? 0 : is->gate.tokens;
		b->room = is->is_at_limit ? 0 : is->gate.room;
		b->epoch = is->is_at_limit ? 0 : is->gate.epoch;
	}
}

static bool same_gate(const struct backend *a, const struct backend *b)
{
	return a->gate_of == b->gate_of && a->tokens == b->tokens && a->room == b->room &&
	       a->epoch == b->epoch && a->is_shut == b->is_shut && a->is_overflow == b->is_overflow;
}

static bool is_same(const struct service *a, const struct service *b)
{
	for (size_t i = 0; i < a->n_backends; i++) {
		if (a->backends[i].weight != b->backends[i].weight ||
		    a->backends[i].known != b->backends[i].known ||
		    !same_gate(&a->backends[i], &b->backends[i]))
			return false;
	}
	return a->n_slots == b->n_slots &&
	       memcmp(a->overflows, b->overflows, sizeof(a->overflows)) == 0 &&
	       memcmp(a->waits, b->waits, sizeof(a->waits)) == 0;
}

/* Weights of who serves, with what slow start leaves of them; others 0. */
static void set_weights(struct service *copy, const struct service *s,
			const struct backend_runtime *at, bool was_below_quorum)
{
	struct standing standing = service_standing(s, at, was_below_quorum);

	*copy = *s;
	copy->backends = mem_calloc(s->n_backends, sizeof(*copy->backends));
	for (size_t i = 0; i < s->n_backends; i++) {
		copy->backends[i] = s->backends[i];
		if (!serves(&standing, &s->backends[i], runtime_of(at, i)))
			copy->backends[i].weight = 0;
	}
	for (int f = 0; f < 2; f++) {
		copy->overflows[f] = standing.of[f].overflows;
		copy->waits[f] = standing.of[f].waits;
	}
	set_gates(copy, s, at, &standing);
	set_warm(copy, at, scheduler_find(s->scheduler));
}

void effective_weights(const struct service *s, const struct backend_runtime *at,
		       bool was_below_quorum, uint32_t *out)
{
	struct service copy;

	set_weights(&copy, s, at, was_below_quorum);
	for (size_t i = 0; i < s->n_backends; i++)
		out[i] = copy.backends[i].weight;
	free(copy.backends);
}

const struct service *effective_service(const struct service *s, const struct backend_runtime *at,
					bool was_below_quorum)
{
	const struct scheduler *scheduler = scheduler_find(s->scheduler);
	const struct service *out;
	struct service copy;

	if (!at && !s->has_control)
		return service_ref(s);
	set_weights(&copy, s, at, was_below_quorum);
	for (unsigned int f = 0; f < 2 && scheduler_counts(s->scheduler); f++)
		set_shares(&copy, at, f, scheduler);
	set_known(&copy, s, at, was_below_quorum);
	out = is_same(s, &copy) ? service_ref(s) : service_new(&copy);
	free(copy.backends);
	return out;
}
