/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts, because listeners share addresses (80 and 443), and a change takes away what was before
 * and adds what is after: what both have keeps its place.
 */
#include "kernel/assign_set.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"

struct assign_key {
	struct addr address;
	char ifname[INTERFACE_NAME_BYTES]; /* zeroed behind its end: hashed as bytes */
};

struct assign_entry {
	struct assign_key key;
	size_t n_users;
	bool is_there; /* in the present look */
	UT_hash_handle hh;
};

static struct assign_entry *find(const struct assign_set *s, const struct addr *a,
				 const char *ifname, struct assign_key *key)
{
	struct assign_entry *e;

	memset(key, 0, sizeof(*key));
	key->address = *a;
	strncpy(key->ifname, ifname, sizeof(key->ifname) - 1);
	HASH_FIND(hh, s->entries, key, sizeof(*key), e);
	return e;
}

static void add(struct assign_set *s, const struct addr *a, const char *ifname)
{
	struct assign_key key;
	struct assign_entry *e = find(s, a, ifname, &key);

	if (!e) {
		e = mem_zalloc(sizeof(*e));
		e->key = key;
		HASH_ADD(hh, s->entries, key, sizeof(e->key), e);
	}
	e->n_users++;
}

static void take(struct assign_set *s, const struct addr *a, const char *ifname)
{
	struct assign_key key;
	struct assign_entry *e = find(s, a, ifname, &key);

	if (e && --e->n_users == 0) {
		HASH_DEL(s->entries, e);
		free(e);
	}
}

typedef void each_fn(struct assign_set *s, const struct addr *a, const char *ifname);

static void each_of_service(struct assign_set *set, const struct service *s, each_fn *fn)
{
	for (size_t i = 0; s && s->n_interfaces && i < s->n_listeners; i++)
		if (s->listeners[i].interface)
			fn(set, &s->listeners[i].address, service_interface(s, &s->listeners[i]));
}

static void each_of_pool(struct assign_set *set, const struct pool *p, each_fn *fn)
{
	for (size_t i = 0; p && *p->interface && i < p->n_ranges; i++)
		for (uint64_t k = 0, n = addr_range_count(&p->ranges[i]); k < n; k++) {
			struct addr a = addr_add(&p->ranges[i].lo, k);

			fn(set, &a, p->interface);
		}
}

void assign_set_fini(struct assign_set *s)
{
	struct assign_entry *e, *next;

	HASH_ITER (hh, s->entries, e, next) {
		HASH_DEL(s->entries, e);
		free(e);
	}
}

bool assign_concerns(const struct change *c)
{
	if (c->object == OBJECT_SERVICE)
		return (c->service.before && c->service.before->n_interfaces) ||
		       (c->service.after && c->service.after->n_interfaces);
	return (c->pool.before && *c->pool.before->interface) ||
	       (c->pool.after && *c->pool.after->interface);
}

void assign_change(struct assign_set *s, const struct change *c)
{
	if (c->object == OBJECT_SERVICE) {
		each_of_service(s, c->service.after, add);
		each_of_service(s, c->service.before, take);
	} else {
		each_of_pool(s, c->pool.after, add);
		each_of_pool(s, c->pool.before, take);
	}
}

void assign_begin(struct assign_set *s)
{
	for (struct assign_entry *e = s->entries; e; e = e->hh.next)
		e->is_there = false;
}

enum assign_verdict assign_see(struct assign_set *s, const struct addr *a, const char *ifname,
			       bool is_ours)
{
	struct assign_key key;
	struct assign_entry *e = find(s, a, ifname, &key);

	if (e)
		e->is_there = true;
	return !e && is_ours ? ASSIGN_REMOVE : ASSIGN_LEAVE;
}

void assign_missing(const struct assign_set *s, assign_missing_fn *fn, void *arg)
{
	for (const struct assign_entry *e = s->entries; e; e = e->hh.next)
		if (!e->is_there)
			fn(&e->key.address, e->key.ifname, arg);
}
