/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stickiness of a service, as values: what it remembers of clients, and clients that the operator
 * has tied to a backend. fnat.json(5) has the meaning of each field.
 */
#ifndef FNAT_MODEL_PERSISTENCE_H
#define FNAT_MODEL_PERSISTENCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define PERSISTENCE_TIMEOUT_MAX_S 2678400 /* 31 days, as in IPVS */
#define PERSISTENCE_ENTRIES_MIN   16
#define PERSISTENCE_ENTRIES_MAX   1048576
/* What a map holds that says nothing (linux: nft_dynset_init()). */
#define PERSISTENCE_ENTRIES_DEFAULT 65535
#define PERSISTENCE_PREFIX4_MAX     32
#define PERSISTENCE_PREFIX6_MAX     128

struct persistence {
	uint32_t timeout_s;   /* since the client's last connection began; 0: none of all this */
	uint32_t max_entries; /* of each family */
	uint8_t prefix4, prefix6; /* clients that share so many bits of their address are one */
	bool keep_draining;       /* clients stay with a backend that has weight 0 */
};

#define PINS_MAX 1024 /* a service */
/* Different lengths of prefixes a service, per family: each costs every new connection a lookup. */
#define PIN_LENGTHS_MAX 4

/* Clients of this prefix go to this backend. */
struct pin {
	struct addr client; /* without host bits */
	uint8_t bits;       /* of the prefix; at least 1 */
	char *backend;
};

struct service;
struct reader;
struct at;

/* Members "persistence" and "pins" of a service: struct field.read; out is a struct service. pins
 * are on the heap, names in them borrowed, until service_new(). */
void persistence_read(struct reader *r, const struct at *at, const json_t *value, void *out);
void pins_read(struct reader *r, const struct at *at, const json_t *value, void *out);
/* What has to do with other members. */
void persistence_check(struct reader *r, const struct at *at, const struct service *s);

json_t *persistence_to_json(const struct persistence *p);
json_t *pins_to_json(const struct service *s);

bool persistence_equal(const struct service *a, const struct service *b);

#endif
