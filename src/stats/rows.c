/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three hash lookups an event, whatever the number of services: the listener, which knows its
 * service; the backend in that service; the address in the service's pool. Only the first
 * connection of each asks the model.
 *
 * With 100,000 backends a lookup is cache misses and nothing else. uthash's chains of up to 10 took
 * 60 % of the time that an event takes, so there is an index of its own: at least twice as many
 * buckets as rows, the key and the counters side by side, and all of it fetched for some events at
 * once before the first of them is counted. Pools and services, found by name and seldom, are
 * uthash's.
 */
#include "stats/rows.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64

/* --- the index ----------------------------------------------------------------------------- */

/* Keys are made by the configuration and not by clients: no need for a secret. */
static size_t hash_of(const struct row_key *key)
{
	uint64_t words[4], h;

	_Static_assert(sizeof(*key) == sizeof(words), "words");
	memcpy(words, key, sizeof(words));
	h = (words[0] ^ (words[2] << 24 | words[2] >> 40)) * 0x9e3779b97f4a7c15u;
	h = (h ^ h >> 32 ^ words[1] ^ (words[3] << 40 | words[3] >> 24)) * 0x9e3779b97f4a7c15u;
	return (size_t)(h ^ h >> 32);
}

static struct row **bucket_of(const struct rows *r, const struct row_key *key)
{
	return &r->buckets[hash_of(key) & (r->n_buckets - 1)];
}

static struct row *index_find(const struct rows *r, const struct row_key *key)
{
	struct row *row = r->n_buckets ? *bucket_of(r, key) : NULL;

	while (row && memcmp(&row->key, key, sizeof(*key)) != 0)
		row = row->chain;
	return row;
}

static void index_put(struct rows *r, struct row *row)
{
	struct row **bucket = bucket_of(r, &row->key);

	row->chain = *bucket;
	*bucket = row;
}

static void index_grow(struct rows *r)
{
	struct row **old = r->buckets, *row, *next;
	size_t n_old = r->n_buckets;

	r->n_buckets = n_old ? 2 * n_old : BUCKETS_MIN;
	r->buckets = mem_zalloc(r->n_buckets * sizeof(*r->buckets));
	for (size_t i = 0; i < n_old; i++) {
		for (row = old[i]; row; row = next) {
			next = row->chain;
			index_put(r, row);
		}
	}
	free(old);
}

static void index_add(struct rows *r, struct row *row, const struct row_key *key)
{
	if (2 * r->n_indexed >= r->n_buckets)
		index_grow(r);
	row->key = *key;
	index_put(r, row);
	r->n_indexed++;
}

static void index_del(struct rows *r, struct row *row)
{
	struct row **at = bucket_of(r, &row->key);

	while (*at != row)
		at = &(*at)->chain;
	*at = row->chain;
	r->n_indexed--;
}

/* --- rows come and go ---------------------------------------------------------------------- */

static void row_init(struct rows *r, struct row *row, enum stats_kind kind,
		     struct row_list *siblings)
{
	row->kind = kind;
	if (siblings)
		LIST_INSERT_HEAD(siblings, row, sibling);
	r->n_rows++;
}

static void row_free(struct rows *r, struct row *row)
{
	if (row->is_busy)
		LIST_REMOVE(row, busy);
	if (row->kind != STATS_SERVICE)
		LIST_REMOVE(row, sibling);
	r->n_rows--;
	if (row->kind == STATS_SERVICE)
		HASH_DEL(r->services, (struct service_row *)row);
	else
		index_del(r, row);
	free(row);
}

static void free_children(struct rows *r, struct row_list *list)
{
	while (!LIST_EMPTY(list))
		row_free(r, LIST_FIRST(list));
}

static void pool_look(struct pool_row *p, const struct model *m)
{
	const struct pool *config = model_pool(m, p->name);

	p->ports.name = p->name;
	if (config)
		p->ports.n_ports = pool_ports(config);
}

static struct pool_row *pool_get(struct rows *r, const struct model *m, const char *name)
{
	struct pool_row *p = rows_pool(r, name);

	if (!p) {
		p = mem_zalloc(sizeof(*p));
		p->name = mem_strdup(name);
		pool_look(p, m);
		LIST_INIT(&p->children);
		HASH_ADD_KEYPTR(hh, r->pools, p->name, strlen(p->name), p);
	}
	p->n_users++;
	return p;
}

static void pool_put(struct rows *r, struct pool_row *p)
{
	if (--p->n_users > 0)
		return;
	free_children(r, &p->children);
	ports_forget(&r->ports, &p->ports);
	HASH_DEL(r->pools, p);
	free(p->name);
	free(p);
}

static void service_configure(struct service_row *s, const struct service *config)
{
	s->config = service_ref(config);
	s->is_observed = config->check && config->check->observe != CHECK_OBSERVE_OFF;
}

static struct service_row *service_get(struct rows *r, const struct model *m,
				       const struct service *config)
{
	struct service_row *s = rows_service(r, config->name);

	if (s)
		return s;
	s = mem_zalloc(sizeof(*s));
	service_configure(s, config);
	s->pool = pool_get(r, m, config->pool);
	LIST_INIT(&s->children);
	row_init(r, &s->row, STATS_SERVICE, NULL);
	HASH_ADD_KEYPTR(hh, r->services, s->config->name, strlen(s->config->name), s);
	return s;
}

static void service_free(struct rows *r, struct service_row *s)
{
	const struct service *config = s->config;

	free_children(r, &s->children);
	pool_put(r, s->pool);
	row_free(r, &s->row); /* its key is the configured name */
	service_unref(config);
}

void rows_fini(struct rows *r)
{
	struct service_row *s, *next;

	ports_fini(&r->ports);
	HASH_ITER (hh, r->services, s, next)
		service_free(r, s);
	free(r->buckets);
}

/* --- finding ------------------------------------------------------------------------------- */

static struct row_key key_of(enum stats_kind kind, const void *owner, const struct addr *address,
			     uint16_t port, uint8_t protocol)
{
	return (struct row_key){ .owner = owner,
				 .address = *address,
				 .port = port,
				 .protocol = protocol,
				 .kind = (uint8_t)kind };
}

static struct row_key listener_key(const struct flow_end *to, uint8_t protocol)
{
	return key_of(STATS_LISTENER, NULL, &to->address, to->port, protocol);
}

static struct listener_row *listener_get(struct rows *r, const struct model *m,
					 const struct flow_end *to, uint8_t protocol)
{
	struct row_key key = listener_key(to, protocol);
	struct listener_row *l = (struct listener_row *)index_find(r, &key);
	const struct listener at = { .address = to->address,
				     .port = to->port,
				     .protocol = protocol };
	const struct service *config;

	if (l)
		return l;
	config = model_listener(m, &at);
	if (!config)
		return NULL;
	l = mem_zalloc(sizeof(*l));
	l->at = at;
	l->service = service_get(r, m, config);
	row_init(r, &l->row, STATS_LISTENER, &l->service->children);
	index_add(r, &l->row, &key);
	return l;
}

/* With port 0, the service's listener decides. */
static const struct backend *backend_like(const struct service *s, const struct row_key *key)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		if (addr_equal(&b->address, &key->address) &&
		    (b->port == key->port || b->port == 0))
			return b;
	}
	return NULL;
}

static struct backend_row *backend_find(const struct rows *r, const struct row_key *key)
{
	return (struct backend_row *)index_find(r, key);
}

static void backend_configure(struct backend_row *b, const struct backend *config)
{
	b->config = config;
	b->is_limited = config && config->max_connections > 0;
}

static struct backend_row *backend_get(struct rows *r, struct service_row *s,
				       const struct flow_end *at)
{
	struct row_key key = key_of(STATS_BACKEND, s, &at->address, at->port, 0);
	struct backend_row *b = backend_find(r, &key);
	const struct backend *config;

	if (b)
		return b;
	config = backend_like(s->config, &key);
	if (config && config->port == 0 && key.port != 0) {
		/* One row for all ports. */
		key.port = 0;
		b = backend_find(r, &key);
		if (b)
			return b;
	}
	b = mem_zalloc(sizeof(*b));
	backend_configure(b, config);
	row_init(r, &b->row, STATS_BACKEND, &s->children);
	index_add(r, &b->row, &key);
	return b;
}

static struct local_row *local_get(struct rows *r, struct pool_row *p, const struct addr *address)
{
	struct row_key key = key_of(STATS_POOL_ADDRESS, p, address, 0, 0);
	struct local_row *l = (struct local_row *)index_find(r, &key);

	if (l)
		return l;
	l = mem_zalloc(sizeof(*l));
	row_init(r, &l->row, STATS_POOL_ADDRESS, &p->children);
	index_add(r, &l->row, &key);
	return l;
}

/* A connection that a helper announced: its ports say nothing, its addresses do. */
static void find_announced(struct rows *r, const struct flow *f, struct found *out)
{
	const struct service *config = out->service->config;
	const struct flow_end *local = &f->local;

	for (size_t i = 0; i < config->n_backends && !out->backend; i++) {
		const struct backend *b = &config->backends[i];
		struct flow_end at = { .address = b->address,
				       .port = b->port ? b->port : f->master_to.port };

		out->is_reversed = addr_equal(&b->address, &f->client.address);
		if (out->is_reversed || addr_equal(&b->address, &f->backend.address))
			out->backend = backend_get(r, out->service, &at);
	}
	if (out->is_reversed)
		local = &f->to;
	out->local = local_get(r, out->service->pool, &local->address);
}

bool rows_find(struct rows *r, const struct model *m, const struct flow *f, struct found *out)
{
	bool is_announced = f->master_to.address.family != 0;
	const struct flow_end *to = is_announced ? &f->master_to : &f->to;

	*out = (struct found){ .listener = listener_get(r, m, to, f->protocol) };
	if (!out->listener)
		return false;
	out->service = out->listener->service;
	if (is_announced) {
		find_announced(r, f, out);
		return true;
	}
	out->backend = backend_get(r, out->service, &f->backend);
	out->local = local_get(r, out->service->pool, &f->local.address);
	return true;
}

/* --- fetching ahead ------------------------------------------------------------------------ */

/* What an event touches of it: the key, the counters, and what comes after all that rows have. */
static void fetch_row(const struct row *row)
{
	__builtin_prefetch(row, 1);
	__builtin_prefetch(&row->meter.active, 1);
	__builtin_prefetch(row + 1);
}

static struct row **fetch_bucket(const struct rows *r, const struct row_key *key)
{
	struct row **bucket = bucket_of(r, key);

	__builtin_prefetch(bucket);
	return bucket;
}

static void fetch_first(struct row *const *bucket)
{
	if (bucket && *bucket)
		fetch_row(*bucket);
}

/* The bucket of the backend; NULL when nobody knows the listener yet. */
static struct row **fetch_service(const struct rows *r, const struct flow *f)
{
	struct row_key key = listener_key(&f->to, f->protocol);
	const struct listener_row *l = (struct listener_row *)index_find(r, &key);

	if (!l)
		return NULL;
	fetch_row(&l->service->row);
	key = key_of(STATS_BACKEND, l->service, &f->backend.address, f->backend.port, 0);
	return fetch_bucket(r, &key);
}

/* Each step needs what the one before it fetched. The addresses of pools are few, and near. */
void rows_fetch(const struct rows *r, const struct flow *flows, size_t n)
{
	struct row **buckets[ROWS_FETCH_MAX];

	if (r->n_buckets == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct row_key key = listener_key(&flows[i].to, flows[i].protocol);

		buckets[i] = fetch_bucket(r, &key);
	}
	for (size_t i = 0; i < n; i++)
		fetch_first(buckets[i]);
	for (size_t i = 0; i < n; i++)
		buckets[i] = fetch_service(r, &flows[i]);
	for (size_t i = 0; i < n; i++)
		fetch_first(buckets[i]);
}

/* --- the configuration --------------------------------------------------------------------- */

static const struct backend *backend_again(const struct service *after, const struct backend_row *b)
{
	const struct backend *same = b->config ? service_backend(after, b->config->name) : NULL;

	if (same && addr_equal(&same->address, &b->row.key.address) &&
	    same->port == b->row.key.port)
		return same;
	return backend_like(after, &b->row.key);
}

/* One that has no port of its own any more has one row for all ports, see backend_get(). */
static void backend_lose_port(struct rows *r, struct backend_row *b)
{
	struct row_key key = b->row.key;

	key.port = 0;
	if (backend_find(r, &key)) {
		row_free(r, &b->row);
		return;
	}
	index_del(r, &b->row);
	index_add(r, &b->row, &key);
}

static void backend_follow(struct rows *r, struct backend_row *b, const struct service *after)
{
	backend_configure(b, backend_again(after, b));
	if (b->config && b->config->port == 0 && b->row.key.port != 0)
		backend_lose_port(r, b);
}

/* By its name: the model may have another value of the service than the one that is followed. */
static bool has_listener(const struct model *m, const struct listener_row *l)
{
	const struct service *config = model_listener(m, &l->at);

	return config && strcmp(config->name, l->service->config->name) == 0;
}

/* True: it is configured, in this service. */
static bool is_configured(const struct model *m, const struct row *row)
{
	switch (row->kind) {
	case STATS_SERVICE:
		return true;
	case STATS_LISTENER:
		return has_listener(m, (const struct listener_row *)row);
	case STATS_BACKEND:
		return ((const struct backend_row *)row)->config != NULL;
	case STATS_POOL_ADDRESS: {
		const struct row_key *key = &row->key;
		const struct pool_row *p = key->owner;
		const struct pool *pool = model_pool(m, p->name);

		for (size_t i = 0; pool && i < pool->n_ranges; i++) {
			if (addr_range_contains(&pool->ranges[i], &key->address))
				return true;
		}
		return false;
	}
	case N_STATS_KINDS:
		break;
	}
	return false;
}

void rows_rest(struct rows *r, const struct model *m, struct row *row)
{
	if (!is_configured(m, row))
		row_free(r, row);
}

static void rest_all(struct rows *r, const struct model *m, struct row_list *list)
{
	struct row *row, *next;

	for (row = LIST_FIRST(list); row; row = next) {
		const struct listener_row *l = (struct listener_row *)row;

		next = LIST_NEXT(row, sibling);
		/* A listener that went to another service counts for that from now on. */
		if (!row->is_busy || (row->kind == STATS_LISTENER && model_listener(m, &l->at)))
			rows_rest(r, m, row);
	}
}

static void service_changed(struct rows *r, const struct model *m, struct service_row *s,
			    const struct service *after)
{
	const struct service *before = s->config;
	struct pool_row *pool = s->pool;
	struct row *row, *next;

	for (row = LIST_FIRST(&s->children); row; row = next) {
		next = LIST_NEXT(row, sibling);
		if (row->kind == STATS_BACKEND)
			backend_follow(r, (struct backend_row *)row, after);
	}
	HASH_DEL(r->services, s);
	service_configure(s, after);
	HASH_ADD_KEYPTR(hh, r->services, s->config->name, strlen(s->config->name), s);
	s->pool = pool_get(r, m, after->pool);
	pool_put(r, pool);
	service_unref(before);
	rest_all(r, m, &s->children);
}

void rows_apply(struct rows *r, const struct model *m, const struct change *c)
{
	const char *name = change_name(c);
	struct service_row *s;
	struct pool_row *p;

	switch (c->object) {
	case OBJECT_SERVICE:
		s = rows_service(r, name);
		if (s && c->service.after)
			service_changed(r, m, s, c->service.after);
		else if (s)
			service_free(r, s);
		break;
	case OBJECT_POOL:
		p = rows_pool(r, name);
		if (!p)
			break;
		pool_look(p, m);
		rest_all(r, m, &p->children);
		break;
	}
}

/* --- after a restart ----------------------------------------------------------------------- */

static struct row *restore_in_service(struct rows *r, const struct model *m, enum stats_kind kind,
				      const struct service *config, uint8_t protocol,
				      const struct flow_end *at)
{
	struct row_key key;
	struct listener_row *l;

	switch (kind) {
	case STATS_SERVICE:
		return &service_get(r, m, config)->row;
	case STATS_LISTENER:
		l = listener_get(r, m, at, protocol);
		return l && l->service->config == config ? &l->row : NULL;
	case STATS_BACKEND:
		key = key_of(STATS_BACKEND, NULL, &at->address, at->port, 0);
		if (!backend_like(config, &key))
			return NULL;
		return &backend_get(r, service_get(r, m, config), at)->row;
	case STATS_POOL_ADDRESS:
	case N_STATS_KINDS:
		break;
	}
	return NULL;
}

struct row *rows_restore(struct rows *r, const struct model *m, enum stats_kind kind,
			 const char *name, uint8_t protocol, const struct flow_end *at)
{
	const struct service *config = model_service(m, name);
	struct pool_row *p;

	if (kind != STATS_POOL_ADDRESS)
		return config ? restore_in_service(r, m, kind, config, protocol, at) : NULL;
	/* There is one when a service that uses the pool had traffic, and that came before. */
	p = rows_pool(r, name);
	return p ? &local_get(r, p, &at->address)->row : NULL;
}

/* --- looking ------------------------------------------------------------------------------- */

struct service_row *rows_service(const struct rows *r, const char *name)
{
	struct service_row *s;

	HASH_FIND(hh, r->services, name, strlen(name), s);
	return s;
}

struct pool_row *rows_pool(const struct rows *r, const char *name)
{
	struct pool_row *p;

	HASH_FIND(hh, r->pools, name, strlen(name), p);
	return p;
}

const struct listener_row *rows_listener(const struct rows *r, const struct listener *l)
{
	struct row_key key = key_of(STATS_LISTENER, NULL, &l->address, l->port, l->protocol);

	return (const struct listener_row *)index_find(r, &key);
}

const struct backend_row *rows_backend(const struct rows *r, const char *service,
				       const struct addr *address, uint16_t port)
{
	const struct service_row *s = rows_service(r, service);
	struct row_key key = key_of(STATS_BACKEND, s, address, port, 0);

	return s ? backend_find(r, &key) : NULL;
}
