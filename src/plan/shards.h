/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which slots map the listeners of shared programs are in. A map is bounded
 * twice: few programs look it up (adding an element costs time for each of
 * them), and it holds few elements (the kernel walks a hash from its beginning for
 * every 32 KiB of a dump: 1,000,000 elements in one map took a minute to read on
 * 6.18, 38,000 took 0.07 s). A value, so that a copy undoes a change.
 */
#ifndef FNAT_PLAN_SHARDS_H
#define FNAT_PLAN_SHARDS_H

#include <stdbool.h>
#include <stdint.h>

#include "plan/program.h"

/* Slots of one map; a single listener may have more. */
#define SHARD_SLOTS_MAX 16384u
/* Maps of one kind of program and family. When all are full, the emptiest takes more. */
#define SHARDS_MAX 512u

struct shard {
	uint32_t slots; /* 0: free */
	uint32_t group; /* which programs may look the map up */
};

struct shards {
	struct shard of[3][2][SHARDS_MAX]; /* kind, family */
};

/* Has the kind of program shards? (The others have lanes, or no slots.) */
bool shards_has_kind(uint8_t kind);

/* Put the program's slots where p->lane says; false when another group is there. */
bool shards_take(struct shards *s, const struct program *p);
/* Choose p->lane, and take that. */
void shards_take_any(struct shards *s, struct program *p);
void shards_give(struct shards *s, const struct program *p);

#endif
