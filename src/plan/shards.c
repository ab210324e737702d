/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First fit. A map belongs to a group of PROGRAMS_PER_MAP neighbouring table sizes, and
 * to one way of hashing, as long as anything is in it.
 */
#include "plan/shards.h"

#include <assert.h>
#include <sys/socket.h>

_Static_assert(PROGRAM_SH == PROGRAM_RANDOM + 1 && PROGRAM_MH == PROGRAM_RANDOM + 2,
	       "the kinds that have shards follow each other");

bool shards_has_kind(uint8_t kind)
{
	return kind == PROGRAM_RANDOM || kind == PROGRAM_SH || kind == PROGRAM_MH;
}

static struct shard *shards_of(struct shards *s, const struct program *p)
{
	assert(shards_has_kind(p->kind));
	return s->of[p->kind - PROGRAM_RANDOM][p->family == AF_INET6];
}

static uint32_t group_of(const struct program *p)
{
	uint32_t is_own = p->own > 0;

	/* An own program's size says nothing of how many there are. */
	return (is_own ? 0 : p->size / PROGRAMS_PER_MAP) | is_own << 15 | (uint32_t)p->key << 16 |
	       (uint32_t)p->prefix << 24;
}

/* What it takes of a map. A program of one service alone takes so much that few fit. */
static uint32_t cost_of(const struct program *p)
{
	return p->own && p->size < SHARD_SLOTS_MAX / PROGRAMS_PER_MAP
		       ? SHARD_SLOTS_MAX / PROGRAMS_PER_MAP
		       : p->size;
}

static bool is_for(const struct shard *shard, const struct program *p)
{
	return shard->slots == 0 || shard->group == group_of(p);
}

static void put(struct shard *shard, const struct program *p)
{
	shard->group = group_of(p);
	shard->slots += cost_of(p);
}

bool shards_take(struct shards *s, const struct program *p)
{
	struct shard *of = shards_of(s, p);

	if (p->lane >= SHARDS_MAX || !is_for(&of[p->lane], p))
		return false;
	put(&of[p->lane], p);
	return true;
}

void shards_take_any(struct shards *s, struct program *p)
{
	struct shard *of = shards_of(s, p);
	unsigned int emptiest = 0;

	for (unsigned int i = 0; i < SHARDS_MAX; i++) {
		bool has_room =
			of[i].slots == 0 || of[i].slots + (uint64_t)cost_of(p) <= SHARD_SLOTS_MAX;

		if (has_room && is_for(&of[i], p)) {
			p->lane = (uint16_t)i;
			put(&of[i], p);
			return;
		}
		if (of[i].slots < of[emptiest].slots)
			emptiest = i;
	}
	p->lane = (uint16_t)emptiest;
	of[emptiest].slots += cost_of(p);
}

void shards_give(struct shards *s, const struct program *p)
{
	struct shard *shard = &shards_of(s, p)[p->lane];

	assert(shard->slots >= cost_of(p));
	shard->slots -= cost_of(p);
}
