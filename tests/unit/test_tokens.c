/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens (plan/tokens.h) and their renewal (plan/renewal.h): the arithmetic, and that the limit
 * holds whatever happens when. A random walk against a model of the kernel's gates, of a daemon
 * that guesses, is late, and stops for seconds, of connections that are not in conntrack yet when
 * they have used a token, and of packets that are on their way when a gate is replaced.
 */
#include <check.h>

#include "check_testing.h"
#include "plan/renewal.h"
#include "plan/tokens.h"
#include "walk.h"

#define CONNS_MAX 900
#define STEPS     (60000 / WALK_SHARE)

#include "gate_testing.h" /* with CONNS_MAX */

/* A gate as the kernel has it. */
struct kernel_gate {
	int epoch; /* -1: none */
	uint32_t tokens, used, reserve;
};

struct world {
	struct backend backend;
	struct admission a;
	struct renewal r;
	struct conn conns[CONNS_MAX];
	uint64_t now_ms;
	struct kernel_gate gate, late, next;   /* the next one comes at commit_ms */
	uint64_t late_ms, commit_ms;           /* 0: nothing is on its way */
	uint64_t stopped_ms;                   /* the daemon does nothing until */
	uint64_t count_begun_ms, count_end_ms; /* end 0: no count */
	uint32_t most;
	uint64_t n_admitted, n_renewed, n_opened;
};

/* What it does is in conntrack within so many ms. */
static void arrive(struct world *w, struct kernel_gate *g, uint64_t within_ms)
{
	struct conn *c = free_place(w->conns);

	if (!c || g->epoch < 0)
		return;
	*c = (struct conn){ .lives = true,
			    .counted_by = -1,
			    .visible_ms = w->now_ms + rnd((uint32_t)within_ms) };
	if (g->used < g->tokens) {
		g->used++;
		c->is_own = true;
	} else {
		c->counted_by = g->epoch;
		c->is_own = list_of(w->conns, g->epoch) <= g->reserve;
	}
	w->n_admitted += c->is_own;
}

static void commit(struct world *w, struct kernel_gate to)
{
	w->next = to;
	w->commit_ms = w->now_ms + 1 + rnd(rnd(10) ? 30 : 400);
}

static void kernel(struct world *w)
{
	if (!w->commit_ms || w->now_ms < w->commit_ms)
		return;
	w->late = w->gate;
	w->late_ms = w->now_ms + ADMISSION_GRACE_MS - 1;
	w->gate = w->next;
	w->commit_ms = 0;
}

static const struct kernel_gate no_gate = { .epoch = -1 };

static struct kernel_gate gate_of(const struct admission *a)
{
	return (struct kernel_gate){ a->epoch, a->tokens, 0, a->room - a->tokens };
}

static void begin_count(struct world *w)
{
	w->count_begun_ms = w->now_ms;
	w->count_end_ms = w->now_ms + rnd(rnd(10) ? 20 : 500);
	for (size_t i = 0; i < CONNS_MAX; i++)
		w->conns[i].is_seen = w->conns[i].visible_ms <= w->now_ms;
}

/* Those that lived all the time are in it; those that ended meanwhile need not be. */
static void end_count(struct world *w)
{
	uint32_t open = 0;

	w->count_end_ms = 0;
	for (size_t i = 0; i < CONNS_MAX; i++)
		open += w->conns[i].lives && w->conns[i].is_own && w->conns[i].is_seen;
	if (admission_counted(&w->a, &w->backend, open, w->count_begun_ms)) {
		admission_divide(&w->a);
		w->n_opened++;
		commit(w, gate_of(&w->a));
	} else if (renewal_counted(&w->r, &w->a, &w->backend, open, w->count_begun_ms)) {
		w->n_renewed++;
		commit(w, gate_of(&w->a));
	}
}

static void act(struct world *w)
{
	uint32_t own = count_own(w->conns), open = rnd(4) ? own : own / 2 + rnd(own + 1);
	uint64_t used = rnd(4) ? w->gate.used : rnd(w->gate.used + 20);

	if (w->commit_ms || w->now_ms < w->stopped_ms)
		return;
	if (rnd(2000) == 0)
		w->stopped_ms = w->now_ms + rnd(3000);
	if (w->count_end_ms) {
		if (w->now_ms >= w->count_end_ms)
			end_count(w);
		return;
	}
	if (admission_look(&w->a, &w->backend, open, false))
		commit(w, no_gate);
	else if (w->a.state == ADMISSION_CLOSING)
		admission_shut(&w->a, w->now_ms);
	renewal_look(&w->r, &w->a, &w->backend, open, used, w->now_ms);
	if (rnd(3) == 0)
		renewal_read(&w->r, w->gate.used, w->now_ms);
	if (renewal_may_count(&w->r, w->now_ms) ||
	    admission_may_count(&w->a, &w->backend, open, w->now_ms))
		begin_count(w);
}

static void step(struct world *w)
{
	w->now_ms += rnd(6);
	kernel(w);
	if (rnd(3) == 0)
		for (uint32_t n = rnd(rnd(30) ? 8 : 400); n > 0; n--)
			arrive(w, &w->gate, ADMISSION_GRACE_MS);
	if (w->now_ms < w->late_ms && rnd(4) == 0)
		arrive(w, &w->late, w->late_ms - w->now_ms);
	if (rnd(3) == 0)
		end_some(w->conns, rnd(rnd(50) ? 20 : CONNS_MAX));
	act(w);
}

START_TEST(test_never_more)
{
	static const uint32_t limits[] = { 65, 100, 300, 700 };
	static struct world w;

	w = (struct world){ .gate = no_gate, .late = no_gate };
	state_of_rnd = (uint32_t)_i + 1;
	w.backend.max_connections = limits[_i];
	admission_close(&w.a);
	for (int i = 0; i < STEPS; i++) {
		uint32_t own;

		step(&w);
		own = count_own(w.conns);
		ck_assert_msg(own <= limits[_i], "step %d: %u of %u", i, own, limits[_i]);
		w.most = own > w.most ? own : w.most;
	}
	ck_assert_uint_gt(w.n_renewed, 20 / WALK_SHARE);
	ck_assert_uint_gt(w.n_admitted, STEPS / 8);
	ck_assert_uint_gt(w.most, limits[_i] * 3 / 4);
}
END_TEST

START_TEST(test_split)
{
	static const struct {
		uint32_t max, room, tokens, reserve;
	} rows[] = {
		{ 1, 1, 0, 1 },          { 64, 64, 0, 64 },   { 65, 65, 61, 4 },
		{ 65, 3, 0, 3 },         { 100, 100, 96, 4 }, { 1000, 1000, 969, 31 },
		{ 1000, 31, 0, 31 },     { 1000, 0, 0, 0 },   { 10000000, 10000000, 9999936, 64 },
		{ 10000000, 64, 0, 64 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t tokens, reserve;

		tokens_split(rows[i].max, rows[i].room, &tokens, &reserve);
		ck_assert_uint_eq(tokens, rows[i].tokens);
		ck_assert_uint_eq(reserve, rows[i].reserve);
	}
}
END_TEST

START_TEST(test_renewed)
{
	struct tokens t = { .issued = 969, .reserve = 31, .used = 900, .open = 0 };

	/* 69 that are left, and two reserves of 31. */
	ck_assert_uint_eq(tokens_renewed(1000, &t), 869);
	ck_assert(tokens_are_due(1000, &t));
	t.open = 900;
	ck_assert_uint_eq(tokens_renewed(1000, &t), 0);
	ck_assert(!tokens_are_due(1000, &t));
	/* Enough are left. */
	t = (struct tokens){ .issued = 969, .reserve = 31, .used = 700, .open = 0 };
	ck_assert(!tokens_are_due(1000, &t));
	/* More than what is lost must be gained. */
	t = (struct tokens){ .issued = 969, .reserve = 31, .used = 769, .open = 550 };
	ck_assert(!tokens_are_due(1000, &t));
	/* What is known is off. */
	t = (struct tokens){ .issued = 10, .reserve = 31, .used = 4000000000, .open = 4000000000 };
	ck_assert_uint_eq(tokens_renewed(1000, &t), 0);
	ck_assert(!tokens_are_due(64, &t));
}
END_TEST

/* In this order, and no count that began too early. */
START_TEST(test_order)
{
	const struct backend b = { .max_connections = 1000 };
	struct admission a = { 0 };
	struct renewal r = { 0 };

	admission_shut(&a, 0);
	ck_assert(admission_counted(&a, &b, 0, ADMISSION_GRACE_MS));
	admission_divide(&a);
	ck_assert_uint_eq(a.tokens, 969);
	renewal_read(&r, 969, 500);
	ck_assert(!renewal_may_count(&r, 1000));
	ck_assert(renewal_look(&r, &a, &b, 0, 969, 1000));
	ck_assert(!renewal_look(&r, &a, &b, 0, 969, 1001));
	ck_assert(!renewal_may_count(&r, 2000));
	renewal_read(&r, 900, 2000);
	renewal_read(&r, 969, 2050); /* of connections that the count may miss */
	ck_assert(!renewal_may_count(&r, 2000 + ADMISSION_GRACE_MS - 1));
	ck_assert(!renewal_counted(&r, &a, &b, 0, 2000 + ADMISSION_GRACE_MS - 1));
	ck_assert(renewal_may_count(&r, 2000 + ADMISSION_GRACE_MS));
	ck_assert(renewal_counted(&r, &a, &b, 0, 2000 + ADMISSION_GRACE_MS));
	ck_assert_uint_eq(a.tokens, 869);
	ck_assert_uint_eq(a.room, 900);
	ck_assert_uint_eq(a.epoch, 2);
	/* Nothing is gained: not again at once. */
	ck_assert(renewal_look(&r, &a, &b, 0, 869, 3000));
	renewal_read(&r, 869, 3000);
	ck_assert(!renewal_counted(&r, &a, &b, 990, 4000));
	ck_assert(!renewal_look(&r, &a, &b, 0, 869, 4100));
	ck_assert(renewal_look(&r, &a, &b, 0, 869, 5000));
	/* It is shut: what is due is something else. */
	admission_close(&a);
	ck_assert(!renewal_look(&r, &a, &b, 0, 869, 5001));
	ck_assert(!renewal_may_count(&r, 9000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tokens");
	TCase *tc = tcase_create("tokens");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_never_more, 0, 4);
	tcase_add_test(tc, test_split);
	tcase_add_test(tc, test_renewed);
	tcase_add_test(tc, test_order);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
