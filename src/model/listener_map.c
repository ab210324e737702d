/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorted listeners with a reference to their service each. The thread that has the model only
 * copies; sorting is left to the one that will look.
 */
#include "model/listener_map.h"

#include <stdlib.h>

#include "base/mem.h"
#include "model/index.h"

struct pair {
	struct listener listener;
	const struct service *service;
};

struct listener_map {
	struct pair *items;
	size_t n;
};

static struct listener_map *map_new(size_t n)
{
	struct listener_map *map = mem_zalloc(sizeof(*map));

	map->items = mem_calloc(n, sizeof(*map->items));
	return map;
}

static void map_add(struct listener_map *map, const struct listener *l, const struct service *s)
{
	map->items[map->n++] = (struct pair){ *l, service_ref(s) };
}

struct listener_map *listener_map_of_model(const struct model *m)
{
	struct listener_map *map = map_new(model_n_listeners(m));

	for (const struct listener_entry *e = m->listeners; e; e = e->hh.next)
		map_add(map, &e->listener, e->service);
	return map;
}

struct listener_map *listener_map_of_service(const struct service *s)
{
	struct listener_map *map = map_new(s->n_listeners);

	for (size_t i = 0; i < s->n_listeners; i++)
		map_add(map, &s->listeners[i], s);
	return map;
}

void listener_map_free(struct listener_map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->n; i++)
		service_unref(map->items[i].service);
	free(map->items);
	free(map);
}

static int pair_cmp(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return listener_cmp(&x->listener, &y->listener);
}

void listener_map_sort(struct listener_map *map)
{
	qsort(map->items, map->n, sizeof(*map->items), pair_cmp);
}

const struct service *listener_map_find(const struct listener_map *map, const struct listener *l)
{
	const struct pair key = { .listener = *l };
	const struct pair *found = bsearch(&key, map->items, map->n, sizeof(*map->items), pair_cmp);

	return found ? found->service : NULL;
}

const struct backend *service_backend_at(const struct service *s, uint16_t listener_port,
					 const struct addr *address, uint16_t port)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		if ((b->port ? b->port : listener_port) == port && addr_equal(&b->address, address))
			return b;
	}
	return NULL;
}
