/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many connections the gates (plan/program.h) have turned away.
 */
#ifndef FNAT_KERNEL_NFT_GATES_H
#define FNAT_KERNEL_NFT_GATES_H

#include "kernel/nft.h"

/* Since the chain was made. A negative errno: -ENOENT when there is no such chain. */
int nft_gate_refused(struct nft *nft, const char *chain, uint64_t *out);

#endif
