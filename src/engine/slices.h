/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has to be done for each of perhaps 100,000 changes on the main loop, a piece in each of its
 * rounds, so that whoever asks meanwhile waits for a piece. One such walk at a time.
 */
#ifndef FNAT_ENGINE_SLICES_H
#define FNAT_ENGINE_SLICES_H

#include <event2/event.h>

#include "model/model.h"

/* So many take less than a millisecond. */
#define SLICE_CHANGES 4096

struct slices;

struct slices *slices_new(struct event_base *base);
void slices_free(struct slices *s); /* after slices_finish() */

/* piece: some of the changes, in their order, which it may replace in place. */
typedef void slices_piece_fn(struct changes *piece, void *arg);
typedef void slices_done_fn(void *arg);

/*
 * All that fit into one piece are done, and done() is called, before it returns; the rest later. c
 * is borrowed until done().
 */
void slices_run(struct slices *s, struct changes *c, slices_piece_fn *piece, slices_done_fn *done,
		void *arg);

/* What is left is done now, and whatever comes later is done at once: the loop does not turn. */
void slices_finish(struct slices *s);

#endif
