/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses are to be on which interfaces: those of listeners and pools
 * that name one. Several may want the same; it goes with the last. Pure.
 */
#ifndef FNAT_KERNEL_ASSIGN_SET_H
#define FNAT_KERNEL_ASSIGN_SET_H

#include "model/model.h"

struct assign_entry;

struct assign_set {
	struct assign_entry *entries; /* hash table */
};

/* What becomes of an address that the machine has. */
enum assign_verdict {
	ASSIGN_LEAVE,  /* it is wanted, or not fnat's */
	ASSIGN_REMOVE, /* fnat added it, and nobody wants it any more */
};

void assign_set_fini(struct assign_set *s);
/* Does the change concern addresses at all? */
bool assign_concerns(const struct change *c);
void assign_change(struct assign_set *s, const struct change *c);

/* A look at the machine: begin, tell each address that is there, then ask for what is not. */
void assign_begin(struct assign_set *s);
enum assign_verdict assign_see(struct assign_set *s, const struct addr *a, const char *ifname,
			       bool is_ours);
typedef void assign_missing_fn(const struct addr *a, const char *ifname, void *arg);
void assign_missing(const struct assign_set *s, assign_missing_fn *fn, void *arg);

#endif
