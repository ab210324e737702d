/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend is what it has as address and port, not its name: one that is renamed keeps its
 * connections. One that drains, or has weight 0, is not gone.
 */
#include "engine/departed.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

void departed_fini(struct departed *d)
{
	for (size_t i = 0; i < d->n; i++)
		service_unref(d->items[i].service);
	free(d->items);
	*d = (struct departed){ 0 };
}

void departed_move(struct departed *to, struct departed *from)
{
	for (size_t i = 0; i < from->n; i++)
		VEC_PUSH(to->items, to->n, to->cap) = from->items[i];
	free(from->items);
	*from = (struct departed){ 0 };
}

static void add(struct departed *d, const struct service *s, const struct backend *b, bool is_all,
		bool has_unanswered)
{
	VEC_PUSH(d->items, d->n, d->cap) = (struct ct_target){
		.address = b->address,
		.port = b->port,
		.is_all = is_all,
		.has_unanswered = has_unanswered,
		.service = service_ref(s),
	};
}

static bool has_connectionless(const struct service *s)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].protocol == IPPROTO_UDP)
			return true;
	}
	return false;
}

static bool is_there(const struct backend *b)
{
	return b->state != BACKEND_DISABLED;
}

/* Under any name. */
static bool still_has(const struct service *s, const struct backend *gone)
{
	for (size_t i = 0; s && i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		if (is_there(b) && b->port == gone->port && addr_equal(&b->address, &gone->address))
			return true;
	}
	return false;
}

static void add_service(struct departed *d, const struct service *before,
			const struct service *after)
{
	bool is_all = (after ? after : before)->control.on_remove == ON_REMOVE_CUT;

	if (!is_all && !has_connectionless(before))
		return;
	for (size_t i = 0; i < before->n_backends; i++) {
		const struct backend *b = &before->backends[i];

		if (is_there(b) && !still_has(after, b))
			add(d, before, b, is_all, false);
	}
}

void departed_add_changes(struct departed *d, const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];

		if (change->object == OBJECT_SERVICE && change->service.before)
			add_service(d, change->service.before, change->service.after);
	}
}

void departed_add_down(struct departed *d, const struct service *s, const struct backend *b)
{
	add(d, s, b, s->control.on_down == ON_REMOVE_CUT, true);
}

void departed_add_all(struct departed *d, const struct service *s, const struct backend *b)
{
	add(d, s, b, true, false);
}
