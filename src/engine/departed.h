/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends that are gone, and what has to go with them: a UDP client that keeps sending would stay
 * with a backend that is no longer there for as long as it does. Pure.
 */
#ifndef FNAT_ENGINE_DEPARTED_H
#define FNAT_ENGINE_DEPARTED_H

#include "kernel/ct.h"

/* All zero is empty. Each target has a reference to its service. */
struct departed {
	struct ct_target *items;
	size_t n, cap;
};

void departed_fini(struct departed *d);
/* Append all of *from, which is empty then. */
void departed_move(struct departed *to, struct departed *from);

/*
 * Append the backends that these changes remove or disable, or give another address: their
 * connections without an end of their own (UDP), and with "on_remove": "cut" all of them. Nothing
 * for a service where that can be none.
 */
void departed_add_changes(struct departed *d, const struct changes *c);
/* A backend went down: with "on_down": "cut" all of its connections; else those of UDP, and others
 * that it never answered, so that their clients' next try finds another. */
void departed_add_down(struct departed *d, const struct service *s, const struct backend *b);
/* All of a backend's connections. */
void departed_add_all(struct departed *d, const struct service *s, const struct backend *b);

#endif
