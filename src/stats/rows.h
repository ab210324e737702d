/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which service, listener, backend and pool address a connection belongs to. Inside of the
 * statistics: only src/stats/ includes this.
 *
 * A row is made when its first connection is seen: what has no traffic takes no memory, and a
 * change of the configuration costs nothing where there is none. A row whose listener, backend or
 * address is no longer configured stays while connections live in it.
 */
#ifndef FNAT_STATS_ROWS_H
#define FNAT_STATS_ROWS_H

#include <sys/queue.h>

#include "base/mem.h"
#include "model/model.h"
#include "stats/ports.h"
#include "stats/stats.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

/* Listeners, backends and pool addresses are found by it; all bytes are defined. */
struct row_key {
	const void *owner; /* of a backend the service_row, of an address the pool_row */
	struct addr address;
	uint16_t port;    /* 0 for pool addresses */
	uint8_t protocol; /* of listeners */
	uint8_t kind;
};

/* What all rows begin with. What an event touches is in the first two lines of the cache. */
struct row {
	struct row_key key;
	struct row *chain; /* next in the same bucket of the index */
	enum stats_kind kind;
	bool is_busy; /* in rows.busy: something lives, or its rates are not zero yet */
	struct meter meter;
	LIST_ENTRY(row) busy;
	LIST_ENTRY(row) sibling; /* of the same service, or pool */
};

LIST_HEAD(row_list, row);

struct service_row {
	struct row row;
	const struct service *config; /* a reference; its name is the key */
	struct pool_row *pool;        /* NULL: not known yet */
	bool is_observed;             /* config has a check that observes */
	struct row_list children;     /* listeners, backends */
	UT_hash_handle hh;
};

struct listener_row {
	struct row row;
	struct listener at;
	struct service_row *service;
};

struct backend_row {
	struct row row;
	const struct backend *config; /* borrowed from service->config; NULL: it has none like it */
	bool is_limited;              /* config has max_connections */
	bool is_watched;              /* it has so many connections that ports matter: ports.h */
};

/* A pool's address. */
struct local_row {
	struct row row;
};

struct pool_row {
	char *name; /* the key */
	struct port_pool ports;
	size_t n_users;
	struct row_list children;
	UT_hash_handle hh;
};

struct rows {
	struct service_row *services;
	struct pool_row *pools;
	struct row **buckets; /* of listeners, backends, addresses; a power of two of them */
	size_t n_buckets, n_indexed;
	struct row_list busy;
	size_t n_rows;
	struct ports ports;
};

void rows_fini(struct rows *r);

/* What a connection belongs to; NULL where that is nothing that fnat knows. */
struct found {
	struct service_row *service;
	struct listener_row *listener;
	struct backend_row *backend;
	struct local_row *local;
	bool is_reversed; /* the backend began it (active FTP): in is out */
};

/* Makes rows where the configuration says they should be. False: not to a service of the model. */
bool rows_find(struct rows *r, const struct model *m, const struct flow *f, struct found *out);

/* Of how many connections rows_fetch() may be told at once: what it fetches has to stay in the
 * cache until it is used. */
#define ROWS_FETCH_MAX 16
/* Brings what rows_find() will find into the cache of the processor, all of it at the same time.
 * Changes nothing. */
void rows_fetch(const struct rows *r, const struct flow *flows, size_t n);

/* A change of the configuration, which the model has already. */
void rows_apply(struct rows *r, const struct model *m, const struct change *c);

/* Nothing lives in the row: free it when the configuration does not have it. */
void rows_rest(struct rows *r, const struct model *m, struct row *row);

/* The row of something that the model has; NULL when it does not. */
struct row *rows_restore(struct rows *r, const struct model *m, enum stats_kind kind,
			 const char *name, uint8_t protocol, const struct flow_end *at);

/* What there is already: NULL when it had no traffic. */
struct service_row *rows_service(const struct rows *r, const char *name);
struct pool_row *rows_pool(const struct rows *r, const char *name);
const struct listener_row *rows_listener(const struct rows *r, const struct listener *l);
const struct backend_row *rows_backend(const struct rows *r, const char *service,
				       const struct addr *address, uint16_t port);

#endif
