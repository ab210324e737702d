/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table of routes points to: one file a resource.
 */
#ifndef FNAT_API_HANDLERS_H
#define FNAT_API_HANDLERS_H

struct call;
struct edit_kind;

/* config_routes.c */
void config_get(struct call *c);
void services_get(struct call *c);
void pools_get(struct call *c);
extern const struct edit_kind config_put;

/* service_routes.c */
void service_get(struct call *c);
extern const struct edit_kind service_put, service_patch, service_delete;

/* backend_routes.c */
void backends_get(struct call *c);
void backend_get(struct call *c);
extern const struct edit_kind backend_put, backend_patch, backend_delete;

/* state_routes.c */
void state_get(struct call *c);
extern const struct edit_kind state_put;

/* pool_routes.c */
void pool_get(struct call *c);
extern const struct edit_kind pool_put, pool_patch, pool_delete;

/* changes_routes.c */
extern const struct edit_kind changes_post;

/* limits_routes.c */
void limits_get(struct call *c);

/* doctor_routes.c */
void doctor_get(struct call *c);

/* status_routes.c */
void status_get(struct call *c);

/* health_routes.c */
void health_get_all(struct call *c);
void health_get_service(struct call *c);

/* history_routes.c */
void history_get(struct call *c);
void diff_get(struct call *c);
void rollback_post(struct call *c);
void confirm_post(struct call *c);

/* events_routes.c */
void events_get(struct call *c);

/* connections_routes.c */
void connections_get(struct call *c);
void connections_delete(struct call *c);

/* explain_routes.c */
void explain_get(struct call *c);

/* origin_routes.c */
void origin_get(struct call *c);

/* metrics_routes.c */
void metrics_get(struct call *c);

/* stats_routes.c */
void stats_get(struct call *c);
void stats_delete(struct call *c);

/* persistence_routes.c */
void persistence_get(struct call *c);
void persistence_delete(struct call *c);

/* kernel_routes.c */
void placements_get(struct call *c);
void ruleset_get(struct call *c);
void verify_post(struct call *c);
void flush_post(struct call *c);

#endif
