/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the model: only src/model/ includes this.
 */
#ifndef FNAT_MODEL_INDEX_H
#define FNAT_MODEL_INDEX_H

#include "base/mem.h"
#include "model/model.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

struct service_entry {
	const struct service *service; /* a reference; its name is the key */
	UT_hash_handle hh;
};

/* A pool, or the name of one that services use; gone when neither is left. */
struct pool_entry {
	char *name;                   /* the key */
	const struct pool *pool;      /* a reference, or NULL */
	size_t users, users4, users6; /* services; of them with listeners of the family */
	UT_hash_handle hh;
};

struct listener_entry {
	struct listener listener;      /* the key: raw bytes, padding zeroed */
	const struct service *service; /* borrowed from its service_entry */
	UT_hash_handle hh;
};

struct model {
	struct service_entry *services;
	struct pool_entry *pools;
	struct listener_entry *listeners;
	size_t n_pools; /* those with a pool */
	size_t n_backends;
};

/* All bytes defined, so that it can be hashed as bytes. */
struct listener listener_key(const struct listener *l);

const struct pool_entry *model_pool_entry(const struct model *m, const char *name);

/* The part of model_check() that is about listeners alone. Returns the number of problems. */
size_t check_listeners(const struct model *m, const struct changes *c, struct err *err);

#endif
