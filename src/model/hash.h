/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a scheduler that hashes takes of a client, and into how large a table, from and to JSON.
 * Inside of the model: only src/model/ includes this.
 */
#ifndef FNAT_MODEL_HASH_H
#define FNAT_MODEL_HASH_H

#include "model/reader.h"

/* Of a service that says nothing. */
extern const struct hash hash_default;

/* A row of a table of fields; out is a struct service. */
void read_hash(struct reader *r, const struct at *at, const json_t *value, void *out);

void check_hash(struct reader *r, const struct at *at, const struct service *s);
void put_hash(json_t *object, const struct service *s);

#endif
