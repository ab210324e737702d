/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both ways of filling a table let candidates take turns: who is due next
 * takes a slot. A heap finds who is due, so that tables of 65,536 slots for
 * 4,096 candidates are no trouble.
 *
 * Smooth: a candidate with quota q of T slots may take its k-th slot (from 0)
 * not before position k T / q and must have it by (k + 1) T / q; of those who
 * may, the one with the earliest deadline goes first. Such windows can always
 * be kept (they are those of Pfair scheduling; Baruah et al., 1996), so no
 * backend ever is a whole slot ahead or behind.
 *
 * Stable: slots are taken in an order of preference that is a candidate's
 * own, a permutation made of its key (the idea of Maglev, Eisenbud et al.,
 * 2016), here with quotas and turns by how much of its quota a candidate has.
 */
#include "plan/fill.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* Smallest num / den first, then smallest tie, then the first in the list. */
struct turn {
	uint64_t num, den, tie;
	uint32_t who;
};

struct heap {
	struct turn *items; /* [0] is the next */
	size_t n;
};

static bool turn_before(const struct turn *a, const struct turn *b)
{
	uint64_t left = a->num * b->den, right = b->num * a->den;

	if (left != right)
		return left < right;
	return a->tie != b->tie ? a->tie < b->tie : a->who < b->who;
}

static void heap_sink(struct heap *h, struct turn t)
{
	size_t at = 0, child;

	for (; (child = 2 * at + 1) < h->n; at = child) {
		if (child + 1 < h->n && turn_before(&h->items[child + 1], &h->items[child]))
			child++;
		if (turn_before(&t, &h->items[child]))
			break;
		h->items[at] = h->items[child];
	}
	h->items[at] = t;
}

static void heap_push(struct heap *h, struct turn t)
{
	size_t at = h->n++;

	for (; at > 0 && turn_before(&t, &h->items[(at - 1) / 2]); at = (at - 1) / 2)
		h->items[at] = h->items[(at - 1) / 2];
	h->items[at] = t;
}

static struct turn heap_pop(struct heap *h)
{
	struct turn first;

	assert(h->n > 0);
	first = h->items[0];
	h->n--;
	if (h->n > 0)
		heap_sink(h, h->items[h->n]);
	return first;
}

/* Who may take a slot from each position on: lists threaded through `next`. */
struct calendar {
	uint32_t *first, *next; /* candidate + 1 */
};

static void smooth_wait(struct calendar *cal, uint32_t who, uint32_t quota, uint32_t taken,
			uint32_t size)
{
	uint32_t from = (uint32_t)((uint64_t)taken * size / quota);

	cal->next[who] = cal->first[from];
	cal->first[from] = who + 1;
}

/* Those who may from position `at` on go to the heap. */
static void smooth_release(struct calendar *cal, struct heap *due, const uint32_t *quota,
			   const uint32_t *taken, uint32_t at, uint32_t size)
{
	uint32_t next;

	for (uint32_t item = cal->first[at]; item; item = next) {
		uint32_t who = item - 1;
		uint64_t end = (taken[who] + 1ull) * size;

		next = cal->next[who];
		/* Who has most wins a tie: abac, not abca, which is a run where it repeats. */
		heap_push(due, (struct turn){ .num = (end + quota[who] - 1) / quota[who],
					      .den = 1,
					      .tie = size - quota[who],
					      .who = who });
	}
}

void fill_smooth(const uint32_t *quota, size_t n, uint16_t *slots, uint32_t size)
{
	uint32_t *taken = mem_calloc(n, sizeof(*taken));
	struct calendar cal = { .first = mem_calloc(size, sizeof(uint32_t)),
				.next = mem_calloc(n, sizeof(uint32_t)) };
	struct heap due = { .items = mem_calloc(n, sizeof(struct turn)) };

	for (uint32_t i = 0; i < n; i++)
		if (quota[i])
			smooth_wait(&cal, i, quota[i], 0, size);
	for (uint32_t at = 0; at < size; at++) {
		uint32_t who;

		smooth_release(&cal, &due, quota, taken, at, size);
		who = heap_pop(&due).who;
		slots[at] = (uint16_t)who;
		if (++taken[who] < quota[who])
			smooth_wait(&cal, who, quota[who], taken[who], size);
	}
	free(taken);
	free(cal.first);
	free(cal.next);
	free(due.items);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t key_hash(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *key; key++)
		hash = (hash ^ (uint8_t)*key) * 0x100000001b3ull;
	return mix(hash);
}

/* A permutation of the numbers below 2^bits; those below `size` are preferred in its order. */
struct preference {
	uint64_t odd[2], add;
	uint32_t next; /* the argument not yet tried */
};

static struct preference preference_of(uint64_t hash)
{
	return (struct preference){
		.odd = { mix(hash + 1) | 1, mix(hash + 2) | 1 },
		.add = mix(hash + 3),
	};
}

/* Each step (times an odd number, plus, xor with own high bits) has an inverse. */
static uint32_t preference_at(const struct preference *p, uint32_t x, unsigned int bits)
{
	uint64_t mask = (1ull << bits) - 1, y = x;
	unsigned int shift = bits / 2 ? bits / 2 : 1;

	y = (y * p->odd[0] + p->add) & mask;
	y ^= y >> shift;
	y = (y * p->odd[1]) & mask;
	return (uint32_t)(y ^ y >> shift);
}

/* The best slot that is free: there is one. */
static uint32_t preference_take(struct preference *p, const uint16_t *slots, uint32_t size,
				unsigned int bits)
{
	for (;;) {
		uint32_t slot = preference_at(p, p->next++, bits);

		assert(p->next <= 1u << bits);
		if (slot < size && slots[slot] == SLOT_NONE)
			return slot;
	}
}

static unsigned int bits_for(uint32_t size)
{
	unsigned int bits = 0;

	while (1u << bits < size)
		bits++;
	return bits;
}

void fill_stable(const struct candidate *c, const uint32_t *quota, size_t n, uint16_t *slots,
		 uint32_t size)
{
	struct preference *prefs = mem_calloc(n, sizeof(*prefs));
	struct heap due = { .items = mem_calloc(n, sizeof(struct turn)) };
	unsigned int bits = bits_for(size);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t hash;

		if (!quota[i])
			continue;
		hash = key_hash(c[i].key);
		prefs[i] = preference_of(hash);
		heap_push(&due, (struct turn){ 1, quota[i], hash, i });
	}
	for (uint32_t i = 0; i < size; i++)
		slots[i] = SLOT_NONE;
	for (uint32_t i = 0; i < size; i++) {
		struct turn t = heap_pop(&due);

		slots[preference_take(&prefs[t.who], slots, size, bits)] = (uint16_t)t.who;
		/* 1/2, 3/2, 5/2 ... of its quota */
		t.num += 2;
		if (t.num < 2 * t.den)
			heap_push(&due, t);
	}
	free(prefs);
	free(due.items);
}
