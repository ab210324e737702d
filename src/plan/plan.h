/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what is wanted to elements. The plan remembers for each service which
 * programs (and lanes) its listeners have and which programs, maps and pools
 * are in use; the cost of a change depends on the change only. Pure: no
 * kernel, no clock. Owned by one thread (the kernel writer).
 */
#ifndef FNAT_PLAN_PLAN_H
#define FNAT_PLAN_PLAN_H

#include "plan/explain.h"
#include "plan/image.h"

/* Lanes: services with a round-robin counter of their own. Each is a chain, and every commit walks
 * all chains. */
#define PLAN_LANES_DEFAULT 512
#define PLAN_LANES_MAX     4096

struct plan;

struct plan *plan_new(unsigned int lanes);
void plan_free(struct plan *p);

/*
 * What the kernel already has, before the first plan_change(): listeners keep
 * the program and lane they had where that still fits.
 */
void plan_hint(struct plan *p, const struct image *have);

/*
 * Plan the changes together. Appends operations to *ops and moves the plan to
 * the new state tentatively: either plan_commit() or plan_abort() must follow.
 * Service and pool values are referenced as long as the plan needs them.
 */
void plan_change(struct plan *p, const struct changes *c, struct ops *ops);
void plan_commit(struct plan *p);
void plan_abort(struct plan *p);

/* Everything the current state wants in the kernel, base included, sorted. */
void plan_image(const struct plan *p, struct image *out);

/* As the plan has it now, or NULL. Borrowed until the next plan_change(). */
const struct service *plan_service(const struct plan *p, const char *name);

/*
 * The dynamic maps in which the current state remembers the service's clients: how many. 0: the
 * service is not there, has no persistence, or no backend that takes connections.
 */
size_t plan_sticky_maps(const struct plan *p, const char *service, struct map_ref out[2]);

/* Services that have a number, and what the kernel has under it; sorted by it. */
struct owned_service {
	const struct service *service; /* as it is effective; a reference */
	uint16_t own;
	uint8_t n_maps; /* where its clients are remembered */
	struct map_ref maps[2];
	uint8_t n_begun; /* where what began is counted */
	struct map_ref begun[2];
};
struct owned_services {
	struct owned_service *items;
	size_t n, cap;
};
/* Of the current state; appends. */
void plan_owned(const struct plan *p, struct owned_services *out);
void owned_services_fini(struct owned_services *o);

/* The gate that counts for a backend of a service of the current state; false: there is none. */
bool plan_gate(const struct plan *p, const struct service *s, const struct backend *b,
	       struct gate *out);

/* Changes (appended) that shut all gates that count: for when their counts are gone. */
void plan_shut_gates(const struct plan *p, struct changes *out);

struct plan_stats {
	unsigned int lanes, lanes_used;
	size_t n_elems; /* slots and others, both families */
	size_t n_programs;
	size_t n_services_without_lane; /* listeners that asked for a lane and got none */
};
void plan_stats(const struct plan *p, struct plan_stats *out);

/* A service as it is placed, for status and explain. error_ppm: see slots_error_ppm(). */
struct placement {
	struct listener listener;
	struct program program;
	uint32_t error_ppm;
};
/* Array for the caller to free(); NULL and *n = 0 when there is no such service. */
struct placement *plan_placements(const struct plan *p, const char *service, size_t *n);

/* What becomes of a packet that begins a connection; end it with explanation_fini(). */
void plan_explain(const struct plan *p, const struct packet *packet, struct explanation *out);
/* The service remembers the client, which has no pin: that decides. */
void plan_explain_known(const struct plan *p, const struct packet *packet, const struct addr *to,
			uint16_t port, struct explanation *out);

#endif
