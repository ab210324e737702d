/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration file: read, checked, read again at SIGHUP. */
#ifndef FNAT_FNATD_CONFIG_H
#define FNAT_FNATD_CONFIG_H

#include "engine/engine.h"
#include "engine/overlay.h"
#include "model/json.h"

/* The caller frees *out with config_fini(). No more than the result is held on return. */
int fnatd_config_read(const char *path, struct config *out, struct err *err);

/* Read and check against an empty model: what engine_start() takes. */
int fnatd_config_initial(const char *path, struct changes *out, struct err *err);

/*
 * Reads the file in a thread of its own (a large one takes seconds) and asks
 * the engine for what differs. Problems are logged, and the running state stays.
 */
struct reload;
struct reload *reload_new(struct event_base *base, struct engine *e, const struct overlay *overlay,
			  const char *path);
void reload_free(struct reload *r); /* after engine_drain() */
void reload_start(struct reload *r);

/* `log_error` of every problem, as "FILE: /services/web/pool: message". */
void fnatd_config_log(const char *path, const struct err *err);

#endif
