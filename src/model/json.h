/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON <-> model. The document is described in fnat.json(5). Every reader
 * validates everything it can see and adds all problems to err, each with the
 * JSON pointer, the value found and what was expected.
 */
#ifndef FNAT_MODEL_JSON_H
#define FNAT_MODEL_JSON_H

#include <jansson.h>

#include "model/model.h"

#define JSON_FILE_MAX_BYTES (256u << 20)
#define JSON_HTTP_MAX_BYTES (16u << 20)

/*
 * Bytes to a JSON value: RFC 8259, UTF-8, no duplicate keys, no NUL. A syntax
 * error becomes ERR_SYNTAX with line and column. NULL on error; the caller
 * owns the value.
 */
json_t *json_parse(const char *text, size_t len, struct err *err);

/* A whole document: services and pools sorted by name, one reference each. */
struct config {
	const struct service **services;
	size_t n_services;
	const struct pool **pools;
	size_t n_pools;
};
void config_fini(struct config *c);

/*
 * Value to objects. `pointer` is the JSON pointer of value ("" for a whole
 * document, "/services/web" for one service). NULL / negative on error. What
 * only the other objects can tell is left to model_check().
 */
int config_from_json(const json_t *value, struct config *out, struct err *err);
const struct service *service_from_json(const json_t *value, const char *name, const char *pointer,
					struct err *err);
const struct pool *pool_from_json(const json_t *value, const char *name, const char *pointer,
				  struct err *err);

/*
 * Text to a config: what json_parse() and config_from_json() do, without ever holding the values of
 * the whole document (a quarter of the time, a tenth of the memory for a big one).
 */
int config_parse(const char *text, size_t len, struct config *out, struct err *err);

/* What is asked of a backend's state: the body of PUT .../state. */
struct state_wish {
	uint8_t state; /* enum backend_state */
	bool has_timeout, has_end;
	uint32_t drain_timeout_s;
	uint8_t on_drain_timeout;
};
int state_wish_from_json(const json_t *value, struct state_wish *out, struct err *err);
/* "keep", "cut". Static. */
const char *on_drain_timeout_name(enum on_drain_timeout what);

/* 0, or -EINVAL with a problem: a name that an object may not have. */
int name_check(const char *name, const char *what, const char *pointer, struct err *err);

/* Objects to values, defaults written out. The caller owns them. */
json_t *service_to_json(const struct service *s);
json_t *backend_to_json(const struct backend *b);
json_t *pool_to_json(const struct pool *p);

/*
 * The same as compact text, for services that service_new() made. Any thread; borrowed from s,
 * which keeps it: a service never changes, and whoever reads the whole configuration does so again.
 */
const char *service_text(const struct service *s);

/*
 * RFC 7396: target patched by patch, a new value; target is not changed.
 * target may be NULL (absent). Depth is bounded by the parser. The new value may share parts with
 * both: do not change it in place below its first level.
 */
json_t *json_merge_patch(const json_t *target, const json_t *patch);

/* All that changes when the model becomes exactly this document. Appends to *out. */
void config_changes(const struct config *c, const struct model *m, struct changes *out);

#endif
