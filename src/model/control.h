/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields of services and backends that say which backends are used (struct control, and state,
 * priority, sorry and limits of a backend), from and to JSON. Inside of the model: only src/model/
 * includes this.
 */
#ifndef FNAT_MODEL_CONTROL_H
#define FNAT_MODEL_CONTROL_H

#include "model/reader.h"

/* Rows of the tables of fields; out is a struct backend ... */
void read_backend_state(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_backend_priority(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_backend_max_connections(struct reader *r, const struct at *at, const json_t *value,
				  void *out);
void read_backend_min_connections(struct reader *r, const struct at *at, const json_t *value,
				  void *out);
void read_backend_sorry(struct reader *r, const struct at *at, const json_t *value, void *out);
/* ... or a struct service. */
void read_slow_start(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_quorum(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_quorum_hysteresis(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_all_down(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_on_down(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_max_connections(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_max_connections_per_client(struct reader *r, const struct at *at, const json_t *value,
				     void *out);
void read_count_begun(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_limit(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_on_remove(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_drain_timeout(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_on_drain_timeout(struct reader *r, const struct at *at, const json_t *value, void *out);

/* What no field can check alone. */
void check_control(struct reader *r, const struct at *at, const struct service *s);

/* Add the members that are not as they are when nothing is said. */
void put_backend_control(json_t *object, const struct backend *b);
void put_control(json_t *object, const struct service *s);

bool control_equal(const struct control *a, const struct control *b);
/* Is there anything but weights that decides which backends are used, and how much? */
bool control_matters(const struct service *s);

#endif
