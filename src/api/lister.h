/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks over the connections of services, piece by piece, on a thread that may wait for the kernel:
 * as text, only counted, or deleted. Whoever has it works with it; no lock.
 */
#ifndef FNAT_API_LISTER_H
#define FNAT_API_LISTER_H

#include "base/err.h"
#include "model/listener_map.h"
#include "stats/flow_filter.h"

enum lister_job { LISTER_LIST, LISTER_COUNT, LISTER_DELETE };

struct lister;

/*
 * Takes the map, and copies the filter's names. max: not more connections than that. Opens nothing
 * yet.
 */
struct lister *lister_new(enum lister_job job, const struct flow_filter *f,
			  struct listener_map *map, uint64_t max);
void lister_free(struct lister *l);

/* A piece: some 32 KiB of text, or some thousand connections that are looked at. May block. */
void lister_work(struct lister *l);

/* What came of it. */
bool lister_is_over(const struct lister *l);
/* LISTER_LIST: lines of JSON since the last piece; borrowed until the next. */
const char *lister_text(const struct lister *l, size_t *len);
/* Connections that were listed, counted or deleted so far. */
uint64_t lister_count(const struct lister *l);
/* Why it is over, or NULL: it went well so far. Borrowed. */
const struct err *lister_err(const struct lister *l);

#endif
