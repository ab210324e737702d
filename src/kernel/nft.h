/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table in the kernel: reads it and commits operations to it, over one
 * netlink socket, which owns the table where the kernel can do that
 * (NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST, linux/netfilter/nf_tables.h).
 * Not thread safe: one thread uses it. Formats: linux/netfilter/nf_tables.h;
 * user data of sets and elements as libnftnl's udata.h and nft write them.
 */
#ifndef FNAT_KERNEL_NFT_H
#define FNAT_KERNEL_NFT_H

#include "base/err.h"
#include "plan/image.h"

struct nft;

struct nft_options {
	const char *table; /* name of the inet table: "fnat" */
	bool plain;        /* do not own the table even where the kernel could */
};

/*
 * Open the socket in the network namespace of the calling thread and make or
 * take over the (possibly empty) table. ERR_CONFLICT when another process owns
 * it, or another fnatd uses a plain one; ERR_KERNEL when the kernel refuses.
 * Nothing but an empty table is changed.
 */
int nft_open(const struct nft_options *opt, struct nft **out, struct err *err);
/* Closes the socket. The table stays. */
void nft_close(struct nft *nft);

bool nft_is_owner(const struct nft *nft);

/*
 * Read the table. A chain equal to one of `want` (which may be NULL) by what
 * the kernel returns for its rules gets want's rules, any other chain has rules
 * of RULE_FOREIGN. Sets, maps, chains and elements that fnat did not make appear so that
 * image_diff() removes them. When a map or base chain of fnat's name is declared in another way,
 * which cannot be changed, the table is read as empty, and the next commit of a whole table first
 * deletes it in the same batch. *have is initialised by the caller, sorted on return.
 */
int nft_read(struct nft *nft, const struct image *want, struct image *have, struct err *err);

/*
 * For a reader who knows what is wanted only after reading: what nft_read() with `want` would have
 * made of the chains of *have, the result of the last nft_read(nft, NULL, ...).
 */
void nft_match_chains(struct nft *nft, const struct image *want, struct image *have);

struct nft_commit_stats {
	size_t bytes; /* of the batch */
	size_t messages;
	uint64_t encode_ns, kernel_ns;
};

/*
 * One atomic batch: all or nothing. ERR_KERNEL with the kernel's own message
 * (extended ack) and the operation it was about. stats may be NULL.
 */
int nft_commit(struct nft *nft, const struct op_list *ops, struct nft_commit_stats *stats,
	       struct err *err);

/*
 * Would the kernel take these operations, in a table of their own? Nothing is left of them and
 * nobody is told; modules of nf_tables that they need are loaded. ERR_SYSTEM without CAP_NET_ADMIN,
 * ERR_KERNEL when it would not. Over a socket made for it.
 */
int nft_try(const struct op_list *ops, struct err *err);

/*
 * The ruleset's generation number (NFT_MSG_GETGEN): each commit by anybody in
 * the namespace adds one. nft_changed_elsewhere() compares it with what this
 * socket's own commits explain: 1 somebody else committed since the last
 * nft_read(), 0 nobody, negative errno.
 */
int nft_changed_elsewhere(struct nft *nft);

/*
 * Remove the table over the socket that owns it. After this, or when somebody else has removed a
 * plain table, nft_read() finds nothing (and no error), and nft_commit() makes the table again in
 * the same batch.
 */
int nft_delete(struct nft *nft, struct err *err);

/*
 * Remove a table that nobody owns (any more), over a socket made for it. ERR_CONFLICT when another
 * socket owns it, this process's own included; 0 when there is none.
 */
int nft_flush(const char *table, struct err *err);

#endif
