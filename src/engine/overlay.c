/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state becomes part of the service as if the file had said it, so that nothing behind the
 * file knows of this: what drains, what is shown, what goes to the kernel.
 */
#include "engine/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/remember.h"

struct item {
	char *service, *backend;
	struct overlay_state state;
};

struct overlay {
	char *path;
	struct item *items;
	size_t n, cap;
	bool is_changed; /* since it was written */
};

static struct item *item_find(const struct overlay *o, const char *service, const char *backend)
{
	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->items[i].service, service) == 0 &&
		    strcmp(o->items[i].backend, backend) == 0)
			return &o->items[i];
	}
	return NULL;
}

static void item_remove(struct overlay *o, size_t i)
{
	free(o->items[i].service);
	free(o->items[i].backend);
	o->items[i] = o->items[--o->n];
	o->is_changed = true;
}

/* --- the file ------------------------------------------------------------------------------ */

static int state_of(const json_t *pair, size_t i)
{
	const char *text = json_string_value(json_array_get(pair, i)), *name;

	for (size_t state = 0; text && (name = backend_state_name(state)); state++) {
		if (strcmp(name, text) == 0)
			return (int)state;
	}
	return -1;
}

static void load(struct overlay *o)
{
	json_t *all = remember_read(o->path, "drain", "the file's states count"), *backends, *pair;
	const char *service, *backend;

	json_object_foreach (all, service, backends) {
		json_object_foreach (backends, backend, pair) {
			int state = state_of(pair, 0), of_file = state_of(pair, 1);
			const struct overlay_state to = { (uint8_t)state, (uint8_t)of_file };

			if (state >= 0 && of_file >= 0)
				overlay_set(o, service, backend, &to);
		}
	}
	o->is_changed = false;
	json_decref(all);
}

static void save(struct overlay *o)
{
	json_t *all = json_object();

	for (size_t i = 0; i < o->n; i++) {
		const struct item *item = &o->items[i];
		json_t *backends = json_object_get(all, item->service);

		if (!backends) {
			backends = json_object();
			json_object_set_new(all, item->service, backends);
		}
		json_object_set_new(backends, item->backend,
				    json_pack("[s, s]", backend_state_name(item->state.state),
					      backend_state_name(item->state.of_file)));
	}
	remember_write(o->path, "drain", all);
	json_decref(all);
	o->is_changed = false;
}

struct overlay *overlay_new(const char *path)
{
	struct overlay *o = mem_zalloc(sizeof(*o));

	o->path = mem_strdup(path);
	load(o);
	return o;
}

void overlay_free(struct overlay *o)
{
	if (!o)
		return;
	while (o->n > 0)
		item_remove(o, o->n - 1);
	free(o->items);
	free(o->path);
	free(o);
}

/* --- states -------------------------------------------------------------------------------- */

struct overlay_state overlay_get(const struct overlay *o, const char *service, const char *backend,
				 uint8_t now)
{
	const struct item *item = item_find(o, service, backend);

	return item ? item->state : (struct overlay_state){ now, now };
}

void overlay_set(struct overlay *o, const char *service, const char *backend,
		 const struct overlay_state *to)
{
	struct item *item = item_find(o, service, backend);

	if (to->state == to->of_file) {
		if (item)
			item_remove(o, (size_t)(item - o->items));
		return;
	}
	if (!item) {
		item = &VEC_PUSH(o->items, o->n, o->cap);
		item->service = mem_strdup(service);
		item->backend = mem_strdup(backend);
	}
	item->state = *to;
	o->is_changed = true;
}

/* The state that an item gives the backend. */
static uint8_t state_over(const struct overlay *o, const struct service *s, const struct backend *b)
{
	const struct item *item = item_find(o, s->name, b->name);

	return item && item->state.of_file == b->state ? item->state.state : b->state;
}

static bool has_service(const struct overlay *o, const char *service)
{
	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->items[i].service, service) == 0)
			return true;
	}
	return false;
}

const struct service *overlay_service(const struct overlay *o, const struct service *s)
{
	const struct service *out;
	struct service copy;

	if (!has_service(o, s->name))
		return s;
	copy = *s;
	copy.backends = mem_calloc(s->n_backends, sizeof(*copy.backends));
	for (size_t i = 0; i < s->n_backends; i++) {
		copy.backends[i] = s->backends[i];
		copy.backends[i].state = state_over(o, s, &s->backends[i]);
	}
	out = service_new(&copy);
	free(copy.backends);
	service_unref(s);
	return out;
}

void overlay_config(const struct overlay *o, struct config *c)
{
	for (size_t i = 0; o->n > 0 && i < c->n_services; i++)
		c->services[i] = overlay_service(o, c->services[i]);
}

void overlay_changes(const struct overlay *o, struct changes *c)
{
	for (size_t i = 0; o->n > 0 && i < c->n; i++) {
		struct change *change = &c->items[i];

		if (change->object == OBJECT_SERVICE && change->service.after)
			change->service.after = overlay_service(o, change->service.after);
	}
}

void overlay_follow(struct overlay *o, const struct model *m)
{
	for (size_t i = o->n; i-- > 0;) {
		const struct item *item = &o->items[i];
		const struct service *s = model_service(m, item->service);
		const struct backend *b = s ? service_backend(s, item->backend) : NULL;

		if (!b || b->state != item->state.state)
			item_remove(o, i);
	}
	if (o->is_changed)
		save(o);
}
