/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service's slots for one family. All listeners of the service have the same
 * ones. Made anew from the service when needed: remembering them would take
 * more memory than all the rest, and making them takes a microsecond.
 */
#ifndef FNAT_PLAN_SLOT_TABLE_H
#define FNAT_PLAN_SLOT_TABLE_H

#include "plan/image.h"
#include "plan/scheduler.h"

/* "[IPv6]:port" */
#define SLOT_KEY_BYTES (ADDR_STRLEN + 8)

/* All zero is empty. The same one is used for many services, to keep its memory. */
struct slot_table {
	const struct service *service; /* what it was made of, borrowed; NULL: nothing */
	uint8_t family;
	const struct scheduler *scheduler;
	struct candidate *candidates;
	uint16_t *backend;    /* candidate -> index in service->backends */
	const char **comment; /* candidate -> "web/a", made when needed, or NULL */
	char (*keys)[SLOT_KEY_BYTES];
	size_t n, cap; /* candidates */
	uint16_t *slots;
	uint32_t size, cap_slots;
	uint8_t n_overflow;
	uint16_t overflow[PROGRAM_OVERFLOW_MAX]; /* candidates of the slots behind the others */
	bool is_sized, is_filled;
};

void slot_table_fini(struct slot_table *t);
/* Forget the service and the comments. */
void slot_table_reset(struct slot_table *t);

/* Number of slots: 0 when no backend of the family has weight. Slots are not filled. */
uint32_t slot_table_size(struct slot_table *t, const struct service *s, uint8_t family);
/* Fill the slots; size is what slot_table_size() said once. */
void slot_table_fill(struct slot_table *t, const struct service *s, uint8_t family, uint32_t size);

/* Of a table that has been sized: slots behind the others, of backends that take what those have
 * no room for. */
uint8_t slot_table_overflow(const struct slot_table *t);
/* The candidate in a slot, of those too. */
uint16_t slot_table_candidate(const struct slot_table *t, uint32_t slot);
/* The backend in a slot. */
const struct backend *slot_table_backend(const struct slot_table *t, uint32_t slot);
/* "web/a", kept in `strings`. */
const char *slot_table_comment(struct slot_table *t, uint32_t slot, struct arena *strings);
/* See slots_error_ppm(); weights that the scheduler ignores are no error. */
uint32_t slot_table_error_ppm(struct slot_table *t);

#endif
