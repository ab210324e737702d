/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list in the order in which they began, and a table of chains by conntrack's id, both by index
 * into one array. Where the configuration has them is looked up again when one is overdue, which
 * is seldom: a pointer would have to be told of every change.
 */
#include "stats/unanswered.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NONE      UINT32_MAX
#define N_BUCKETS (2 * UNANSWERED_MAX)

struct item {
	uint32_t id, chain;
	uint32_t older, newer; /* of the free ones only newer */
	uint64_t read_ns, event_ns;
	struct flow_end to, backend, local;
	uint8_t protocol;
};

struct unanswered {
	uint32_t oldest, newest, free;
	uint32_t buckets[N_BUCKETS];
	struct item items[UNANSWERED_MAX];
};

void unanswered_clear(struct unanswered *u)
{
	u->oldest = u->newest = NONE;
	u->free = 0;
	memset(u->buckets, 0xff, sizeof(u->buckets)); /* NONE */
	for (uint32_t i = 0; i < UNANSWERED_MAX; i++)
		u->items[i].newer = i + 1 < UNANSWERED_MAX ? i + 1 : NONE;
}

struct unanswered *unanswered_new(void)
{
	struct unanswered *u = mem_alloc(sizeof(*u));

	unanswered_clear(u);
	return u;
}

void unanswered_free(struct unanswered *u)
{
	free(u);
}

static bool is_same(const struct item *item, const struct flow *f)
{
	return item->id == f->id && item->protocol == f->protocol &&
	       item->local.port == f->local.port && item->to.port == f->to.port;
}

/* Where its index stands, or the end of its chain (NONE). */
static uint32_t *find(struct unanswered *u, const struct flow *f)
{
	uint32_t *at = &u->buckets[f->id % N_BUCKETS];

	while (*at != NONE && !is_same(&u->items[*at], f))
		at = &u->items[*at].chain;
	return at;
}

void unanswered_begin(struct unanswered *u, const struct flow *f)
{
	uint32_t *at = find(u, f), i = u->free;
	struct item *item = &u->items[i == NONE ? 0 : i];

	if (*at != NONE || i == NONE)
		return;
	u->free = item->newer;
	*item = (struct item){
		.id = f->id,
		.chain = NONE,
		.older = u->newest,
		.newer = NONE,
		.read_ns = f->read_ns,
		.event_ns = f->event_ns,
		.to = f->to,
		.backend = f->backend,
		.local = f->local,
		.protocol = f->protocol,
	};
	*at = i;
	if (u->newest == NONE)
		u->oldest = i;
	else
		u->items[u->newest].newer = i;
	u->newest = i;
}

static void drop(struct unanswered *u, uint32_t *at)
{
	uint32_t i = *at;
	struct item *item = &u->items[i];

	*at = item->chain;
	if (item->older == NONE)
		u->oldest = item->newer;
	else
		u->items[item->older].newer = item->newer;
	if (item->newer == NONE)
		u->newest = item->older;
	else
		u->items[item->newer].older = item->older;
	item->newer = u->free;
	u->free = i;
}

bool unanswered_end(struct unanswered *u, const struct flow *f, struct unanswered_time *out)
{
	uint32_t *at = find(u, f);
	const struct item *item = &u->items[*at == NONE ? 0 : *at];

	if (*at == NONE)
		return false;
	out->is_exact = item->event_ns != 0 && f->event_ns >= item->event_ns;
	out->ns = out->is_exact                ? f->event_ns - item->event_ns
		  : f->read_ns > item->read_ns ? f->read_ns - item->read_ns
					       : 0;
	drop(u, at);
	return true;
}

uint64_t unanswered_oldest_ns(const struct unanswered *u)
{
	return u->oldest == NONE ? 0 : u->items[u->oldest].read_ns;
}

struct flow unanswered_take(struct unanswered *u)
{
	const struct item *item = &u->items[u->oldest];
	struct flow f = {
		.kind = FLOW_NEW,
		.protocol = item->protocol,
		.id = item->id,
		.to = item->to,
		.backend = item->backend,
		.local = item->local,
	};

	drop(u, find(u, &f));
	return f;
}
