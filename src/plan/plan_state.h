/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the plan: only plan*.c includes this.
 *
 * Everything has a present and, while a change is tentative, a past: what was
 * touched is in a list and knows both. Emitting operations is comparing the two
 * for each thing touched; committing forgets the past, aborting brings it back.
 */
#ifndef FNAT_PLAN_PLAN_STATE_H
#define FNAT_PLAN_PLAN_STATE_H

#include "plan/lanes.h"
#include "plan/plan.h"
#include "plan/refs.h"
#include "plan/shards.h"
#include "plan/slot_table.h"

/* A service or a pool by name; NULL is absent. Each pointer has a reference of its own. */
struct held {
	UT_hash_handle hh;
	const void *now, *old;
	bool is_touched;
	uint16_t own; /* of a service: its number, once it needs one; else 0 */
	char name[];
};

struct held_set {
	enum object object;
	struct held *items;
	struct held **touched;
	size_t n_touched, cap_touched;
};

/* How a listener is served. */
struct placed {
	const struct service *service; /* NULL: not at all; borrowed from the held one */
	struct program program;
	uint16_t new_own; /* number of the service if it has a chain "new-5", else 0 */
	bool lacks_lane;  /* wanted a lane, and there was none */
};

/* A listener as a key: without padding. */
struct place_key {
	struct addr address;
	uint16_t port;
	uint8_t protocol;
	uint8_t zero;
};

struct place {
	UT_hash_handle hh;
	struct place_key key;
	struct placed now, old;
	bool is_touched;
	bool needs_lane; /* or a shard; while they are given out */
};

struct hint {
	UT_hash_handle hh;
	struct place_key key;
	uint8_t kind;
	uint16_t lane;
};

/* The number that a service had when the kernel was read. */
struct own_hint {
	UT_hash_handle hh;
	uint16_t number;
	bool is_taken;
	char service[];
};

struct plan {
	struct held_set services, pools;
	struct place *places;
	struct place **touched;
	size_t n_touched, cap_touched;
	struct refs addresses;                    /* struct addr */
	struct refs programs;                     /* struct program_key, of those with slots */
	struct refs gates;                        /* struct gate */
	struct refs maps;                         /* struct map_key, of those that they look up */
	struct hint *hints;                       /* until the first commit */
	struct own_hint *own_hints;               /* likewise */
	uint64_t own_used[(UINT16_MAX + 1) / 64]; /* numbers of services, a bit each */
	uint16_t own_last;                        /* given out */
	struct {
		struct lanes lanes;
		struct shards shards;
		size_t n_elems; /* without addresses */
		size_t n_without_lane;
	} now, old;
	bool is_tentative;
	struct slot_table table_now[2], table_old[2]; /* of the last service seen; IPv4, IPv6 */
};

static inline unsigned int family_index(uint8_t family)
{
	return family == AF_INET6;
}

static inline bool program_has_slots(const struct program *p)
{
	return p->kind >= PROGRAM_RR && p->kind != PROGRAM_FULL;
}

/* One that is made when it is needed. */
static inline bool program_is_made(const struct program *p)
{
	return p->kind >= PROGRAM_RR;
}

struct held *held_find(const struct held_set *set, const char *name);
struct place_key place_key(const struct listener *l);
struct place *place_find(const struct plan *p, const struct place_key *key);

/* plan_own.c: what belongs to a service and not to a listener. */

/* Add to the program, which has all but its lane, what is about the service alone. */
void own_set(struct plan *p, const struct service *s, struct program *program);
/*
 * Of a service without slots there: those who come are counted, if they come because it is full,
 * and dropped, whatever it says, if it has slots again in a moment.
 */
void own_set_full(struct plan *p, const struct service *s, uint8_t family, struct program *program);
void own_free(struct plan *p, uint16_t number);
void own_hint(struct plan *p, const char *service, uint16_t number);
void own_hints_free(struct plan *p);
/* For each family a program that the service has alone, or NULL. Of the past, s is the old value.
 */
void own_programs(const struct plan *p, const struct service *s, bool is_old,
		  const struct program *out[2]);
/* The number in the name of the chain for new connections of a service with that program; 0: it has
 * none. */
uint16_t own_new(struct plan *p, const struct service *s, const struct program *program);
/* That chain, of h->now or of h->old (is_old). False: it has none. */
bool own_new_chain(const struct plan *p, const struct held *h, bool is_old, struct chain *out);
/* How many elements its pins have. */
size_t own_n_pins(const struct plan *p, const struct service *s, bool is_old);
/* Sets and the counter that count the service's connections, also while it has no slots. */
void own_counts(struct plan *p, const struct service *s,
		bool (*count)(struct refs *, const void *));
/* Sets that count what began. */
void own_begun(struct plan *p, const struct service *s, bool (*count)(struct refs *, const void *));
/* For each gate of the service. Of the past, s is the old value. */
void own_gates(struct plan *p, const struct service *s, bool (*count)(struct refs *, const void *));
/* The gate of a backend whose service has the number. */
struct gate own_gate(const struct backend *b, uint16_t own);
/* The elements of pins, sorted; comments are in `strings`. The caller frees the array. */
struct elem *own_pins(const struct service *s, const struct program *const programs[2],
		      struct arena *strings, size_t *n);

/* A pool's addresses of one family, in order. All but pool and family start at zero. */
struct pool_walk {
	const struct pool *pool; /* NULL has no addresses */
	uint8_t family;
	size_t range;
	uint64_t at;
	uint32_t n; /* addresses returned so far */
};

/* False after the last. */
bool pool_walk_next(struct pool_walk *w, struct addr *out);

/* Elements as values. Comments and names are borrowed from the service. */
void elem_of_service(const struct place *p, const struct placed *at, struct elem *out);
void elem_of_snat(const struct place *p, const struct placed *at, struct elem *out);
void elem_of_slot(const struct place *p, const struct slot_table *t, const struct map_ref *map,
		  uint32_t slot, struct elem *out); /* no comment */
void elem_of_pool(const char *pool, uint8_t family, uint32_t index, const struct addr *to,
		  struct elem *out);
void elem_of_address(const struct addr *address, struct elem *out);

/* plan_detour.c: local addresses that are to be avoided. */

/* The elements of a pool (NULL has none), sorted. The caller frees the array. */
struct elem *detour_elems(const struct pool *pool, const char *name, uint8_t family, size_t *n);
/* Where a client goes of that part (see DETOUR_PARTS) of the addresses. */
struct addr detour_local(const struct pool *pool, const struct addr *backend, uint16_t port,
			 uint8_t protocol, uint32_t part);

/* Programs with slots, and maps that those look up, as keys without padding, and back. */
struct program_key {
	uint64_t common, own, rest, limits;
};
struct program_key program_to_key(const struct program *p);
struct program program_of_key(const void *key);
struct map_key {
	uint64_t common, max;
};
struct map_key map_to_key(const struct map_ref *m);
struct map_ref map_of_key(const void *key);

/* Operations for all that is touched. */
void plan_emit(struct plan *p, struct ops *ops);

#endif
