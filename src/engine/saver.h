/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of counters, and the thread that writes it: a disk may take its time.
 */
#ifndef FNAT_ENGINE_SAVER_H
#define FNAT_ENGINE_SAVER_H

#include "stats/saved.h"

struct saver;

/* Starts the thread. path is copied. NULL when it cannot, which was logged. */
struct saver *saver_new(const char *path);
/* Writes what was given to it, and ends. */
void saver_free(struct saver *s);

/* Takes what is in *saved, and writes it; what cannot be written is logged once. */
void saver_write(struct saver *s, struct saved *saved);

/* 0; -ENOENT: there is none; or another negative errno. To be ended with saved_fini(). */
int saver_read(const char *path, struct saved *out, struct err *err);

#endif
