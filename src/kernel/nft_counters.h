/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of the table: how many connections met a limit (program_counts()). And the sets that
 * count what began: which they are; their elements are read as entries (nft_entries.h).
 */
#ifndef FNAT_KERNEL_NFT_COUNTERS_H
#define FNAT_KERNEL_NFT_COUNTERS_H

#include <stdint.h>

#include "kernel/nl.h"

struct nft_counter {
	uint16_t own;     /* number of the service */
	uint64_t handle;  /* another one of the same name has another handle, in the same table */
	uint64_t packets; /* first ones of connections */
};

struct nft_counters {
	struct nft_counter *items;
	size_t n, cap;
};
void nft_counters_fini(struct nft_counters *c);

/*
 * All of the table, in one dump: while it changes all the time perhaps not quite all, or one twice.
 * 0 or a negative errno: then *out has nothing.
 */
int nft_counters_read(struct nl *nl, const char *table, struct nft_counters *out);

/* Another set of the same name has another handle, in the same table: its counters began at zero.
 */
struct nft_begun_set {
	uint16_t own;
	uint8_t family;
	uint64_t handle;
};

/* Those that count what began (MAP_BEGUN): all of the table, or on error none. Sorted. */
struct nft_begun_sets {
	struct nft_begun_set *items;
	size_t n, cap;
};
void nft_begun_sets_fini(struct nft_begun_sets *s);
int nft_begun_sets_read(struct nl *nl, const char *table, struct nft_begun_sets *out);
/* 0: there is none. */
uint64_t nft_begun_handle(const struct nft_begun_sets *s, uint16_t own, uint8_t family);

#endif
