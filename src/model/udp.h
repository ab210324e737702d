/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long UDP flows of a service are remembered, from and to JSON. Inside of the model: only
 * src/model/ includes this.
 */
#ifndef FNAT_MODEL_UDP_H
#define FNAT_MODEL_UDP_H

#include "model/reader.h"

/* Rows of a table of fields; out is a struct service. */
void read_udp_timeout(struct reader *r, const struct at *at, const json_t *value, void *out);
void read_one_packet(struct reader *r, const struct at *at, const json_t *value, void *out);

void check_udp(struct reader *r, const struct at *at, const struct service *s);
void put_udp(json_t *object, const struct service *s);

#endif
