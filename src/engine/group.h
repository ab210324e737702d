/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait, and groups of them that go to the kernel in one batch.
 * Pure: prepares and checks requests against a model, and leaves the model as
 * it was; only group_apply() changes it.
 */
#ifndef FNAT_ENGINE_GROUP_H
#define FNAT_ENGINE_GROUP_H

#include "engine/engine.h"

/* Bounds on one batch, so that one request never waits for an endless one before it. */
#define GROUP_REQUESTS_MAX 256
#define GROUP_CHANGES_MAX  4096
/* So many changes are made current in less than a millisecond, without another model. */
#define GROUP_CHANGES_PLAYED 256

struct pending {
	struct pending *next;
	struct requester who; /* what: owned */
	bool is_dry_run;
	bool is_large; /* goes alone, and is prepared by group_prepare() */
	bool is_alone; /* its group was refused: now without company */
	/* Not 0: goes alone; the model is to be what it was before, so many seconds later ... */
	unsigned int confirm_s;
	int64_t rollback_at_ms; /* ... which is then (CLOCK_REALTIME); set when it goes to the store
				 */
	engine_prepare_fn *prepare;
	engine_done_fn *done;
	void *arg;
	/* Once it was prepared */
	struct changes changes;
	struct err err;
	uint64_t generation; /* after it */
};

struct pending *pending_new(const struct requester *who, unsigned int flags, unsigned int confirm_s,
			    engine_prepare_fn *prepare, engine_done_fn *done, void *arg);
void pending_free(struct pending *r);

struct pending_queue {
	struct pending *first, **end;
	size_t n;
};

void pending_queue_init(struct pending_queue *q);
void pending_queue_push(struct pending_queue *q, struct pending *r);
struct pending *pending_queue_pop(struct pending_queue *q); /* NULL when empty */

struct group {
	struct pending *requests[GROUP_REQUESTS_MAX];
	size_t n;
	size_t n_changes;
	uint64_t generation; /* after all of it */
	struct changes net;  /* what is to be done: each object once */
	struct model *next;  /* of a large request, perhaps: the model after it */
};

void group_init(struct group *g);
/* Frees what the group made; requests that are still in it stay with the caller. */
void group_fini(struct group *g);

/*
 * Take the next requests off the queue that can go together. A request is
 * prepared on the model as the ones before it will leave it. What changes
 * nothing, or is refused, is answered at once (goes to *settled) unless that
 * follows from a request that is not yet in the kernel: then it stays in the
 * group. A dry run, and a request that is_alone, goes by itself.
 */
void group_form(struct group *g, struct pending_queue *waiting, struct model *m,
		uint64_t generation, struct pending_queue *settled);

bool group_is_dry_run(const struct group *g);
/* A request that is to be confirmed, or NULL. */
struct pending *group_to_confirm(const struct group *g);
/* A large request, which group_form() has not prepared. */
bool group_is_large(const struct group *g);

/*
 * Prepare the large request, check it, and make the model that would follow. Only reads m, and may
 * be on another thread, while nobody changes m. What changes nothing or is refused has the
 * generation g had.
 */
void group_prepare(struct group *g, const struct model *m);

/*
 * The kernel has it: make it current. After a large request *m is another one, and g->next the one
 * it was, to be freed by the caller.
 */
void group_apply(struct group *g, struct model **m);

/* The kernel refused it: back to the head of the queue, each to go alone. Empties the group. */
void group_split(struct group *g, struct pending_queue *waiting);

#endif
