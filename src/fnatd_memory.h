/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What health knew when fnatd ended, so that a backend that was down is not used again because
 * fnatd starts. A file in the state directory, {"web": {"b1": "down"}}: backends that are not in
 * the state in which their check begins.
 */
#ifndef FNAT_FNATD_MEMORY_H
#define FNAT_FNATD_MEMORY_H

#include "engine/engine.h"
#include "health/health.h"

/* Tell both what the file says; before engine_start(). What it says is returned, for
 * memory_forget(), or NULL. */
json_t *memory_recall(const char *path, struct engine *e, struct health *h);
/* After engine_start(): what is no longer checked is not down any more. Frees it. */
void memory_forget(json_t *recalled, struct engine *e);

/* Write the file anew, by another name first. What goes wrong is logged. */
void memory_save(const char *path, const struct health *h);

#endif
