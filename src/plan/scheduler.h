/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Schedulers, as data: each is one row of a table in scheduler.c, made of the
 * way the kernel selects a slot (which program) and a function that gives each
 * slot a backend. Adding a scheduler is adding a row.
 */
#ifndef FNAT_PLAN_SCHEDULER_H
#define FNAT_PLAN_SCHEDULER_H

#include <stddef.h>
#include <stdint.h>

#include "plan/program.h"

/* One candidate: a backend of the family in question. */
struct candidate {
	const char *key; /* stable identity ("10.1.0.11:8080"), hashed by consistent schedulers */
	uint32_t weight; /* 0: gets no slot */
};

#define SLOT_NONE UINT16_MAX

struct scheduler {
	const char *name;          /* IPVS's name */
	enum program_kind program; /* how the kernel picks the slot */
	enum program_kind
		fallback;   /* the program when lanes are used up; = program where it needs none */
	bool is_keyed;      /* looks at the candidates' keys, which may be NULL otherwise */
	bool has_hash_size; /* struct hash's table_size, if given, is the number of slots */
	bool is_alike;      /* weights other than 0 are all the same to it */
	bool takes_best;    /* the highest weight takes all (of those that have room) */
	/* Number of slots for these candidates; 0 when none has weight. At most TABLE_SIZE_MAX. */
	uint32_t (*table_size)(const struct candidate *c, size_t n);
	/* slots[i] = index of the candidate; every slot is filled (size > 0). */
	void (*fill)(const struct candidate *c, size_t n, uint16_t *slots, uint32_t size);
	/* Make the weights what the scheduler is after, for slots_error_ppm(); NULL: they are. */
	void (*ideal)(struct candidate *c, size_t n);
	const char *summary; /* one line for `fnatctl` and the manual */
};

#define TABLE_SIZE_MAX 65536u

/* By name, or NULL. Static. */
const struct scheduler *scheduler_find(const char *name);
/* The table's rows, for lists of valid names; i from 0; NULL after the last. */
const struct scheduler *scheduler_at(size_t i);

/*
 * Slots of a table that stays while weights change: for n candidates, with and without weight; a
 * power of two. Its error is at most one slot in eight of an average share, and feedback makes up
 * for that.
 */
uint32_t scheduler_steady_size(size_t n);

/*
 * How far the table is from the weights: the largest relative deviation of a
 * backend's share from its ideal share, in parts per million.
 */
uint32_t slots_error_ppm(const struct candidate *c, size_t n, const uint16_t *slots, uint32_t size);

#endif
