/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of backends and local addresses at run time, by name, and which services and pools
 * have to be planned anew for it. A value of the main loop's; engine_set_runtime() is the way to it
 * for others.
 */
#ifndef FNAT_ENGINE_RUNTIME_H
#define FNAT_ENGINE_RUNTIME_H

#include "model/model.h"
#include "plan/effective.h"

struct runtime;

/* Who serves has changed. */
typedef void runtime_standing_fn(const struct service *s, const struct standing *was,
				 const struct standing *is, void *arg);

struct runtime *runtime_new(void);
/* fn is called by runtime_take() and runtime_accepted(). */
void runtime_on_standing(struct runtime *r, runtime_standing_fn *fn, void *arg);
void runtime_free(struct runtime *r);

/* Remember, and mark the service when that is news: false when it is not. */
bool runtime_set(struct runtime *r, const char *service, const char *backend,
		 const struct backend_runtime *at);
/* All zero when nothing is known. */
struct backend_runtime runtime_get(const struct runtime *r, const char *service,
				   const char *backend);

/* Shall new connections avoid a local address of the pool? False when that is no news. */
bool runtime_set_detour(struct runtime *r, const char *pool, const struct detour *at, bool is_set);
/* How many of the pool's addresses are avoided for the same port of a backend. */
size_t runtime_detours(const struct runtime *r, const char *pool, const struct detour *like);

/* Is a service, or a pool, marked? */
bool runtime_is_dirty(const struct runtime *r);
/* Changes (to be ended with changes_fini()) that bring all marked services up to date, and unmark
 * them. Services that the model does not have are left out. */
void runtime_take(struct runtime *r, const struct model *m, struct changes *out);
/* The kernel's counts are gone: what is known of gates holds no longer. */
void runtime_forget_gates(struct runtime *r);
/* The changes did not get to the kernel: mark their services again. */
void runtime_untake(struct runtime *r, const struct changes *c);

/* Changes of the configuration, for the kernel: each service after as it is effective. */
void runtime_overlay(const struct runtime *r, struct changes *c);
/* These changes are accepted: forget what is known of backends and services that they removed. */
void runtime_accepted(struct runtime *r, const struct changes *c);
/* See effective_weights(); one that has no share (is_full) has its weight. */
void runtime_weights(const struct runtime *r, const struct service *s, uint32_t *out);
/* Who serves now. */
struct standing runtime_standing(const struct runtime *r, const struct service *s);

#endif
