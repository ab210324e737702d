/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of the current objects: services by name, listeners to their service, pools by name
 * with the number of services that use them. Making a change current touches only what the
 * change names. All that goes is taken out before anything is put in, so a listener may move from
 * one service to another within one list of changes, whatever their order.
 */
#include "model/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/by_name.h"
#include "base/mem.h"
#include "model/index.h"

struct model *model_new(void)
{
	return mem_zalloc(sizeof(struct model));
}

void model_free(struct model *m)
{
	struct listener_entry *l, *next_l;
	struct service_entry *s, *next_s;
	struct pool_entry *p, *next_p;

	if (!m)
		return;
	HASH_ITER (hh, m->listeners, l, next_l) {
		HASH_DEL(m->listeners, l);
		free(l);
	}
	HASH_ITER (hh, m->services, s, next_s) {
		HASH_DEL(m->services, s);
		service_unref(s->service);
		free(s);
	}
	HASH_ITER (hh, m->pools, p, next_p) {
		HASH_DEL(m->pools, p);
		pool_unref(p->pool);
		free(p->name);
		free(p);
	}
	free(m);
}

struct listener listener_key(const struct listener *l)
{
	struct listener key;

	memset(&key, 0, sizeof(key));
	key.address.family = l->address.family;
	memcpy(key.address.bytes, l->address.bytes, sizeof(key.address.bytes));
	key.port = l->port;
	key.protocol = l->protocol;
	return key;
}

static struct service_entry *service_entry(const struct model *m, const char *name)
{
	struct service_entry *e;

	HASH_FIND(hh, m->services, name, strlen(name), e);
	return e;
}

static struct pool_entry *pool_entry(const struct model *m, const char *name)
{
	struct pool_entry *e;

	HASH_FIND(hh, m->pools, name, strlen(name), e);
	return e;
}

static struct listener_entry *listener_entry(const struct model *m, const struct listener *l)
{
	struct listener key = listener_key(l);
	struct listener_entry *e;

	HASH_FIND(hh, m->listeners, &key, sizeof(key), e);
	return e;
}

const struct service *model_service(const struct model *m, const char *name)
{
	const struct service_entry *e = service_entry(m, name);

	return e ? e->service : NULL;
}

const struct pool_entry *model_pool_entry(const struct model *m, const char *name)
{
	return pool_entry(m, name);
}

const struct pool *model_pool(const struct model *m, const char *name)
{
	const struct pool_entry *e = pool_entry(m, name);

	return e ? e->pool : NULL;
}

size_t model_n_services(const struct model *m)
{
	return HASH_COUNT(m->services);
}

size_t model_n_pools(const struct model *m)
{
	return m->n_pools;
}

size_t model_n_backends(const struct model *m)
{
	return m->n_backends;
}

size_t model_n_listeners(const struct model *m)
{
	return HASH_COUNT(m->listeners);
}

const struct service *model_listener(const struct model *m, const struct listener *l)
{
	const struct listener_entry *e = listener_entry(m, l);

	return e ? e->service : NULL;
}

const struct service **model_services(const struct model *m, size_t *n)
{
	const struct service **all = mem_calloc(model_n_services(m), sizeof(*all));
	struct by_name *items = mem_calloc(model_n_services(m), sizeof(*items));
	const struct service_entry *e;

	*n = 0;
	for (e = m->services; e; e = e->hh.next) {
		items[*n].name = e->service->name;
		items[(*n)++].object = service_ref(e->service);
	}
	by_name_sort(items, *n);
	for (size_t i = 0; i < *n; i++)
		all[i] = items[i].object;
	free(items);
	return all;
}

const struct service **model_some_services(const struct model *m, size_t max, size_t *n)
{
	size_t all = model_n_services(m);
	const struct service **some = mem_calloc(all < max ? all : max, sizeof(*some));
	struct service_entry *e, *next;

	*n = 0;
	HASH_ITER (hh, m->services, e, next) {
		if (*n == max)
			break;
		some[(*n)++] = service_ref(e->service);
	}
	return some;
}

static int pool_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct pool *const *)a)->name,
		      (*(const struct pool *const *)b)->name);
}

const struct pool **model_pools(const struct model *m, size_t *n)
{
	const struct pool **all = mem_calloc(m->n_pools, sizeof(*all));
	const struct pool_entry *e;

	*n = 0;
	for (e = m->pools; e; e = e->hh.next) {
		if (e->pool)
			all[(*n)++] = pool_ref(e->pool);
	}
	qsort(all, *n, sizeof(*all), pool_cmp);
	return all;
}

static struct pool_entry *pool_entry_make(struct model *m, const char *name)
{
	struct pool_entry *e = pool_entry(m, name);

	if (!e) {
		e = mem_zalloc(sizeof(*e));
		e->name = mem_strdup(name);
		HASH_ADD_KEYPTR(hh, m->pools, e->name, strlen(e->name), e);
	}
	return e;
}

static void pool_entry_drop(struct model *m, struct pool_entry *e)
{
	if (e->pool || e->users)
		return;
	HASH_DEL(m->pools, e);
	free(e->name);
	free(e);
}

/* The reference of the model to s goes with it: s is not touched any more. */
static void service_take_out(struct model *m, const struct service *s)
{
	struct service_entry *e = service_entry(m, s->name);
	struct pool_entry *pool = pool_entry(m, s->pool);

	assert(e && pool);
	s = e->service;
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct listener_entry *l = listener_entry(m, &s->listeners[i]);

		HASH_DEL(m->listeners, l);
		free(l);
	}
	pool->users--;
	pool->users4 -= service_listens_on(s, AF_INET);
	pool->users6 -= service_listens_on(s, AF_INET6);
	pool_entry_drop(m, pool);
	HASH_DEL(m->services, e);
	m->n_backends -= s->n_backends;
	service_unref(s);
	free(e);
}

static void service_put_in(struct model *m, const struct service *s)
{
	struct pool_entry *pool = pool_entry_make(m, s->pool);
	struct service_entry *e = mem_zalloc(sizeof(*e));

	e->service = service_ref(s);
	m->n_backends += s->n_backends;
	HASH_ADD_KEYPTR(hh, m->services, s->name, strlen(s->name), e);
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct listener_entry *l = mem_zalloc(sizeof(*l));

		l->listener = listener_key(&s->listeners[i]);
		l->service = s;
		HASH_ADD(hh, m->listeners, listener, sizeof(l->listener), l);
	}
	pool->users++;
	pool->users4 += service_listens_on(s, AF_INET);
	pool->users6 += service_listens_on(s, AF_INET6);
}

static void pool_take_out(struct model *m, const struct pool *p)
{
	struct pool_entry *e = pool_entry(m, p->name);

	assert(e && e->pool);
	pool_unref(e->pool);
	e->pool = NULL;
	m->n_pools--;
	pool_entry_drop(m, e);
}

static void pool_put_in(struct model *m, const struct pool *p)
{
	struct pool_entry *e = pool_entry_make(m, p->name);

	assert(!e->pool);
	e->pool = pool_ref(p);
	m->n_pools++;
}

static void all_take_out(struct model *m, const struct changes *c, bool is_revert)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *item = &c->items[i];
		const struct service *s;
		const struct pool *p;

		switch (item->object) {
		case OBJECT_SERVICE:
			s = is_revert ? item->service.after : item->service.before;
			if (s)
				service_take_out(m, s);
			break;
		case OBJECT_POOL:
			p = is_revert ? item->pool.after : item->pool.before;
			if (p)
				pool_take_out(m, p);
			break;
		}
	}
}

static void all_put_in(struct model *m, const struct changes *c, bool is_revert)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *item = &c->items[i];
		const struct service *s;
		const struct pool *p;

		switch (item->object) {
		case OBJECT_SERVICE:
			s = is_revert ? item->service.before : item->service.after;
			if (s)
				service_put_in(m, s);
			break;
		case OBJECT_POOL:
			p = is_revert ? item->pool.before : item->pool.after;
			if (p)
				pool_put_in(m, p);
			break;
		}
	}
}

void model_apply(struct model *m, const struct changes *c)
{
	all_take_out(m, c, false);
	all_put_in(m, c, false);
}

void model_revert(struct model *m, const struct changes *c)
{
	all_take_out(m, c, true);
	all_put_in(m, c, true);
}

struct model *model_copy(const struct model *m)
{
	struct model *copy = model_new();

	for (const struct pool_entry *e = m->pools; e; e = e->hh.next) {
		if (e->pool)
			pool_put_in(copy, e->pool);
	}
	for (const struct service_entry *e = m->services; e; e = e->hh.next)
		service_put_in(copy, e->service);
	return copy;
}
