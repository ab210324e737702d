/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel picks a slot without knowing of load, so who gets the connections of the next moment
 * is decided before they come: IPVS's own decision is played ahead for as many connections as are
 * expected, on counts that are extrapolated, and what each backend got is its number of slots.
 *
 * Counts are extrapolated by what is known of how long connections stay (Little's law: as many are
 * there as arrive during the time that one stays). Of n connections n * exp(-dt / stay) are left
 * after dt, and each that arrives meanwhile counts for stay / dt * (1 - exp(-dt / stay)) at the
 * end: for long connections that is nearly 1, and arrivals fill up what is missing; for short ones
 * the number follows the share, and shares settle where the numbers are even.
 *
 * More connections may come than were expected, and all of them go by the same slots. So no fewer
 * are played than a part of those that are there, and some for each backend: a single idle backend
 * does not get a whole burst.
 */
#include "plan/balance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PLAYED_EACH   2.0        /* connections a backend that are played at least */
#define PLAYED_PART   (1.0 / 32) /* of the connections that are there, likewise */
#define SMOOTHING     0.25       /* weight of the last interval in averages */
#define GOOD_ENOUGH   0.01       /* relative error of the extrapolation that changes nothing */
#define ACTIVE_WEIGHT 256.0      /* of lc and wlc: an active connection counts for 256 others */
#define TWOS_ROUNDS   16

/* A backend while the decision is played. */
struct player {
	double weight, active, inactive;   /* now, in the play */
	double adds_active, adds_inactive; /* by one connection that it gets */
	double key;
	uint32_t who;
};

typedef double key_fn(const struct player *p);

static double key_lc(const struct player *p)
{
	return ACTIVE_WEIGHT * p->active + p->inactive;
}

static double key_wlc(const struct player *p)
{
	return key_lc(p) / p->weight;
}

static double key_sed(const struct player *p)
{
	return (p->active + 1) / p->weight;
}

static double key_nq(const struct player *p)
{
	return p->active < 0.5 ? 0 : key_sed(p);
}

static double key_ovf(const struct player *p)
{
	return p->active > p->weight ? INFINITY : -p->weight;
}

/* twos compares by key_wlc(), but not all of them. */
static const struct {
	const char *name;
	key_fn *key;
} rules[] = {
	{ "lc", key_lc }, { "wlc", key_wlc }, { "sed", key_sed },
	{ "nq", key_nq }, { "ovf", key_ovf }, { "twos", NULL },
};

static key_fn *key_of(const char *scheduler)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (strcmp(rules[i].name, scheduler) == 0)
			return rules[i].key;
	}
	return key_wlc;
}

static void smooth(double *average, double now, bool is_first)
{
	*average = is_first ? now : *average + SMOOTHING * (now - *average);
}

static void observe(const struct balance *how, struct balance_backend *b)
{
	smooth(&b->arrivals_s, how->arrivals_s * b->part, how->is_first);
	smooth(&b->active_avg, b->active, how->is_first);
	smooth(&b->inactive_avg, b->inactive, how->is_first);
}

/* What is left of n after the interval, and what one arrival adds. */
static double extrapolate(double n, double average, double arrivals_s, double interval_s,
			  double *adds)
{
	double stay_s = arrivals_s > 0 ? average / arrivals_s : INFINITY, left;

	*adds = 1;
	if (isinf(stay_s))
		return n;
	/* Nobody was ever seen there: how long one stays is not known. */
	if (stay_s <= 0)
		return 0;
	left = exp(-interval_s / stay_s);
	*adds = stay_s / interval_s * (1 - left);
	return n * left;
}

static size_t players_make(const struct balance *how, const struct balance_backend *b, size_t n,
			   struct player *out)
{
	size_t n_players = 0;

	for (size_t i = 0; i < n; i++) {
		struct player *p = &out[n_players];

		if (b[i].weight == 0)
			continue;
		n_players++;
		p->weight = b[i].weight;
		p->who = (uint32_t)i;
		p->active = extrapolate(b[i].active, b[i].active_avg, b[i].arrivals_s,
					how->interval_s, &p->adds_active);
		p->inactive = extrapolate(b[i].inactive, b[i].inactive_avg, b[i].arrivals_s,
					  how->interval_s, &p->adds_inactive);
	}
	return n_players;
}

static double played(const struct balance *how, const struct player *p, size_t n)
{
	double play = how->arrivals_s * how->interval_s, there = 0;

	for (size_t i = 0; i < n; i++)
		there += p[i].active;
	play = fmax(play, PLAYED_EACH * (double)n);
	return fmax(play, PLAYED_PART * there);
}

static void player_take(struct player *p, double connections)
{
	p->active += connections * p->adds_active;
	p->inactive += connections * p->adds_inactive;
}

/* The smallest key first; of equals the first backend. */
static bool goes_before(const struct player *a, const struct player *b)
{
	return a->key != b->key ? a->key < b->key : a->who < b->who;
}

static void heap_sink(struct player *heap, size_t n, size_t at)
{
	struct player p = heap[at];
	size_t child;

	for (; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && goes_before(&heap[child + 1], &heap[child]))
			child++;
		if (!goes_before(&heap[child], &p))
			break;
		heap[at] = heap[child];
	}
	heap[at] = p;
}

/* Each slot goes to whom IPVS would give the connections that it stands for. */
static void play(key_fn *key, struct player *p, size_t n, double connections, uint32_t slots,
		 uint32_t *share)
{
	for (size_t i = 0; i < n; i++)
		p[i].key = key(&p[i]);
	for (size_t i = n / 2; i-- > 0;)
		heap_sink(p, n, i);
	for (uint32_t i = 0; i < slots && !isinf(p[0].key); i++) {
		share[p[0].who]++;
		player_take(&p[0], connections / slots);
		p[0].key = key(&p[0]);
		heap_sink(p, n, 0);
	}
}

static int cmp_players(const void *a, const void *b)
{
	return goes_before(a, b) ? -1 : goes_before(b, a);
}

/*
 * Two picks by weight, and the less loaded of the two: who is the best of all wins whenever it is
 * picked at all. Among equals chance decides, which is what makes their parts even.
 */
static void play_twos(struct player *p, size_t n, double connections, uint32_t slots,
		      uint32_t *share)
{
	double weights = 0;

	for (size_t i = 0; i < n; i++)
		weights += p[i].weight;
	for (int round = 0; round < TWOS_ROUNDS; round++) {
		double worse = 1;

		for (size_t i = 0; i < n; i++)
			p[i].key = key_wlc(&p[i]);
		qsort(p, n, sizeof(*p), cmp_players);
		for (size_t i = 0; i < n; i++) {
			double q = p[i].weight / weights, wins;

			worse -= q;
			wins = q * q + 2 * q * fmax(worse, 0);
			share[p[i].who] += (uint32_t)(wins * slots * 1000 / TWOS_ROUNDS + 0.5);
			player_take(&p[i], wins * connections / TWOS_ROUNDS);
		}
	}
}

/* The largest relative deviation of a key from the mean by weight; half a connection is none. */
static double deviation(key_fn *key, const struct player *p, size_t n, bool is_tolerant)
{
	bool is_alike = key == key_lc;
	double sum = 0, weights = 0, worst = 0;

	for (size_t i = 0; i < n; i++) {
		double weight = is_alike ? 1 : p[i].weight;

		sum += key(&p[i]) * weight;
		weights += weight;
	}
	for (size_t i = 0; i < n && sum > 0; i++) {
		double mean = sum / weights, off = fabs(key(&p[i]) - mean);
		double one = (key == key_sed || key == key_nq ? 1 : ACTIVE_WEIGHT) /
			     (is_alike ? 1 : p[i].weight);

		if (is_tolerant && off < one / 2)
			continue;
		worst = fmax(worst, off / mean);
	}
	return worst;
}

/* Would the present shares do? */
static bool is_good_enough(key_fn *key, const struct balance_backend *b, const struct player *p,
			   size_t n, double connections)
{
	struct player *ahead = mem_calloc(n, sizeof(*ahead));
	double given = 0;
	bool is_good;

	for (size_t i = 0; i < n; i++) {
		ahead[i] = p[i];
		player_take(&ahead[i], connections * b[p[i].who].part);
		given += b[p[i].who].part;
	}
	/* Somebody who had a part may have gone, or somebody with none have come. */
	is_good = given > 0.999 && deviation(key, ahead, n, true) <= GOOD_ENOUGH;
	free(ahead);
	return is_good;
}

static bool shares_set(struct balance_backend *b, size_t n, const uint32_t *share)
{
	uint64_t sum = 0;
	bool is_changed = false;

	for (size_t i = 0; i < n; i++) {
		sum += share[i];
		is_changed = is_changed || b[i].share != share[i];
		b[i].share = share[i];
	}
	for (size_t i = 0; i < n; i++)
		b[i].part = sum ? (double)share[i] / (double)sum : 0;
	return is_changed;
}

bool balance_step(const struct balance *how, struct balance_backend *b, size_t n)
{
	struct player *p = mem_calloc(n, sizeof(*p));
	uint32_t *share = mem_calloc(n, sizeof(*share));
	key_fn *key = key_of(how->scheduler);
	bool is_changed = false;
	double connections;
	size_t n_players;

	for (size_t i = 0; i < n; i++)
		observe(how, &b[i]);
	n_players = players_make(how, b, n, p);
	connections = played(how, p, n_players);
	if (!how->is_first && key && key != key_ovf &&
	    is_good_enough(key, b, p, n_players, connections))
		goto out;
	if (n_players > 0 && key)
		play(key, p, n_players, connections, how->slots, share);
	else if (n_players > 0)
		play_twos(p, n_players, connections, how->slots, share);
	is_changed = shares_set(b, n, share);
out:
	free(share);
	free(p);
	return is_changed;
}

uint32_t balance_error_ppm(const char *scheduler, const struct balance_backend *b, size_t n)
{
	struct player *p = mem_calloc(n, sizeof(*p));
	key_fn *key = key_of(scheduler);
	size_t n_players = 0;
	double error;

	for (size_t i = 0; i < n; i++) {
		if (b[i].weight > 0)
			p[n_players++] = (struct player){ .weight = b[i].weight,
							  .active = b[i].active,
							  .inactive = b[i].inactive };
	}
	if (key == key_ovf)
		n_players = 0;
	error = deviation(key ? key : key_wlc, p, n_players, false) * 1e6 + 0.5;
	free(p);
	return error < UINT32_MAX ? (uint32_t)error : UINT32_MAX;
}
