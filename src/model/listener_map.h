/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who listens where, as a value of its own: a snapshot of the model that another thread may look at
 * while the model goes on.
 */
#ifndef FNAT_MODEL_LISTENER_MAP_H
#define FNAT_MODEL_LISTENER_MAP_H

#include "model/model.h"

struct listener_map;

/* Of all services, or of one. About 50 ns a listener. */
struct listener_map *listener_map_of_model(const struct model *m);
struct listener_map *listener_map_of_service(const struct service *s);
void listener_map_free(struct listener_map *map);

/* Before the first find, by whoever has the map then: the longer part of making it. */
void listener_map_sort(struct listener_map *map);
/* The service, or NULL. Borrowed from the map. */
const struct service *listener_map_find(const struct listener_map *map, const struct listener *l);

/*
 * The backend of the service that is reached at this address and port from the listener's port, or
 * NULL. Looks at them all.
 */
const struct backend *service_backend_at(const struct service *s, uint16_t listener_port,
					 const struct addr *address, uint16_t port);

#endif
