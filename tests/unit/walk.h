/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random walk through configurations: services and pools come, change and
 * go, listeners move from one service to another. Each step is a list of
 * changes as the engine would make it.
 */
#ifndef FNAT_TESTS_WALK_H
#define FNAT_TESTS_WALK_H

#include "model/model.h"

/*
 * Sanitizers make a step ten times as long, and find in a few walks what they find in many; the one
 * of threads finds nothing at all in a walk, which is of one thread.
 */
#if defined(__SANITIZE_THREAD__)
#define WALK_SHARE 12
#elif defined(__SANITIZE_ADDRESS__)
#define WALK_SHARE 6
#else
#define WALK_SHARE 1
#endif
/* How many of n walks are made: one at least. */
#define WALKS(n) ((n) > WALK_SHARE ? (n) / WALK_SHARE : 1)

#define WALK_SERVICES  8
#define WALK_POOLS     3
#define WALK_LISTENERS 20

struct walk {
	const struct service *services[WALK_SERVICES]; /* NULL: absent */
	const struct pool *pools[WALK_POOLS];
	const struct service *next_services[WALK_SERVICES];
	const struct pool *next_pools[WALK_POOLS];
};

void walk_init(struct walk *w);
void walk_fini(struct walk *w);

/* Think of a next configuration. The changes are the caller's: changes_fini(). */
void walk_step(struct walk *w, struct changes *out);
/* Make it the current one, or forget it. */
void walk_accept(struct walk *w);
void walk_reject(struct walk *w);

/* All that there is, as one list of changes from nothing. */
void walk_all(const struct walk *w, struct changes *out);

/* A service made of text: "rr", pool "lan", listeners "192.0.2.10:80/tcp" (one), weights. */
const struct service *walk_service(const char *name, const char *scheduler, const char *pool,
				   const char *address, uint16_t port, const uint32_t *weights,
				   size_t n);
const struct pool *walk_pool(const char *name, const char *first, uint32_t n);
void walk_change_service(struct changes *c, const struct service *before,
			 const struct service *after);
void walk_change_pool(struct changes *c, const struct pool *before, const struct pool *after);

#endif
