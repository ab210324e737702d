/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The limit holds, whatever happens when: a random walk against a model of what the kernel counts,
 * with its trap (plan/admission.h), of what fnatd knows of it (late, and sometimes wrong), and of
 * packets that are on their way when a gate is shut.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "check_testing.h"
#include "plan/admission.h"
#include "plan/threshold.h"
#include "walk.h"

#define CONNS_MAX 400
#define STEPS     (200000 / WALK_SHARE)

#include "gate_testing.h" /* with CONNS_MAX */

struct world {
	struct backend backend;
	struct admission a;
	struct conn conns[CONNS_MAX];
	uint64_t now_ms;
	int gate;      /* what the kernel has: epoch, or -1: shut */
	uint32_t room; /* of it */
	int late_gate; /* a packet that met an earlier one may still use it until ... */
	uint64_t late_ms;
	bool has_refused;
	uint64_t told_ms; /* when the kernel does what was told, while closing */
	uint32_t most;
	uint64_t n_admitted, n_opened;
};

/* A connection tries the gate; when it is full it goes elsewhere, and stays in the list. */
static void arrive(struct world *w, int gate, uint32_t room)
{
	struct conn *c = free_place(w->conns);

	if (!c || gate < 0)
		return;
	*c = (struct conn){ .lives = true, .counted_by = gate };
	c->is_own = list_of(w->conns, gate) <= room;
	w->n_admitted += c->is_own;
	if (!c->is_own)
		w->has_refused = true;
}

/* What fnatd thinks: behind, or off. */
static uint32_t guess(const struct world *w)
{
	uint32_t own = count_own(w->conns);

	switch (rnd(6)) {
	case 0:
		return own / 2;
	case 1:
		return own + rnd(5);
	default:
		return own;
	}
}

static void kernel_shuts(struct world *w)
{
	w->late_gate = w->gate;
	w->late_ms = w->now_ms + ADMISSION_GRACE_MS - 1;
	w->gate = -1;
}

static void daemon_acts(struct world *w)
{
	if (admission_look(&w->a, &w->backend, guess(w), w->has_refused))
		w->told_ms = w->now_ms + rnd(50);
	if (w->a.state == ADMISSION_CLOSING && w->now_ms >= w->told_ms) {
		if (w->gate >= 0)
			kernel_shuts(w);
		admission_shut(&w->a, w->now_ms);
	}
	if (!admission_may_count(&w->a, &w->backend, guess(w), w->now_ms))
		return;
	if (admission_counted(&w->a, &w->backend, count_own(w->conns), w->now_ms)) {
		w->gate = w->a.epoch;
		w->room = w->a.room;
		w->has_refused = false;
		w->n_opened++;
	}
}

/* The operator sets another limit: a lower one shuts the gate with it. */
static void reconfigure(struct world *w)
{
	w->backend.max_connections = 1 + rnd(60);
	w->backend.min_connections = rnd(2) ? 0 : 1 + rnd(w->backend.max_connections);
	if (w->a.state == ADMISSION_OPEN && w->a.of <= w->backend.max_connections)
		return;
	if (w->gate >= 0)
		kernel_shuts(w);
	admission_close(&w->a);
	w->told_ms = w->now_ms;
	w->most = 0;
}

static void step(struct world *w)
{
	w->now_ms += rnd(4);
	if (rnd(3) == 0)
		for (uint32_t n = rnd(rnd(20) ? 5 : 100); n > 0; n--)
			arrive(w, w->gate, w->room);
	if (w->now_ms < w->late_ms && rnd(4) == 0)
		arrive(w, w->late_gate, w->room);
	if (rnd(3) == 0)
		end_some(w->conns, rnd(rnd(50) ? 20 : CONNS_MAX));
	daemon_acts(w);
}

START_TEST(test_never_more)
{
	struct world w = { .gate = -1, .late_gate = -1 };
	uint64_t settled_ms = 0;
	uint32_t before = 0;

	state_of_rnd = (uint32_t)_i + 1;
	w.backend.max_connections = 10;
	admission_close(&w.a);
	for (int i = 0; i < STEPS; i++) {
		uint32_t own;

		if (i % 5000 == 4999) {
			reconfigure(&w);
			before = count_own(w.conns);
			settled_ms = w.now_ms + ADMISSION_GRACE_MS;
		}
		step(&w);
		own = count_own(w.conns);
		/* What a lower limit found already there, or on its way, may only become less. */
		before = w.now_ms < settled_ms || own < before ? own : before;
		ck_assert_msg(own <= w.backend.max_connections || own <= before,
			      "step %d: %u of %u", i, own, w.backend.max_connections);
		w.most = own > w.most ? own : w.most;
	}
	ck_assert_uint_gt(w.n_opened, 100);
	ck_assert_uint_gt(w.n_admitted, STEPS / 50);
}
END_TEST

static const struct backend ten = { .max_connections = 10 };

static void open_with(struct admission *a, uint32_t open, uint64_t now_ms)
{
	admission_shut(a, now_ms);
	ck_assert(admission_counted(a, &ten, open, now_ms + ADMISSION_GRACE_MS));
}

/* Full; others are sent on and stay in the kernel's list; the own ones end: it admits again. */
START_TEST(test_the_trap)
{
	struct admission a = { 0 };

	open_with(&a, 0, 0);
	ck_assert_uint_eq(a.room, 10);
	ck_assert(!admission_look(&a, &ten, 9, true));
	ck_assert(admission_look(&a, &ten, 10, true));
	ck_assert(a.is_full && a.state == ADMISSION_CLOSING);
	admission_shut(&a, 1000);
	ck_assert(!admission_may_count(&a, &ten, 8, 2000));
	ck_assert(!admission_may_count(&a, &ten, 7, 1000 + ADMISSION_GRACE_MS - 1));
	ck_assert(admission_may_count(&a, &ten, 7, 1000 + ADMISSION_GRACE_MS));
	ck_assert(!admission_counted(&a, &ten, 7, 1000));
	ck_assert(!admission_counted(&a, &ten, 8, 2000));
	ck_assert(admission_counted(&a, &ten, 7, 2000));
	ck_assert_uint_eq(a.room, 3);
	ck_assert_uint_eq(a.epoch, 2);
	/* The seven have ended: what is free becomes room once somebody was turned away. */
	ck_assert(!admission_look(&a, &ten, 3, false));
	ck_assert(admission_look(&a, &ten, 3, true));
	ck_assert(!a.is_full);
	open_with(&a, 3, 3000);
	ck_assert_uint_eq(a.room, 7);
}
END_TEST

/* A backend that is not known to have been full opens with any room. */
START_TEST(test_first_count)
{
	struct admission a = { 0 };

	admission_shut(&a, 0);
	ck_assert(admission_may_count(&a, &ten, 9, ADMISSION_GRACE_MS));
	ck_assert(!admission_counted(&a, &ten, 10, ADMISSION_GRACE_MS));
	ck_assert(a.is_full);
	ck_assert(!admission_counted(&a, &ten, 9, ADMISSION_GRACE_MS));
	a = (struct admission){ 0 };
	admission_shut(&a, 0);
	ck_assert(admission_counted(&a, &ten, 9, ADMISSION_GRACE_MS));
	ck_assert_uint_eq(a.room, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admission");
	TCase *tc = tcase_create("admission");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_never_more, 0, 4);
	tcase_add_test(tc, test_the_trap);
	tcase_add_test(tc, test_first_count);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
