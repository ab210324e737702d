/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections at gates that count, for random walks of limits: CONNS_MAX of them; who includes this
 * says how many.
 */
#ifndef FNAT_TESTS_GATE_TESTING_H
#define FNAT_TESTS_GATE_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn {
	bool lives, is_own;  /* own: the backend of the gate has it */
	int counted_by;      /* epoch of the gate in whose list it is, or -1 */
	uint64_t visible_ms; /* in conntrack since */
	bool is_seen;        /* by the count that goes on */
};

static uint32_t state_of_rnd = 1;

static uint32_t rnd(uint32_t n)
{
	state_of_rnd = state_of_rnd * 1664525u + 1013904223u;
	return (state_of_rnd >> 8) % n;
}

static uint32_t count_own(const struct conn conns[CONNS_MAX])
{
	uint32_t n = 0;

	for (size_t i = 0; i < CONNS_MAX; i++)
		n += conns[i].lives && conns[i].is_own;
	return n;
}

static uint32_t list_of(const struct conn conns[CONNS_MAX], int epoch)
{
	uint32_t n = 0;

	for (size_t i = 0; i < CONNS_MAX; i++)
		n += conns[i].lives && conns[i].counted_by == epoch;
	return n;
}

/* A place for another one; NULL: all live. */
static struct conn *free_place(struct conn conns[CONNS_MAX])
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (!conns[i].lives)
			return &conns[i];
	return NULL;
}

static void end_some(struct conn conns[CONNS_MAX], uint32_t n)
{
	for (; n > 0; n--)
		conns[rnd(CONNS_MAX)].lives = false;
}

#endif
