/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/slot_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void slot_table_fini(struct slot_table *t)
{
	free(t->candidates);
	free(t->backend);
	free(t->comment);
	free(t->keys);
	free(t->slots);
	*t = (struct slot_table){ 0 };
}

void slot_table_reset(struct slot_table *t)
{
	t->service = NULL;
}

static void table_reserve(struct slot_table *t, size_t n)
{
	if (n <= t->cap)
		return;
	t->cap = n > 16 ? n : 16;
	t->candidates = mem_realloc(t->candidates, t->cap, sizeof(*t->candidates));
	t->backend = mem_realloc(t->backend, t->cap, sizeof(*t->backend));
	t->comment = mem_realloc(t->comment, t->cap, sizeof(*t->comment));
	t->keys = mem_realloc(t->keys, t->cap, sizeof(*t->keys));
}

/*
 * The name is not part of the key: a backend that is renamed keeps its slots. A backend that takes
 * the listener's port has none here, so that all listeners send a client to the same backend.
 */
static const char *make_key(const struct backend *b, char *buf)
{
	char address[ADDR_STRLEN];

	addr_format(&b->address, address);
	if (b->port == 0)
		snprintf(buf, SLOT_KEY_BYTES, "%s", address);
	else
		snprintf(buf, SLOT_KEY_BYTES, b->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
			 address, b->port);
	return buf;
}

static void table_load(struct slot_table *t, const struct service *s, uint8_t family)
{
	if (t->service == s && t->family == family)
		return;
	table_reserve(t, s->n_backends);
	t->service = s;
	t->family = family;
	t->scheduler = scheduler_find(s->scheduler);
	assert(t->scheduler);
	t->is_sized = t->is_filled = false;
	t->n = 0;
	t->n_overflow = 0;
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		if (b->address.family != family)
			continue;
		t->candidates[t->n].weight = b->weight;
		t->candidates[t->n].key =
			t->scheduler->is_keyed ? make_key(b, t->keys[t->n]) : NULL;
		t->backend[t->n] = (uint16_t)i;
		if (b->is_overflow && t->n_overflow < PROGRAM_OVERFLOW_MAX)
			t->overflow[t->n_overflow++] = (uint16_t)t->n;
		t->comment[t->n++] = NULL;
	}
}

uint32_t slot_table_size(struct slot_table *t, const struct service *s, uint8_t family)
{
	table_load(t, s, family);
	if (!t->is_sized)
		t->size = t->scheduler->table_size(t->candidates, t->n);
	if (!t->is_sized && t->size > 0 && t->scheduler->has_hash_size && s->hash.table_size)
		t->size = s->hash.table_size;
	if (!t->is_sized && t->size > 0 && s->n_slots && !t->scheduler->takes_best &&
	    !scheduler_hashes(s->scheduler))
		t->size = s->n_slots;
	t->is_sized = true;
	return t->size;
}

void slot_table_fill(struct slot_table *t, const struct service *s, uint8_t family, uint32_t size)
{
	table_load(t, s, family);
	if (t->is_filled)
		return;
	if (size > t->cap_slots) {
		t->cap_slots = size > 64 ? size : 64;
		t->slots = mem_realloc(t->slots, t->cap_slots, sizeof(*t->slots));
	}
	t->size = size;
	t->is_sized = true;
	if (size > 0)
		t->scheduler->fill(t->candidates, t->n, t->slots, size);
	t->is_filled = true;
}

uint8_t slot_table_overflow(const struct slot_table *t)
{
	return t->n_overflow;
}

uint16_t slot_table_candidate(const struct slot_table *t, uint32_t slot)
{
	assert(t->is_filled && slot < t->size + t->n_overflow);
	return slot < t->size ? t->slots[slot] : t->overflow[slot - t->size];
}

const struct backend *slot_table_backend(const struct slot_table *t, uint32_t slot)
{
	return &t->service->backends[t->backend[slot_table_candidate(t, slot)]];
}

const char *slot_table_comment(struct slot_table *t, uint32_t slot, struct arena *strings)
{
	const char **comment = &t->comment[slot_table_candidate(t, slot)];
	char buf[2 * MODEL_NAME_MAX + 2];

	if (!*comment) {
		snprintf(buf, sizeof(buf), "%s/%s", t->service->name,
			 slot_table_backend(t, slot)->name);
		*comment = arena_string(strings, buf);
	}
	return *comment;
}

uint32_t slot_table_error_ppm(struct slot_table *t)
{
	if (t->scheduler->ideal)
		t->scheduler->ideal(t->candidates, t->n);
	return slots_error_ppm(t->candidates, t->n, t->slots, t->size);
}
