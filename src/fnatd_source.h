/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the first configuration comes from: the store; --config, which seeds a
 * store that is empty; or --config-readonly, instead of a store.
 */
#ifndef FNAT_FNATD_SOURCE_H
#define FNAT_FNATD_SOURCE_H

#include "fnatd_options.h"
#include "store/store.h"

struct source {
	struct changes initial; /* from nothing to the configuration */
	uint64_t generation;    /* that it is */
	struct store *store;    /* NULL: file mode */
	bool is_pending;        /* the kernel may never have had it, and may refuse it */
	bool is_unconfigured;   /* there was nothing at all */
	uint64_t rollback_to;   /* see struct store_state */
	int64_t rollback_at_ms;
};

/*
 * drop_pending: generations that the kernel may never have had are taken back
 * first. Problems of a file are logged with its name; err may then be empty.
 */
int source_open(const struct fnatd_options *o, bool drop_pending, struct source *out,
		struct err *err);
/* Closes the store unless it was taken (store set to NULL). */
void source_close(struct source *s);

#endif
