/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things that outlive the daemon beside the store: JSON files in the state directory. They
 * are not synced to the disk: after a power cut a file may be an older one.
 */
#ifndef FNAT_ENGINE_REMEMBER_H
#define FNAT_ENGINE_REMEMBER_H

#include <jansson.h>

/* What the file says, the caller's; NULL when there is none, or it is damaged: then `lost` is said
 * in the log of `subsystem`. */
json_t *remember_read(const char *path, const char *subsystem, const char *lost);

/* Write the file anew, by another name first. What goes wrong is logged. */
void remember_write(const char *path, const char *subsystem, const json_t *value);

#endif
