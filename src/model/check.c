/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no object can check alone. A problem is reported where it can be mended: at the service
 * when the change is about the service, at the pool when only the pool changes and services
 * that stay as they are need what it loses. The cost follows the changes, not the model; only an
 * error may look through all services, to name one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "model/index.h"

struct claim {
	struct listener listener; /* the key */
	const struct service *service;
	UT_hash_handle hh;
};

/* Services that the changes touch, of those that used a pool before. */
struct freed {
	const char *pool; /* the key; borrowed */
	size_t users, users4, users6;
	UT_hash_handle hh;
};

static const char *family_text(uint8_t family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

static bool has_room(const struct err *err)
{
	return err->n_problems < ERR_MAX_PROBLEMS;
}

static size_t listener_taken(const struct service *s, size_t i, const struct service *owner,
			     struct err *err)
{
	char pointer[MODEL_NAME_MAX + 64], text[LISTENER_STRLEN];

	snprintf(pointer, sizeof(pointer), "/services/%s/listeners/%zu", s->name, i);
	err_add(err, ERR_INVALID, -EINVAL, pointer,
		"service \"%s\": listener %s: already used by service \"%s\"", s->name,
		listener_format(&s->listeners[i], text), owner->name);
	return 1;
}

/* Claim a service's listeners against the model and against the claims of other changes. */
static size_t service_claim(const struct model *m, const struct changes *c, const struct service *s,
			    struct claim **claims, struct err *err)
{
	size_t n_problems = 0;

	for (size_t i = 0; i < s->n_listeners; i++) {
		const struct service *owner = model_listener(m, &s->listeners[i]);
		struct listener key = listener_key(&s->listeners[i]);
		struct claim *claim;

		if (owner && !changes_find(c, OBJECT_SERVICE, owner->name)) {
			n_problems += listener_taken(s, i, owner, err);
			continue;
		}
		HASH_FIND(hh, *claims, &key, sizeof(key), claim);
		if (claim) {
			n_problems += listener_taken(s, i, claim->service, err);
			continue;
		}
		claim = mem_zalloc(sizeof(*claim));
		claim->listener = key;
		claim->service = s;
		HASH_ADD(hh, *claims, listener, sizeof(claim->listener), claim);
	}
	return n_problems;
}

size_t check_listeners(const struct model *m, const struct changes *c, struct err *err)
{
	struct claim *claims = NULL, *claim, *next;
	size_t n_problems = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].object == OBJECT_SERVICE && c->items[i].service.after)
			n_problems += service_claim(m, c, c->items[i].service.after, &claims, err);
	}
	HASH_ITER (hh, claims, claim, next) {
		HASH_DEL(claims, claim);
		free(claim);
	}
	return n_problems;
}

static const struct pool *pool_after(const struct model *m, const struct changes *c,
				     const char *name)
{
	const struct change *change = changes_find(c, OBJECT_POOL, name);

	return change ? change->pool.after : model_pool(m, name);
}

static const char *pool_suggest(const struct model *m, const struct changes *c, const char *name)
{
	struct suggest suggest = suggest_for(name);
	const struct pool_entry *e;

	for (e = m->pools; e; e = e->hh.next) {
		if (e->pool && pool_after(m, c, e->name))
			suggest_offer(&suggest, e->name);
	}
	for (size_t i = 0; i < c->n && i < MODEL_POOLS_MAX; i++) {
		if (c->items[i].object == OBJECT_POOL && c->items[i].pool.after)
			suggest_offer(&suggest, c->items[i].pool.after->name);
	}
	return suggest.best;
}

static size_t pool_missing(const struct model *m, const struct changes *c, const struct service *s,
			   const char *pointer, struct err *err)
{
	const char *best = has_room(err) ? pool_suggest(m, c, s->pool) : NULL;

	if (best)
		err_add(err, ERR_INVALID, -EINVAL, pointer,
			"service \"%s\": pool \"%s\": no such pool, did you mean \"%s\"?", s->name,
			s->pool, best);
	else
		err_add(err, ERR_INVALID, -EINVAL, pointer,
			"service \"%s\": pool \"%s\": no such pool", s->name, s->pool);
	return 1;
}

static const struct listener *listener_of_family(const struct service *s, uint8_t family)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].address.family == family)
			return &s->listeners[i];
	}
	return NULL;
}

static size_t service_check_pool(const struct model *m, const struct changes *c,
				 const struct service *s, struct err *err)
{
	const struct pool *pool = pool_after(m, c, s->pool);
	char pointer[MODEL_NAME_MAX + 64], text[LISTENER_STRLEN];
	size_t n_problems = 0;

	snprintf(pointer, sizeof(pointer), "/services/%s/pool", s->name);
	if (!pool)
		return pool_missing(m, c, s, pointer, err);
	for (int i = 0; i < 2; i++) {
		uint8_t family = i == 0 ? AF_INET : AF_INET6;
		const struct listener *l = listener_of_family(s, family);

		if (!l || (family == AF_INET ? pool->n4 : pool->n6))
			continue;
		n_problems++;
		err_add(err, ERR_INVALID, -EINVAL, pointer,
			"service \"%s\": pool \"%s\": no %s address, which listener %s needs",
			s->name, s->pool, family_text(family), listener_format(l, text));
	}
	return n_problems;
}

/* How many services that the changes touch used each of the pools that change. */
static struct freed *freed_new(const struct changes *c)
{
	struct freed *table = NULL, *f;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *item = &c->items[i];

		if (item->object != OBJECT_POOL || !item->pool.before)
			continue;
		f = mem_zalloc(sizeof(*f));
		f->pool = item->pool.before->name;
		HASH_ADD_KEYPTR(hh, table, f->pool, strlen(f->pool), f);
	}
	for (size_t i = 0; table && i < c->n; i++) {
		const struct change *item = &c->items[i];
		const struct service *s;

		if (item->object != OBJECT_SERVICE || !(s = item->service.before))
			continue;
		HASH_FIND(hh, table, s->pool, strlen(s->pool), f);
		if (!f)
			continue;
		f->users++;
		f->users4 += service_listens_on(s, AF_INET);
		f->users6 += service_listens_on(s, AF_INET6);
	}
	return table;
}

static void freed_free(struct freed *table)
{
	struct freed *f, *next;

	HASH_ITER (hh, table, f, next) {
		HASH_DEL(table, f);
		free(f);
	}
}

/* A service that the changes leave alone, uses the pool and (family not 0) listens on the family.
 */
static const struct service *user_of_pool(const struct model *m, const struct changes *c,
					  const char *pool, uint8_t family)
{
	for (const struct service_entry *e = m->services; e; e = e->hh.next) {
		const struct service *s = e->service;

		if (strcmp(s->pool, pool) == 0 && (!family || service_listens_on(s, family)) &&
		    !changes_find(c, OBJECT_SERVICE, s->name))
			return s;
	}
	return NULL;
}

static size_t pool_in_use(const struct model *m, const struct changes *c, const char *pool,
			  size_t n_users, struct err *err)
{
	char pointer[MODEL_NAME_MAX + 64], more[48] = "";
	const struct service *user;

	if (!has_room(err)) {
		err->n_dropped++;
		return 1;
	}
	user = user_of_pool(m, c, pool, 0);
	if (n_users > 1)
		snprintf(more, sizeof(more), " and %zu more", n_users - 1);
	snprintf(pointer, sizeof(pointer), "/pools/%s", pool);
	err_add(err, ERR_CONFLICT, -EINVAL, pointer, "pool \"%s\": still used by service \"%s\"%s",
		pool, user->name, more);
	return 1;
}

static size_t pool_lost_family(const struct model *m, const struct changes *c, const char *pool,
			       uint8_t family, struct err *err)
{
	char pointer[MODEL_NAME_MAX + 64], text[LISTENER_STRLEN];
	const struct service *user;

	if (!has_room(err)) {
		err->n_dropped++;
		return 1;
	}
	user = user_of_pool(m, c, pool, family);
	snprintf(pointer, sizeof(pointer), "/pools/%s/addresses", pool);
	err_add(err, ERR_INVALID, -EINVAL, pointer,
		"pool \"%s\": no %s address left, which listener %s of service \"%s\" needs", pool,
		family_text(family), listener_format(listener_of_family(user, family), text),
		user->name);
	return 1;
}

/* A pool that changes or goes, against the services that stay as they are. */
static size_t pool_check_users(const struct model *m, const struct changes *c,
			       const struct change *item, struct freed *table, struct err *err)
{
	const char *name = item->pool.before->name;
	const struct pool_entry *e = model_pool_entry(m, name);
	const struct pool *after = item->pool.after;
	size_t n_problems = 0;
	struct freed *f;

	HASH_FIND(hh, table, name, strlen(name), f);
	if (!after)
		return e->users > f->users ? pool_in_use(m, c, name, e->users - f->users, err) : 0;
	if (!after->n4 && e->users4 > f->users4)
		n_problems += pool_lost_family(m, c, name, AF_INET, err);
	if (!after->n6 && e->users6 > f->users6)
		n_problems += pool_lost_family(m, c, name, AF_INET6, err);
	return n_problems;
}

static size_t check_pools(const struct model *m, const struct changes *c, struct err *err)
{
	struct freed *table = freed_new(c);
	size_t n_problems = 0, n_pools = m->n_pools;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *item = &c->items[i];

		if (item->object == OBJECT_SERVICE) {
			if (item->service.after)
				n_problems += service_check_pool(m, c, item->service.after, err);
			continue;
		}
		n_pools += (size_t)(!item->pool.before) - (size_t)(!item->pool.after);
		if (item->pool.before)
			n_problems += pool_check_users(m, c, item, table, err);
	}
	freed_free(table);
	if (n_pools > MODEL_POOLS_MAX) {
		n_problems++;
		err_add(err, ERR_INVALID, -EINVAL, "/pools", "%zu pools: expected at most %d",
			n_pools, MODEL_POOLS_MAX);
	}
	return n_problems;
}

int model_check(const struct model *m, const struct changes *c, struct err *err)
{
	size_t n_problems = check_listeners(m, c, err);

	n_problems += check_pools(m, c, err);
	return n_problems ? -EINVAL : 0;
}
