/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port budget: how many connections each local address has towards one port of a backend, of as
 * many as it can have. Pure; part of the statistics, which feed it.
 *
 * Kept only for backends with so many connections that it may matter: a local address cannot have
 * more towards a backend than there are in all. So it takes about 100 bytes for each (local
 * address, backend) of those, and nothing for the others.
 */
#ifndef FNAT_STATS_PORTS_H
#define FNAT_STATS_PORTS_H

#include <stddef.h>

#include "base/addr.h"
#include "stats/flow.h"

enum ports_level {
	PORTS_OK,
	PORTS_BUSY, /* 50 % */
	PORTS_WARN, /* 80 % */
	PORTS_FULL, /* 95 %: the kernel's search begins to fail and to cost, see DETOUR_PARTS */
	N_PORTS_LEVELS
};

/* Numbers are kept of backends from this part of an address's ports on, until half of that. */
#define PORTS_WATCH_PART 64

/* A pool as far as it matters here. */
struct port_pool {
	const char *name;
	uint32_t n_ports; /* of each address */
};

struct ports_pair {
	const struct port_pool *pool;
	struct addr local, backend;
	uint16_t port; /* of the backend */
	uint8_t protocol;
	uint32_t used;
	enum ports_level level;
};

/* A level changed; it may go on to another at the next call only. Not from ports_fini(). */
typedef void ports_level_fn(const struct ports_pair *p, enum ports_level was, void *arg);
typedef void ports_pair_fn(const struct ports_pair *p, void *arg);

struct ports {
	struct pair *pairs;
	ports_level_fn *on_level;
	void *arg;
};

void ports_fini(struct ports *p);
void ports_on_level(struct ports *p, ports_level_fn *fn, void *arg);

/* A connection begins, ends, or is in listing number `listing`. */
void ports_flow(struct ports *p, const struct port_pool *pool, const struct flow *f,
		uint64_t listing);
/* The listing is over. */
void ports_settle(struct ports *p, uint64_t listing);
/* The pool goes. */
void ports_forget(struct ports *p, const struct port_pool *pool);

/* Each of the pool (NULL: of all), in no order. */
void ports_each(const struct ports *p, const char *pool, ports_pair_fn *fn, void *arg);

/* "ok", "busy", "warn", "full". Static. */
const char *ports_level_name(enum ports_level level);

#endif
