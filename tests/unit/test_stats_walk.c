/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accounting against a naive model that remembers every connection. */
#include <check.h>

#include "stats_fixture.h"

#define N_CONNECTIONS 64

struct connection {
	bool lives;
	uint8_t backend;
	uint64_t packets;
};

static struct connection connections[N_CONNECTIONS];
static uint64_t truth_ended[2], truth_conns[2];

static void feed_connection(const struct connection *c, enum flow_kind kind)
{
	struct flow f = make_flow(kind, c->packets, c->packets);

	if (c->backend)
		f.backend = end_of("10.1.0.12", 8080);
	feed(&f);
}

static void step(struct connection *c)
{
	switch (rand() % 8) {
	case 0:
		if (!c->lives)
			break;
		c->lives = false;
		truth_ended[c->backend] += c->packets;
		feed_connection(c, FLOW_DESTROY);
		break;
	case 1:
		if (c->lives)
			break;
		*c = (struct connection){ true, (uint8_t)(rand() % 2), 1 };
		truth_conns[c->backend]++;
		break;
	default:
		c->packets += c->lives ? (uint64_t)(rand() % 10) : 0;
	}
}

static void some_steps(void)
{
	for (int n = rand() % 30; n > 0; n--)
		step(&connections[rand() % N_CONNECTIONS]);
}

static uint64_t truth(int backend)
{
	uint64_t sum = truth_ended[backend];

	for (int i = 0; i < N_CONNECTIONS; i++) {
		if (connections[i].lives && connections[i].backend == backend)
			sum += connections[i].packets;
	}
	return sum;
}

/* Things happen between any two items of the listing. */
static void list_all(bool is_quiet)
{
	stats_list_begin(w.s);
	for (int i = 0; i < N_CONNECTIONS; i++) {
		if (connections[i].lives)
			feed_connection(&connections[i], FLOW_LISTED);
		if (!is_quiet && rand() % 4 == 0)
			some_steps();
	}
}

START_TEST(test_random_walk)
{
	static const char *const names[] = { "a", "b" };
	uint64_t before[2] = { 0 };

	srand((unsigned int)_i);
	memset(connections, 0, sizeof(connections));
	memset(truth_ended, 0, sizeof(truth_ended));
	memset(truth_conns, 0, sizeof(truth_conns));
	for (uint64_t round = 1; round < 200; round++) {
		bool is_quiet = rand() % 4 == 0;

		some_steps();
		list_all(is_quiet);
		stats_list_end(w.s, w.m, round * S, false);
		for (int b = 0; b < 2; b++) {
			const struct backend *at = world_backend(&w, "web", names[b]);
			struct meter m = stats_of_backend(w.s, "web", at);

			ck_assert_uint_ge(m.shown[SUM_INPKTS], before[b]);
			ck_assert_uint_le(m.shown[SUM_INPKTS], truth(b));
			if (is_quiet) {
				ck_assert_uint_eq(m.shown[SUM_INPKTS], truth(b));
				ck_assert_uint_eq(m.shown[SUM_CONNS], truth_conns[b]);
			}
			before[b] = m.shown[SUM_INPKTS];
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats walk");
	TCase *t = tcase_create("stats walk");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_random_walk, 0, 20);
	suite_add_tcase(s, t);
	return run_suite(s);
}
