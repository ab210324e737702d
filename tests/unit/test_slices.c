/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/slices.h"
#include "model_testing.h"

/* The items are of no matter to slices: their places tell them apart. */
struct walk {
	struct event_base *base;
	struct slices *slices;
	struct changes all;
	size_t at, n_pieces, n_done;
	size_t n_asked; /* what another client was answered before the end */
};

static void piece_cb(struct changes *piece, void *arg)
{
	struct walk *w = arg;

	ck_assert_ptr_eq(piece->items, w->all.items + w->at);
	ck_assert_uint_ge(piece->n, 1);
	ck_assert_uint_le(piece->n, SLICE_CHANGES);
	w->at += piece->n;
	w->n_pieces++;
}

static void done_cb(void *arg)
{
	struct walk *w = arg;

	ck_assert_uint_eq(w->at, w->all.n);
	w->n_done++;
}

static void asked_cb(evutil_socket_t fd, short what, void *arg)
{
	struct walk *w = arg;

	(void)fd;
	(void)what;
	w->n_asked += w->n_done == 0;
}

static void walk_begin(struct walk *w, size_t n)
{
	*w = (struct walk){ .base = event_base_new() };
	w->slices = slices_new(w->base);
	w->all.items = calloc(n ? n : 1, sizeof(*w->all.items));
	w->all.n = n;
	slices_run(w->slices, &w->all, piece_cb, done_cb, w);
}

static void walk_end(struct walk *w)
{
	ck_assert_uint_eq(w->n_done, 1);
	slices_free(w->slices);
	event_base_free(w->base);
	free(w->all.items);
}

START_TEST(test_few_are_done_at_once)
{
	static const size_t sizes[] = { 0, 1, SLICE_CHANGES };
	struct walk w;

	walk_begin(&w, sizes[_i]);
	ck_assert_uint_eq(w.n_done, 1);
	walk_end(&w);
}
END_TEST

START_TEST(test_many_let_others_in)
{
	struct walk w;
	struct event *asked;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], "?", 1), 1);
	walk_begin(&w, 5 * SLICE_CHANGES + 1);
	ck_assert_uint_eq(w.n_done, 0);
	asked = event_new(w.base, fds[0], EV_READ | EV_PERSIST, asked_cb, &w);
	event_add(asked, NULL);
	while (w.n_done == 0)
		event_base_loop(w.base, EVLOOP_ONCE);
	ck_assert_uint_eq(w.n_pieces, 6);
	ck_assert_uint_ge(w.n_asked, 4);
	event_free(asked);
	close(fds[0]);
	close(fds[1]);
	walk_end(&w);
}
END_TEST

START_TEST(test_finished_without_the_loop)
{
	struct walk w;

	walk_begin(&w, 3 * SLICE_CHANGES);
	slices_finish(w.slices);
	ck_assert_uint_eq(w.n_done, 1);
	w.at = w.n_done = 0;
	slices_run(w.slices, &w.all, piece_cb, done_cb, &w);
	walk_end(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slices");
	TCase *tc = tcase_create("slices");

	tcase_add_loop_test(tc, test_few_are_done_at_once, 0, 3);
	tcase_add_test(tc, test_many_let_others_in);
	tcase_add_test(tc, test_finished_without_the_loop);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
