/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nft.c (writes) and nft_read.c (reads) share. Nobody else includes it.
 */
#ifndef FNAT_KERNEL_NFT_PRIV_H
#define FNAT_KERNEL_NFT_PRIV_H

#include "kernel/nft.h"
#include "kernel/nft_encode.h"
#include "kernel/nft_entries.h"
#include "kernel/nl.h"

/* A chain as it was read, to be compared with what is wanted. */
struct found_chain {
	char *name;        /* owned */
	char *fingerprint; /* of its rules; owned */
	size_t len;        /* of the fingerprint */
	uint64_t handle;
	uint8_t hook;          /* enum chain_hook */
	bool has_foreign_hook; /* hangs where no chain of fnat does */
};

struct found {
	struct found_chain *items; /* sorted by name */
	size_t n, cap;
};
void found_fini(struct found *f);

struct nft {
	struct nl nl;
	char *table;
	uint32_t table_flags; /* with which the table is made */
	int claim_fd;         /* keeps a second fnatd away, see kernel/claim.h; -1: nothing does */
	/*
	 * The generation of the ruleset that is explained: by the last read and by own commits
	 * since. is_changed: somebody else committed after the last read.
	 */
	uint32_t generation;
	bool is_changed;
	/*
	 * A map or base chain of fnat's name is declared in another way (by hand, by another
	 * version). That cannot be changed, so the table was read as empty, and the commit that
	 * makes all of it again first deletes it, in the same batch.
	 */
	bool must_replace;
	bool lacks_destroy; /* the kernel does not know NFT_MSG_DESTROYSETELEM */
	struct found found;
	struct batch batch;
	/* A walk over the entries of a map; its socket is opened for the first one. */
	struct {
		struct nl nl;
		struct nft_dump at;
	} walk;
};

/* Send the batch. 0 when it is certain that the kernel has it all; else *refusal is filled. */
int nft_submit(struct nft *nft, struct nl_error *refusal);

/* The kernel's present generation. 0 or a negative errno. */
int nft_get_generation(struct nft *nft, uint32_t *out);

/* The flags of the table. -ENOENT when there is none. */
int nft_get_table(struct nl *nl, const char *table, uint32_t *flags);

#endif
