/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits is found by its key (a new change may want it back) and taken
 * in the order in which it came (it falls due in that order). uthash gives
 * both: its tables remember the order of insertion.
 *
 * Before 6.2 the kernel does not let a chain go in the batch that removes the
 * last element naming it. Services elements go in stage 1, but snat elements
 * are collected here: a pool's chain and maps wait until the next collection.
 */
#include "plan/garbage.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

/* In the order of removal. */
enum thing { THING_ELEM, THING_FOREIGN_RULES, THING_FOREIGN_MAP, THING_CHAIN, THING_MAP };

#define N_THINGS (THING_MAP + 1)

/* All that tells two things apart, without padding; only the used part of the name counts. */
struct key {
	uint8_t thing;
	uint8_t kind, family, program; /* of the map */
	uint8_t bits, is_address;
	uint8_t zero_too[2];
	uint16_t shard;
	uint16_t port;
	uint32_t slot;
	uint32_t max; /* of the map */
	uint8_t address[16];
	uint8_t protocol;
	uint8_t zero[3];
	char name[NFT_NAME_BYTES]; /* of a pool, a foreign map or a chain */
};

struct item {
	UT_hash_handle hh;
	struct op op; /* its strings, if any, are in `names` */
	uint64_t due_ms;
	unsigned int held_in; /* the collection that leaves it alone */
	size_t key_len;
	struct key key; /* cut off after key_len; names follow */
};

struct garbage {
	struct item *items;
	uint64_t last_due_ms;
	unsigned int collections;
};

struct garbage *garbage_new(void)
{
	return mem_zalloc(sizeof(struct garbage));
}

static bool op_is_chain(const struct op *op)
{
	return op->kind == OP_ADD_CHAIN || op->kind == OP_SET_CHAIN || op->kind == OP_DEL_CHAIN;
}

static bool op_is_elem(const struct op *op)
{
	return op->kind == OP_ADD_ELEM || op->kind == OP_DEL_ELEM;
}

/* The item without the chain. */
static void item_free(struct garbage *g, struct item *item)
{
	HASH_DEL(g->items, item);
	if (op_is_elem(&item->op)) {
		free((char *)item->op.elem.pool);
		free((char *)item->op.elem.map.pool);
	} else if (!op_is_chain(&item->op)) {
		free((char *)item->op.map.pool);
	}
	free(item);
}

static void item_drop(struct garbage *g, struct item *item)
{
	if (op_is_chain(&item->op))
		free(item->op.chain);
	item_free(g, item);
}

void garbage_free(struct garbage *g)
{
	struct item *item, *next;

	if (!g)
		return;
	for (item = g->items; item; item = next) {
		next = item->hh.next;
		item_drop(g, item);
	}
	free(g);
}

size_t garbage_count(const struct garbage *g)
{
	return HASH_COUNT(g->items);
}

/* Returns the length of the key. */
static size_t key_set_name(struct key *key, const char *name)
{
	size_t len = name ? strnlen(name, sizeof(key->name) - 1) : 0;

	if (len)
		memcpy(key->name, name, len);
	key->name[len] = '\0';
	return offsetof(struct key, name) + len + 1;
}

static size_t key_of_chain(const char *name, enum thing thing, struct key *key)
{
	memset(key, 0, offsetof(struct key, name));
	key->thing = (uint8_t)thing;
	return key_set_name(key, name);
}

static size_t key_of_map(const struct map_ref *m, struct key *key)
{
	memset(key, 0, offsetof(struct key, name));
	key->thing = m->kind == MAP_FOREIGN ? THING_FOREIGN_MAP : THING_MAP;
	key->kind = m->kind;
	key->family = m->family;
	key->program = m->program;
	key->shard = m->shard;
	key->bits = m->bits;
	key->max = m->max;
	key->is_address = m->is_address;
	return key_set_name(key, m->pool);
}

static size_t key_of_elem(const struct elem *e, struct key *key)
{
	size_t len = key_of_map(&e->map, key);

	key->thing = THING_ELEM;
	key->port = e->port;
	key->protocol = e->protocol;
	key->slot = e->slot;
	memcpy(key->address, e->address.bytes, sizeof(key->address));
	return len;
}

static size_t key_of_op(const struct op *op, struct key *key)
{
	switch ((enum op_kind)op->kind) {
	case OP_ADD_ELEM:
	case OP_DEL_ELEM:
		return key_of_elem(&op->elem, key);
	case OP_SET_CHAIN: /* in stage 2: a foreign chain is emptied before it goes */
		return key_of_chain(op->chain->name, THING_FOREIGN_RULES, key);
	case OP_ADD_CHAIN:
	case OP_DEL_CHAIN:
		return key_of_chain(op->chain->name, THING_CHAIN, key);
	case OP_ADD_MAP:
	case OP_DEL_MAP:
		break;
	}
	return key_of_map(&op->map, key);
}

static struct item *find(const struct garbage *g, const struct key *key, size_t len)
{
	struct item *item;

	HASH_FIND(hh, g->items, key, len, item);
	return item;
}

bool garbage_has(const struct garbage *g, const struct op *op)
{
	struct key key;
	size_t len = key_of_op(op, &key);

	return find(g, &key, len) != NULL;
}

static struct item *find_elem(const struct garbage *g, const struct elem *e)
{
	struct key key;
	size_t len = key_of_elem(e, &key);

	return find(g, &key, len);
}

static struct item *find_chain(const struct garbage *g, const char *name, enum thing thing)
{
	struct key key;
	size_t len = key_of_chain(name, thing, &key);

	return find(g, &key, len);
}

static struct item *find_map(const struct garbage *g, const struct map_ref *m)
{
	struct key key;
	size_t len = key_of_map(m, &key);

	return find(g, &key, len);
}

/* The operation as it must be sent, at the end of out. */
static void resolve_op(const struct garbage *g, struct ops *ops, const struct op *op,
		       struct op_list *out)
{
	const struct item *item;
	struct op resolved = *op;

	if (op->kind == OP_ADD_MAP && find_map(g, &op->map)) {
		op_list_map(&ops->kept, OP_ADD_MAP, &op->map);
		return;
	}
	if (op->kind == OP_ADD_CHAIN && find_chain(g, op->chain->name, THING_CHAIN))
		resolved.kind = OP_SET_CHAIN;
	if (op->kind == OP_ADD_ELEM && (item = find_elem(g, &op->elem))) {
		struct elem gone = item->op.elem;

		gone.map.pool = op->elem.map.pool;
		gone.pool = ops_string(ops, gone.pool);
		op_list_elem(out, OP_DEL_ELEM, &gone);
	}
	VEC_PUSH(out->items, out->n, out->cap) = resolved;
}

void garbage_resolve(const struct garbage *g, struct ops *ops)
{
	struct op_list out = { 0 };

	if (!g->items)
		return;
	for (size_t i = 0; i < ops->stage[0].n; i++)
		resolve_op(g, ops, &ops->stage[0].items[i], &out);
	free(ops->stage[0].items);
	ops->stage[0] = out;
}

static void revive(struct garbage *g, struct item *item)
{
	if (item)
		item_drop(g, item);
}

/* A chain that is set keeps the maps that its rules look up. */
static void revive_chain(struct garbage *g, const struct chain *c)
{
	revive(g, find_chain(g, c->name, THING_CHAIN));
	revive(g, find_chain(g, c->name, THING_FOREIGN_RULES));
	for (size_t i = 0; i < c->n_rules; i++) {
		char pool[NFT_NAME_BYTES];
		struct map_ref maps[RULE_MAPS_MAX];

		for (size_t n = rule_maps(&c->rules[i], maps, pool); n-- > 0;)
			revive(g, find_map(g, &maps[n]));
	}
}

/* What a stage 1 that was carried out has done to what waited. */
static void revive_op(struct garbage *g, const struct op *op)
{
	switch ((enum op_kind)op->kind) {
	case OP_ADD_MAP:
	case OP_DEL_MAP:
		revive(g, find_map(g, &op->map));
		break;
	case OP_ADD_CHAIN:
	case OP_SET_CHAIN:
		revive_chain(g, op->chain);
		break;
	case OP_DEL_CHAIN:
		revive(g, find_chain(g, op->chain->name, THING_CHAIN));
		break;
	case OP_ADD_ELEM:
		revive(g, find_map(g, &op->elem.map));
		revive(g, find_elem(g, &op->elem));
		break;
	case OP_DEL_ELEM:
		revive(g, find_elem(g, &op->elem));
		break;
	}
}

static char *own(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

/* Takes the op's chain; copies its strings. */
static void item_add(struct garbage *g, const struct op *op)
{
	struct key key;
	size_t len = key_of_op(op, &key);
	struct item *item = find(g, &key, len);

	revive(g, item);
	item = mem_zalloc(offsetof(struct item, key) + len);
	item->op = *op;
	item->due_ms = g->last_due_ms;
	item->key_len = len;
	memcpy(&item->key, &key, len);
	if (op_is_elem(op)) {
		item->op.elem.map.pool = own(op->elem.map.pool);
		item->op.elem.pool = own(op->elem.pool);
		item->op.elem.comment = NULL;
	} else if (!op_is_chain(op)) {
		item->op.map.pool = own(op->map.pool);
	}
	HASH_ADD_KEYPTR(hh, g->items, &item->key, len, item);
}

void garbage_take(struct garbage *g, struct ops *ops, uint64_t due_ms)
{
	struct op_list *stage2 = &ops->stage[1];

	for (size_t i = 0; g->items && i < ops->stage[0].n; i++)
		revive_op(g, &ops->stage[0].items[i]);
	for (size_t i = 0; i < ops->kept.n; i++)
		revive_op(g, &ops->kept.items[i]);
	if (due_ms > g->last_due_ms)
		g->last_due_ms = due_ms;
	for (size_t i = 0; i < stage2->n; i++)
		item_add(g, &stage2->items[i]);
	free(stage2->items);
	*stage2 = (struct op_list){ 0 };
}

static bool is_due(const struct item *item, uint64_t now_ms)
{
	return item && item->due_ms <= now_ms;
}

static void hold(const struct garbage *g, struct item *item)
{
	if (item)
		item->held_in = g->collections;
}

static struct item *hold_chain(struct garbage *g, const char *name)
{
	struct item *item = find_chain(g, name, THING_CHAIN);

	hold(g, item);
	for (size_t i = 0; item && i < item->op.chain->n_rules; i++) {
		char pool[NFT_NAME_BYTES];
		struct map_ref maps[RULE_MAPS_MAX];

		for (size_t n = rule_maps(&item->op.chain->rules[i], maps, pool); n-- > 0;)
			hold(g, find_map(g, &maps[n]));
	}
	return item;
}

/* What must wait until the element is gone: the chain it names, and the maps that one looks up. */
static void hold_pool(struct garbage *g, const char *pool)
{
	char name[NFT_NAME_BYTES];

	snprintf(name, sizeof(name), "pool-%.60s", pool);
	(void)hold_chain(g, name);
}

/* The same for what the element of a service with a chain of its own names: that one names the
 * pool's. */
static void hold_new(struct garbage *g, uint16_t own)
{
	char name[NFT_NAME_BYTES];
	struct item *item = hold_chain(g, new_chain_name(own, name));

	for (size_t i = 0; item && i < item->op.chain->n_rules; i++) {
		const struct rule *r = &item->op.chain->rules[i];

		if (r->kind == RULE_GOTO)
			(void)hold_chain(g, r->name);
	}
}

static void hold_gate(struct garbage *g, const struct elem *e)
{
	struct gate gate = elem_gate(e);
	char name[NFT_NAME_BYTES];

	hold(g, find_chain(g, gate_name(&gate, name), THING_CHAIN));
}

static void hold_pools(struct garbage *g, uint64_t now_ms)
{
	struct item *item;

	g->collections++;
	for (item = g->items; is_due(item, now_ms); item = item->hh.next) {
		const struct elem *e = &item->op.elem;

		if (op_is_elem(&item->op) && e->map.kind == MAP_GATES)
			hold_gate(g, e);
		if (!op_is_elem(&item->op) || e->map.kind != MAP_SNAT)
			continue;
		if (e->program.own)
			hold_new(g, e->program.own);
		else
			hold_pool(g, e->pool);
	}
}

/* Move the item's operation to the list. */
static void collect_item(struct garbage *g, struct item *item, struct op_list *out,
			 struct ops *storage)
{
	struct op op = item->op;

	if (op_is_elem(&op)) {
		op.elem.map.pool = ops_string(storage, op.elem.map.pool);
		op.elem.pool = ops_string(storage, op.elem.pool);
	} else if (!op_is_chain(&op)) {
		op.map.pool = ops_string(storage, op.map.pool);
	}
	VEC_PUSH(out->items, out->n, out->cap) = op;
	item_free(g, item);
}

void garbage_collect(struct garbage *g, uint64_t now_ms, struct op_list *out, struct ops *storage)
{
	if (!is_due(g->items, now_ms))
		return;
	hold_pools(g, now_ms);
	for (int thing = 0; thing < N_THINGS; thing++) {
		struct item *item, *next;

		for (item = g->items; is_due(item, now_ms); item = next) {
			next = item->hh.next;
			if (item->key.thing == thing && item->held_in != g->collections)
				collect_item(g, item, out, storage);
		}
	}
}

int garbage_wait_ms(const struct garbage *g, uint64_t now_ms)
{
	uint64_t wait;

	if (!g->items)
		return -1;
	if (is_due(g->items, now_ms))
		return 0;
	wait = g->items->due_ms - now_ms;
	return wait < INT32_MAX ? (int)wait : INT32_MAX;
}
