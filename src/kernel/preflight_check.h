/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the preflight: what a check gets, and how it reports.
 */
#ifndef FNAT_KERNEL_PREFLIGHT_CHECK_H
#define FNAT_KERNEL_PREFLIGHT_CHECK_H

#include "kernel/preflight.h"
#include "kernel/route.h"

/* How many addresses of each kind are looked at, and how many a message names. */
#define PREFLIGHT_ADDRESSES_MAX 256
#define PREFLIGHT_NAMED_MAX     6

struct preflight {
	const struct preflight_input *in;
	struct findings *out;
	struct route *route; /* NULL: no socket; checks of addresses say nothing then */
	bool needs4, needs6; /* families of the listeners */
};

/* A new finding; the check gives it what, why and remedy, all of them. Valid until the next. */
struct finding *preflight_find(struct preflight *pf, const char *id, enum severity severity);

/* The range of a pool that an address is part of; NULL: of none. Borrowed. */
const struct addr_range *preflight_range_of(const struct preflight *pf, const struct addr *a);

/* "a, b, c and 4 more", growing. list_take() hands out the text (owned by the caller). */
struct list {
	char *text;
	size_t n;
};
void list_add(struct list *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *list_take(struct list *l);

/* The checks, preflight_system.c, _address.c, _link.c, _limits.c, _config.c and
 * _features.c. */
void check_kernel(struct preflight *pf);
void check_settings(struct preflight *pf);
void check_conntrack_table(struct preflight *pf);
void check_rp_filter(struct preflight *pf);
void check_firewalls(struct preflight *pf);
void check_foreign_nat(struct preflight *pf);
void check_virtual_addresses(struct preflight *pf);
void check_pools(struct preflight *pf);
void check_backends(struct preflight *pf);
void check_sockets(struct preflight *pf);
void check_legacy_tables(struct preflight *pf);
void check_answers(struct preflight *pf);
void check_mtu(struct preflight *pf);
void check_limits(struct preflight *pf);
void check_features(struct preflight *pf);
void check_configuration(struct preflight *pf);

#endif
