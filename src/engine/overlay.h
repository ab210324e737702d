/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File mode: states of backends that were set over the API and so are not in the file. One lasts
 * until the file says something else of that backend than it did then, or has it no more; it is
 * remembered over restarts.
 *
 * overlay_set() and overlay_follow() are called on the main loop while no request is being prepared
 * on another thread; then overlay_service() may be called there.
 */
#ifndef FNAT_ENGINE_OVERLAY_H
#define FNAT_ENGINE_OVERLAY_H

#include "model/json.h"

struct overlay;

struct overlay *overlay_new(const char *path);
void overlay_free(struct overlay *o);

/* What is known of one backend; equal: nothing. */
struct overlay_state {
	uint8_t state, of_file; /* enum backend_state */
};
/* now: the state that the model has. */
struct overlay_state overlay_get(const struct overlay *o, const char *service, const char *backend,
				 uint8_t now);
void overlay_set(struct overlay *o, const char *service, const char *backend,
		 const struct overlay_state *to);

/* The service of the file as it is to be; takes a reference, and gives one. */
const struct service *overlay_service(const struct overlay *o, const struct service *s);
/* The same for all of a document, or of the changes of the start. */
void overlay_config(const struct overlay *o, struct config *c);
void overlay_changes(const struct overlay *o, struct changes *c);

/* A change is accepted: forget what is not so any more, and write down what is. */
void overlay_follow(struct overlay *o, const struct model *m);

#endif
