/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change of the model, asked for over the API. What all have in common is here
 * once: reading the body, preconditions, dry run, the answer, the log. A kind of
 * edit adds what it does to the model.
 */
#ifndef FNAT_API_EDIT_H
#define FNAT_API_EDIT_H

#include <jansson.h>
#include <stdbool.h>

#include "api/routes.h"
#include "engine/overlay.h"
#include "model/json.h"
#include "model/model.h"

struct call;
struct edit_list;

struct edit {
	const struct edit_kind *kind;
	const char *names[ROUTE_NAMES_MAX]; /* of the path; borrowed */
	json_t *body;                       /* owned; NULL when the kind takes none */
	/* What read() or prepare() made of it; owned. */
	const struct service *service; /* as it becomes */
	const struct pool *pool;
	struct config config;
	struct edit_list *list; /* POST /v1/changes */
	/* PUT .../state. In file mode the overlay, and what it had; else NULL. */
	struct state_wish wish;
	struct overlay *overlay;
	struct overlay_state before;
	bool is_new; /* the object was not there before */
};

enum edit_body { EDIT_NO_BODY, EDIT_JSON, EDIT_MERGE_PATCH };

struct edit_kind {
	enum edit_body body;
	bool is_large; /* may change everything, however short the body */
	bool is_state; /* changes states of backends only: fine in file mode */
	/*
	 * Body to values, as far as that takes no model: the first to see what is wrong. May run
	 * on another thread. May be NULL.
	 */
	int (*read)(struct edit *e, struct err *err);
	/* Instead of both json_parse() and read(). */
	int (*read_text)(struct edit *e, const char *text, size_t len, struct err *err);
	/*
	 * What changes, appended to *out. The objects as they are now: edit_service(),
	 * edit_pool(). May be called again, with a later model.
	 */
	int (*prepare)(struct edit *e, const struct model *m, struct changes *out, struct err *err);
	/* What a PUT, PATCH or POST is answered with, a new value; NULL: 204. */
	json_t *(*result)(const struct edit *e, uint64_t generation);
	/* It was accepted, or refused, and is about to be answered; not after a dry run. May be
	 * NULL. */
	void (*ended)(struct edit *e, const struct call *c, bool is_accepted);
	void (*fini)(struct edit *e); /* frees list; may be NULL */
};

void edit_fini(struct edit *e);

/* Answers the call, now or later. */
void edit_start(struct call *c);

/* The object as it is after the changes collected so far, or NULL. Borrowed. */
const struct service *edit_service(const struct model *m, const struct changes *so_far,
				   const char *name);
const struct pool *edit_pool(const struct model *m, const struct changes *so_far, const char *name);

/* The problem "no such ..." (ERR_NOT_FOUND); returns -ENOENT. */
int edit_no_service(const char *service, struct err *err);
int edit_no_backend(const char *service, const char *backend, struct err *err);
int edit_no_pool(const char *pool, struct err *err);

/* JSON pointer "/services/web" (RFC 6901); the caller frees it. */
char *edit_pointer(const char *collection, const char *name);

/* What the body of a merge patch makes of the backend that the path names. */
int edit_patch_backend(struct edit *e, const struct model *m, const json_t *patch,
		       struct changes *out, struct err *err);

/* Make e->service, or e->pool, what this value says (NULL on error), and want it. */
int edit_want_service(struct edit *e, const struct model *m, const json_t *value,
		      struct changes *out, struct err *err);
int edit_want_pool(struct edit *e, const struct model *m, const json_t *value, struct changes *out,
		   struct err *err);

#endif
