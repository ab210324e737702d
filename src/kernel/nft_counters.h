/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of the table: how many connections met a limit (program_counts()).
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

#endif
