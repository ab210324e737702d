/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many connections the gates (plan/program.h) have turned away, and let through for tokens.
 */
#ifndef FNAT_KERNEL_NFT_GATES_H
#define FNAT_KERNEL_NFT_GATES_H

#include "kernel/nft.h"

struct nft_gate_counts {
	uint64_t n_refused, n_tokens;
};
/* Since the chain was made. A negative errno: -ENOENT when there is no such chain. */
int nft_gate_counts(struct nft *nft, const char *chain, struct nft_gate_counts *out);

#endif
