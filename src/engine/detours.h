/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local addresses that shall not be used for new connections to a backend, of which pools, and
 * which pools have to be planned anew for it. Part of what is known at run time: engine/runtime.c
 * holds it, engine_set_detour() is the way to it for others.
 */
#ifndef FNAT_ENGINE_DETOURS_H
#define FNAT_ENGINE_DETOURS_H

#include "model/model.h"

struct known_pool;

struct detours {
	struct known_pool *pools, *dirty;
};

void detours_fini(struct detours *d);

/* False: that is no news. */
bool detours_set(struct detours *d, const char *pool, const struct detour *at, bool is_set);
size_t detours_count(const struct detours *d, const char *pool, const struct detour *like);

/* As in engine/runtime.h. */
bool detours_are_dirty(const struct detours *d);
void detours_take(struct detours *d, const struct model *m, struct changes *out);
void detours_untake(struct detours *d, const char *pool);
/* The pool with its detours, with a reference for the caller; takes the one on p. */
const struct pool *detours_overlay(const struct detours *d, const struct pool *p);
void detours_forget(struct detours *d, const char *pool);

#endif
