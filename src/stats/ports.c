/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listing says how many there are; beginnings and ends change that until the next one. What ends
 * during a listing after its turn came stays until the next, which errs on the safe side.
 *
 * Levels are left a little below where they are entered, so that nothing goes to and fro.
 */
#include "stats/ports.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

struct pair_key {
	const struct port_pool *pool;
	struct addr local, backend;
	uint16_t port;
	uint8_t protocol;
};

struct pair {
	UT_hash_handle hh;
	struct pair_key key; /* all bytes are defined */
	struct ports_pair told;
	uint32_t listed;
	uint64_t listing;
};

static const struct {
	const char *name;
	unsigned int from, until; /* percent */
} levels[N_PORTS_LEVELS] = {
	[PORTS_OK] = { "ok", 0, 0 },
	[PORTS_BUSY] = { "busy", 50, 45 },
	[PORTS_WARN] = { "warn", 80, 75 },
	[PORTS_FULL] = { "full", 95, 90 },
};

const char *ports_level_name(enum ports_level level)
{
	return levels[level].name;
}

static enum ports_level level_of(const struct ports_pair *p)
{
	unsigned int level = PORTS_FULL;

	for (; level > PORTS_OK; level--) {
		unsigned int bound = level > p->level ? levels[level].from : levels[level].until;

		if ((uint64_t)p->used * 100 >= (uint64_t)p->pool->n_ports * bound)
			break;
	}
	return (enum ports_level)level;
}

static void judge(struct ports *p, struct pair *pair)
{
	enum ports_level was = pair->told.level;

	pair->told.level = level_of(&pair->told);
	if (pair->told.level != was && p->on_level)
		p->on_level(&pair->told, was, p->arg);
}

static void pair_free(struct ports *p, struct pair *pair)
{
	HASH_DEL(p->pairs, pair);
	free(pair);
}

void ports_fini(struct ports *p)
{
	struct pair *pair, *next;

	HASH_ITER (hh, p->pairs, pair, next)
		pair_free(p, pair);
}

void ports_on_level(struct ports *p, ports_level_fn *fn, void *arg)
{
	p->on_level = fn;
	p->arg = arg;
}

static struct pair *pair_new(struct ports *p, const struct pair_key *key)
{
	struct pair *pair = mem_zalloc(sizeof(*pair));

	pair->key = *key;
	pair->told = (struct ports_pair){ .pool = key->pool,
					  .local = key->local,
					  .backend = key->backend,
					  .port = key->port,
					  .protocol = key->protocol };
	HASH_ADD(hh, p->pairs, key, sizeof(pair->key), pair);
	return pair;
}

void ports_flow(struct ports *p, const struct port_pool *pool, const struct flow *f,
		uint64_t listing)
{
	struct pair_key key;
	struct pair *pair;

	memset(&key, 0, sizeof(key));
	key.pool = pool;
	key.local = f->local.address;
	key.backend = f->backend.address;
	key.port = f->backend.port;
	key.protocol = f->protocol;
	HASH_FIND(hh, p->pairs, &key, sizeof(key), pair);
	if (!pair && (f->kind == FLOW_NEW || f->kind == FLOW_LISTED))
		pair = pair_new(p, &key);
	if (!pair)
		return;
	switch ((enum flow_kind)f->kind) {
	case FLOW_NEW:
		pair->told.used++;
		judge(p, pair);
		break;
	case FLOW_DESTROY:
		pair->told.used -= pair->told.used > 0;
		judge(p, pair);
		break;
	case FLOW_LISTED:
		pair->listed = pair->listing == listing ? pair->listed + 1 : 1;
		pair->listing = listing;
		break;
	case FLOW_UPDATE:
	case FLOW_ANNOUNCED:
		break;
	}
}

void ports_settle(struct ports *p, uint64_t listing)
{
	struct pair *pair, *next;

	HASH_ITER (hh, p->pairs, pair, next) {
		pair->told.used = pair->listing == listing ? pair->listed : 0;
		judge(p, pair);
		if (pair->told.used == 0)
			pair_free(p, pair);
	}
}

void ports_forget(struct ports *p, const struct port_pool *pool)
{
	struct pair *pair, *next;

	HASH_ITER (hh, p->pairs, pair, next) {
		if (pair->key.pool != pool)
			continue;
		pair->told.used = 0;
		judge(p, pair);
		pair_free(p, pair);
	}
}

void ports_each(const struct ports *p, const char *pool, ports_pair_fn *fn, void *arg)
{
	for (const struct pair *pair = p->pairs; pair; pair = pair->hh.next) {
		if (!pool || strcmp(pair->key.pool->name, pool) == 0)
			fn(&pair->told, arg);
	}
}
