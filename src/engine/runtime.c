/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Few backends are ever in a state of their own, so what is known is kept for those only, in a list
 * a service. Nearly all services have no list, and a change of the configuration then costs one
 * look into a hash table that is nearly empty.
 *
 * A service is marked, not its backends: the plan replaces services, and however many results come
 * in one round of the loop, they are one batch.
 */
#include "engine/runtime.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/detours.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>
#include <utlist.h>

struct known {
	char *backend;
	struct backend_runtime at;
};

struct known_service {
	UT_hash_handle hh;
	struct known_service *prev, *next; /* among the marked ones */
	struct known *items;               /* sorted by name; none is all zero */
	size_t n, cap;
	bool is_dirty;
	bool has_standing;
	struct standing standing; /* the last one; else as the configuration alone makes it */
	char name[];
};

struct runtime {
	struct known_service *services, *dirty;
	struct detours detours;
	runtime_standing_fn *on_standing;
	void *arg;
};

static const struct backend_runtime nothing;

struct runtime *runtime_new(void)
{
	return mem_zalloc(sizeof(struct runtime));
}

void runtime_on_standing(struct runtime *r, runtime_standing_fn *fn, void *arg)
{
	r->on_standing = fn;
	r->arg = arg;
}

static void mark(struct runtime *r, struct known_service *s)
{
	if (!s->is_dirty)
		DL_APPEND(r->dirty, s);
	s->is_dirty = true;
}

static void unmark(struct runtime *r, struct known_service *s)
{
	if (s->is_dirty)
		DL_DELETE(r->dirty, s);
	s->is_dirty = false;
}

static void service_forget(struct runtime *r, struct known_service *s)
{
	unmark(r, s);
	HASH_DEL(r->services, s);
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].backend);
	free(s->items);
	free(s);
}

void runtime_free(struct runtime *r)
{
	struct known_service *s, *next;

	if (!r)
		return;
	HASH_ITER (hh, r->services, s, next)
		service_forget(r, s);
	detours_fini(&r->detours);
	free(r);
}

static struct known_service *service_find(const struct runtime *r, const char *name)
{
	struct known_service *s = NULL;

	if (r->services)
		HASH_FIND(hh, r->services, name, strlen(name), s);
	return s;
}

static struct known_service *service_make(struct runtime *r, const char *name)
{
	struct known_service *s = service_find(r, name);
	size_t len = strlen(name);

	if (s)
		return s;
	s = mem_zalloc(sizeof(*s) + len + 1);
	memcpy(s->name, name, len + 1);
	HASH_ADD_KEYPTR(hh, r->services, s->name, len, s);
	return s;
}

/* Where the backend is, or would have to be. */
static size_t known_place(const struct known_service *s, const char *backend, bool *is_there)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->items[mid].backend, backend) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*is_there = lo < s->n && strcmp(s->items[lo].backend, backend) == 0;
	return lo;
}

struct backend_runtime runtime_get(const struct runtime *r, const char *service,
				   const char *backend)
{
	const struct known_service *s = service_find(r, service);
	bool is_there = false;
	size_t i = s ? known_place(s, backend, &is_there) : 0;

	return is_there ? s->items[i].at : nothing;
}

static void known_remove(struct known_service *s, size_t i)
{
	free(s->items[i].backend);
	s->n--;
	memmove(&s->items[i], &s->items[i + 1], (s->n - i) * sizeof(*s->items));
}

static void known_insert(struct known_service *s, size_t i, const char *backend)
{
	(void)VEC_PUSH(s->items, s->n, s->cap);
	memmove(&s->items[i + 1], &s->items[i], (s->n - 1 - i) * sizeof(*s->items));
	s->items[i] = (struct known){ .backend = mem_strdup(backend) };
}

bool runtime_set(struct runtime *r, const char *service, const char *backend,
		 const struct backend_runtime *at)
{
	struct backend_runtime before = runtime_get(r, service, backend);
	struct known_service *s;
	bool is_there;
	size_t i;

	if (backend_runtime_equal(&before, at))
		return false;
	s = service_make(r, service);
	i = known_place(s, backend, &is_there);
	if (!is_there)
		known_insert(s, i, backend);
	s->items[i].at = *at;
	if (backend_runtime_equal(at, &nothing))
		known_remove(s, i);
	mark(r, s);
	return true;
}

bool runtime_set_detour(struct runtime *r, const char *pool, const struct detour *at, bool is_set)
{
	return detours_set(&r->detours, pool, at, is_set);
}

size_t runtime_detours(const struct runtime *r, const char *pool, const struct detour *like)
{
	return detours_count(&r->detours, pool, like);
}

bool runtime_is_dirty(const struct runtime *r)
{
	return r->dirty != NULL || detours_are_dirty(&r->detours);
}

/* Whose check begins with down: in use only once it is known that they are up. */
static bool begins_down(const struct service *s)
{
	return s->check && s->check->initial == CHECK_INITIAL_DOWN &&
	       strcmp(check_name_of_type(s->check), "none") != 0;
}

/* A gate that nobody knows the count of stays shut. */
static void apply_gate(struct backend_runtime *at, const struct service *s, const struct backend *b)
{
	if (b->max_connections == 0 || gate_holds(&at->gate, s, b))
		return;
	at->is_uncounted = at->is_uncounted || !at->is_at_limit;
	at->is_at_limit = true;
}

/* What health knows, in the terms of effective_service(). */
static void apply_health(struct backend_runtime *at, bool is_down_at_first)
{
	at->is_down = at->is_down || (is_down_at_first && !at->is_up);
	at->is_full = at->is_full || at->is_at_limit || (at->is_weighed && at->weight == 0);
}

/* What is known of each backend of s, for the caller to free(). Both lists are sorted by name. */
static struct backend_runtime *known_of(const struct known_service *known, const struct service *s)
{
	struct backend_runtime *at = mem_calloc(s->n_backends, sizeof(*at));
	bool has_gates = service_has_gates(s);
	size_t k = 0;

	for (size_t i = 0; i < s->n_backends; i++) {
		while (known && k < known->n &&
		       strcmp(known->items[k].backend, s->backends[i].name) < 0)
			k++;
		if (known && k < known->n &&
		    strcmp(known->items[k].backend, s->backends[i].name) == 0)
			at[i] = known->items[k].at;
		if (has_gates)
			apply_gate(&at[i], s, &s->backends[i]);
		apply_health(&at[i], begins_down(s));
	}
	return at;
}

/* The service with the weights that health gives, with a reference for the caller. */
static const struct service *weighed(const struct service *s, const struct backend_runtime *at)
{
	struct service copy = *s;
	const struct service *out;
	bool is_same = true;

	for (size_t i = 0; i < s->n_backends && is_same; i++)
		is_same = !at[i].is_weighed;
	if (is_same)
		return service_ref(s);
	copy.backends = mem_calloc(s->n_backends, sizeof(*copy.backends));
	for (size_t i = 0; i < s->n_backends; i++) {
		copy.backends[i] = s->backends[i];
		if (at[i].is_weighed && at[i].weight > 0 && s->backends[i].weight > 0)
			copy.backends[i].weight = at[i].weight;
	}
	out = service_new(&copy);
	free(copy.backends);
	return out;
}

/* With a reference for the caller. known may be NULL. */
static const struct service *effective(const struct known_service *known, const struct service *s)
{
	struct backend_runtime *at = known_of(known, s);
	bool was_below = known && known->standing.is_below_quorum;
	const struct service *base = weighed(s, at);
	const struct service *out = effective_service(base, at, was_below);

	service_unref(base);
	free(at);
	return out;
}

void runtime_weights(const struct runtime *r, const struct service *s, uint32_t *out)
{
	const struct known_service *known = service_find(r, s->name);
	struct backend_runtime *at = known_of(known, s);
	const struct service *base = weighed(s, at);

	for (size_t i = 0; i < s->n_backends; i++)
		at[i].is_full = at[i].is_at_limit || (at[i].is_weighed && at[i].weight == 0);
	effective_weights(base, at, known && known->standing.is_below_quorum, out);
	service_unref(base);
	free(at);
}

static struct standing standing_of(const struct known_service *known, const struct service *s)
{
	struct backend_runtime *at = known_of(known, s);
	bool was_below = known && known->standing.is_below_quorum;
	struct standing out = service_standing(s, at, was_below);

	free(at);
	return out;
}

struct standing runtime_standing(const struct runtime *r, const struct service *s)
{
	return standing_of(service_find(r, s->name), s);
}

static bool is_news(const struct standing *was, const struct standing *is)
{
	return standing_overflows(was) != standing_overflows(is) ||
	       was->is_below_quorum != is->is_below_quorum ||
	       was->of[0].serving != is->of[0].serving || was->of[1].serving != is->of[1].serving ||
	       was->of[0].priority != is->of[0].priority ||
	       was->of[1].priority != is->of[1].priority;
}

/* Who serves now, and tell when that is news. */
static void settle(struct runtime *r, struct known_service *known, const struct service *s)
{
	struct standing is, was = known->standing;

	if (!known->has_standing)
		was = standing_of(NULL, s);
	is = standing_of(known, s);
	known->standing = is;
	known->has_standing = true;
	if (is_news(&was, &is) && r->on_standing)
		r->on_standing(s, &was, &is, r->arg);
}

/* Nothing is known, but for what the next one cannot make of nothing. */
static bool is_forgettable(const struct known_service *known)
{
	return known->n == 0 && !known->is_dirty && !known->standing.is_below_quorum;
}

void runtime_take(struct runtime *r, const struct model *m, struct changes *out)
{
	while (r->dirty) {
		struct known_service *known = r->dirty;
		const struct service *s = model_service(m, known->name);

		if (s) {
			settle(r, known, s);
			VEC_PUSH(out->items, out->n, out->cap) = (struct change){
				.object = OBJECT_SERVICE,
				.service = { .before = service_ref(s),
					     .after = effective(known, s) },
			};
		}
		unmark(r, known);
		if (!s || is_forgettable(known))
			service_forget(r, known);
	}
	detours_take(&r->detours, m, out);
}

void runtime_forget_gates(struct runtime *r)
{
	static const struct gate_runtime unknown;
	struct known_service *s, *next;

	HASH_ITER (hh, r->services, s, next) {
		for (size_t i = s->n; i-- > 0;) {
			if (s->items[i].at.gate.of == 0)
				continue;
			s->items[i].at.gate = unknown;
			if (backend_runtime_equal(&s->items[i].at, &nothing))
				known_remove(s, i);
			mark(r, s);
		}
	}
}

void runtime_untake(struct runtime *r, const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].object == OBJECT_SERVICE)
			mark(r, service_make(r, change_name(&c->items[i])));
		else
			detours_untake(&r->detours, change_name(&c->items[i]));
	}
}

void runtime_overlay(const struct runtime *r, struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct change *change = &c->items[i];
		const struct known_service *known;
		const struct service *after;

		if (change->object == OBJECT_POOL && change->pool.after)
			change->pool.after = detours_overlay(&r->detours, change->pool.after);
		if (change->object != OBJECT_SERVICE || !change->service.after)
			continue;
		known = service_find(r, change->service.after->name);
		after = known || begins_down(change->service.after) ||
					service_has_gates(change->service.after)
				? effective(known, change->service.after)
				: effective_service(change->service.after, NULL, false);
		service_unref(change->service.after);
		change->service.after = after;
	}
}

static void forget_removed(struct known_service *known, const struct service *s)
{
	for (size_t i = known->n; i-- > 0;) {
		if (!service_backend(s, known->items[i].backend))
			known_remove(known, i);
	}
}

/* One that quorum or states matter to is remembered while it is not as it should be. */
static void service_accepted(struct runtime *r, const struct service *s,
			     const struct service *before)
{
	struct known_service *known = service_find(r, s->name);

	if (!known && !s->has_control)
		return;
	if (!known) {
		known = service_make(r, s->name);
		known->has_standing = true;
		known->standing = standing_of(NULL, before ? before : s);
	}
	forget_removed(known, s);
	settle(r, known, s);
	if (is_forgettable(known))
		service_forget(r, known);
}

void runtime_accepted(struct runtime *r, const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];
		struct known_service *known;

		if (change->object == OBJECT_POOL && !change->pool.after)
			detours_forget(&r->detours, change_name(change));
		if (change->object != OBJECT_SERVICE)
			continue;
		if (change->service.after) {
			service_accepted(r, change->service.after, change->service.before);
			continue;
		}
		known = service_find(r, change_name(change));
		if (known)
			service_forget(r, known);
	}
}
