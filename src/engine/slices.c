/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timer of no time, not an event that is made active: libevent would run that one again before it
 * looks at the sockets.
 */
#include "engine/slices.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct slices {
	struct event *next;
	struct changes *changes; /* NULL: nothing is going on */
	size_t i;
	slices_piece_fn *piece;
	slices_done_fn *done;
	void *arg;
	bool is_hurried;
};

/* True: that was the last one. */
static bool step(struct slices *s)
{
	size_t left = s->changes->n - s->i;
	struct changes piece = { .items = s->changes->items + s->i,
				 .n = left < SLICE_CHANGES ? left : SLICE_CHANGES };

	s->i += piece.n;
	if (piece.n > 0)
		s->piece(&piece, s->arg);
	return s->i == s->changes->n;
}

static void go_on(struct slices *s)
{
	static const struct timeval now;
	bool is_over;

	do
		is_over = step(s);
	while (!is_over && s->is_hurried);
	if (!is_over) {
		event_add(s->next, &now);
		return;
	}
	s->changes = NULL; /* done() may begin another */
	s->done(s->arg);
}

static void next_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg);
}

struct slices *slices_new(struct event_base *base)
{
	struct slices *s = mem_zalloc(sizeof(*s));

	s->next = evtimer_new(base, next_cb, s);
	return s;
}

void slices_free(struct slices *s)
{
	if (!s)
		return;
	assert(!s->changes);
	event_free(s->next);
	free(s);
}

void slices_run(struct slices *s, struct changes *c, slices_piece_fn *piece, slices_done_fn *done,
		void *arg)
{
	assert(!s->changes);
	s->changes = c;
	s->i = 0;
	s->piece = piece;
	s->done = done;
	s->arg = arg;
	go_on(s);
}

void slices_finish(struct slices *s)
{
	s->is_hurried = true;
	if (!s->changes)
		return;
	event_del(s->next);
	go_on(s);
}
