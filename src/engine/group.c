/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request does not bring its changes along, it brings a function that finds
 * them, because what has to change depends on what the requests before it did.
 * So forming a group means to play it: prepare one, check it, make it current,
 * prepare the next. Then all is taken back, newest first. Readers
 * therefore never see what the kernel may still refuse, and a refusal (or, one day,
 * a disk that is full) has nothing to undo.
 *
 * The last request of a group, and with it the single one, which is by far the most frequent
 * group, need not be played.
 *
 * A large request (a whole document, perhaps of 100,000 services) would hold the loop for longer
 * than other clients should wait. It goes alone, is prepared on the writer's thread, and is not
 * played either: the model after it is made beside the current one, and the two are exchanged.
 */
#include "engine/group.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/mem.h"

struct pending *pending_new(const struct requester *who, unsigned int flags, unsigned int confirm_s,
			    engine_prepare_fn *prepare, engine_done_fn *done, void *arg)
{
	struct pending *r = mem_zalloc(sizeof(*r));

	r->who = *who;
	r->who.what = who->what ? mem_strdup(who->what) : NULL;
	r->is_dry_run = flags & ENGINE_DRY_RUN;
	r->is_large = flags & ENGINE_LARGE;
	r->confirm_s = r->is_dry_run ? 0 : confirm_s;
	r->prepare = prepare;
	r->done = done;
	r->arg = arg;
	err_init(&r->err);
	return r;
}

void pending_free(struct pending *r)
{
	changes_fini(&r->changes);
	err_fini(&r->err);
	free((char *)r->who.what);
	free(r);
}

void pending_queue_init(struct pending_queue *q)
{
	q->first = NULL;
	q->end = &q->first;
	q->n = 0;
}

void pending_queue_push(struct pending_queue *q, struct pending *r)
{
	r->next = NULL;
	*q->end = r;
	q->end = &r->next;
	q->n++;
}

struct pending *pending_queue_pop(struct pending_queue *q)
{
	struct pending *r = q->first;

	if (!r)
		return NULL;
	q->first = r->next;
	if (!q->first)
		q->end = &q->first;
	q->n--;
	r->next = NULL;
	return r;
}

static void pending_queue_push_front(struct pending_queue *q, struct pending *r)
{
	r->next = q->first;
	q->first = r;
	if (!r->next)
		q->end = &r->next;
	q->n++;
}

void group_init(struct group *g)
{
	*g = (struct group){ 0 };
}

void group_fini(struct group *g)
{
	changes_fini(&g->net);
	model_free(g->next);
	group_init(g);
}

bool group_is_large(const struct group *g)
{
	return g->n == 1 && g->requests[0]->is_large;
}

bool group_is_dry_run(const struct group *g)
{
	return g->n == 1 && g->requests[0]->is_dry_run;
}

struct pending *group_to_confirm(const struct group *g)
{
	return g->n == 1 && g->requests[0]->confirm_s ? g->requests[0] : NULL;
}

static bool goes_alone(const struct pending *r)
{
	return r->is_dry_run || r->is_alone || r->is_large || r->confirm_s;
}

/* May this one go with those that are in the group already? */
static bool group_has_room(const struct group *g, const struct pending *r)
{
	if (g->n == 0)
		return true;
	return !goes_alone(r) && !goes_alone(g->requests[0]) && g->n < GROUP_REQUESTS_MAX &&
	       g->n_changes < GROUP_CHANGES_MAX;
}

static void pending_prepare(struct pending *r, const struct model *m, uint64_t generation)
{
	int rc;

	changes_fini(&r->changes);
	r->changes = (struct changes){ 0 };
	err_reset(&r->err);
	r->generation = generation;
	rc = r->prepare(m, generation, r->arg, &r->changes, &r->err);
	if (rc == 0)
		rc = model_check(m, &r->changes, &r->err);
	if (rc < 0 && !err_any(&r->err))
		err_add(&r->err, ERR_SYSTEM, rc, NULL, "cannot be prepared: %s", strerror(-rc));
	if (err_any(&r->err) || r->changes.n == 0)
		return;
	r->generation = generation + 1;
}

/* An object in the net changes, found by name. */
struct net_entry {
	size_t index;
	UT_hash_handle hh;
};

/* c happened after *net, to the same object. */
static void change_extend(struct change *net, const struct change *c)
{
	switch (c->object) {
	case OBJECT_SERVICE:
		service_unref(net->service.after);
		net->service.after = c->service.after ? service_ref(c->service.after) : NULL;
		break;
	case OBJECT_POOL:
		pool_unref(net->pool.after);
		net->pool.after = c->pool.after ? pool_ref(c->pool.after) : NULL;
		break;
	}
}

static bool change_is_empty(const struct change *c)
{
	switch (c->object) {
	case OBJECT_SERVICE:
		if (!c->service.before || !c->service.after)
			return c->service.before == c->service.after;
		return service_equal(c->service.before, c->service.after);
	case OBJECT_POOL:
		if (!c->pool.before || !c->pool.after)
			return c->pool.before == c->pool.after;
		return pool_equal(c->pool.before, c->pool.after);
	}
	return false;
}

/* Leave out what came to nothing: made and removed again within the group. */
static void net_compact(struct changes *net)
{
	struct changes all = *net;

	*net = (struct changes){ 0 };
	for (size_t i = 0; i < all.n; i++) {
		if (!change_is_empty(&all.items[i]))
			VEC_PUSH(net->items, net->n, net->cap) = change_copy(&all.items[i]);
	}
	changes_fini(&all);
}

/* The hash keys are the names inside the values that the requests' changes hold. */
static void net_add(struct changes *net, struct net_entry *entries, struct net_entry **by_name,
		    const struct change *c)
{
	const char *name = change_name(c);
	struct net_entry *e;

	HASH_FIND_STR(*by_name, name, e);
	if (e) {
		change_extend(&net->items[e->index], c);
		return;
	}
	e = &entries[net->n];
	e->index = net->n;
	HASH_ADD_KEYPTR(hh, *by_name, name, strlen(name), e);
	VEC_PUSH(net->items, net->n, net->cap) = change_copy(c);
}

static void group_merge(struct group *g)
{
	struct net_entry *entries, *services = NULL, *pools = NULL;

	if (g->n == 1) { /* its own changes are the net ones already */
		changes_copy(&g->requests[0]->changes, &g->net);
		return;
	}
	entries = mem_calloc(g->n_changes + 1, sizeof(*entries));
	for (size_t i = 0; i < g->n; i++) {
		const struct changes *c = &g->requests[i]->changes;

		for (size_t j = 0; j < c->n; j++)
			net_add(&g->net, entries,
				c->items[j].object == OBJECT_SERVICE ? &services : &pools,
				&c->items[j]);
	}
	HASH_CLEAR(hh, services);
	HASH_CLEAR(hh, pools);
	free(entries);
	net_compact(&g->net);
}

void group_form(struct group *g, struct pending_queue *waiting, struct model *m,
		uint64_t generation, struct pending_queue *settled)
{
	size_t n_applied = 0;

	group_init(g);
	g->generation = generation;
	while (waiting->first && group_has_room(g, waiting->first)) {
		struct pending *r = pending_queue_pop(waiting);

		if (r->is_large) {
			g->requests[g->n++] = r;
			return;
		}
		for (; n_applied < g->n; n_applied++)
			model_apply(m, &g->requests[n_applied]->changes);
		pending_prepare(r, m, g->generation);
		if (g->n == 0 && r->generation == generation) {
			pending_queue_push(settled, r);
			continue;
		}
		if (r->generation == g->generation) { /* refused, or nothing to do */
			changes_fini(&r->changes);
			r->changes = (struct changes){ 0 };
		}
		g->generation = r->generation;
		g->n_changes += r->changes.n;
		g->requests[g->n++] = r;
	}
	while (n_applied > 0)
		model_revert(m, &g->requests[--n_applied]->changes);
	if (g->n > 0)
		group_merge(g);
}

void group_prepare(struct group *g, const struct model *m)
{
	struct pending *r = g->requests[0];

	pending_prepare(r, m, g->generation);
	if (r->generation == g->generation)
		return;
	g->generation = r->generation;
	g->n_changes = r->changes.n;
	group_merge(g);
	if (r->is_dry_run || g->n_changes < GROUP_CHANGES_PLAYED)
		return;
	g->next = model_copy(m);
	model_apply(g->next, &r->changes);
}

void group_apply(struct group *g, struct model **m)
{
	struct model *now = *m;

	if (g->next) {
		*m = g->next;
		g->next = now;
		return;
	}
	for (size_t i = 0; i < g->n; i++)
		model_apply(now, &g->requests[i]->changes);
}

void group_split(struct group *g, struct pending_queue *waiting)
{
	assert(g->n > 1);
	while (g->n > 0) {
		g->requests[--g->n]->is_alone = true;
		pending_queue_push_front(waiting, g->requests[g->n]);
	}
	group_fini(g);
}
