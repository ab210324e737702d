/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations as one netlink batch (linux/netfilter/nfnetlink.h): everything
 * between batch-begin and batch-end takes effect together or not at all.
 */
#ifndef FNAT_KERNEL_NFT_ENCODE_H
#define FNAT_KERNEL_NFT_ENCODE_H

#include <linux/netlink.h>

#include "plan/image.h"

/* Where a chain hangs in the kernel's path (enum nf_inet_hooks, priority as nft counts). */
struct hook_spec {
	const char *type;
	uint32_t number;
	int32_t priority;
};

/* NULL for HOOK_NONE. Static. */
const struct hook_spec *nft_hook_spec(uint8_t hook);

/*
 * A name of a chain or map that fnat would never give and that is too long for NFT_NAME_BYTES is
 * read as "handle 17"; nft's own syntax for such a thing, and no valid identifier.
 */
#define NFT_HANDLE_PREFIX "handle "

/* A batch under construction. Buffers are kept from one use to the next. */
struct batch {
	char *bytes;
	size_t len, cap;
	size_t zeroed;       /* bytes of the buffer that have been written at all */
	uint32_t seq;        /* of batch-begin; the others follow one by one */
	size_t *first_op;    /* of each message after batch-begin: index of its (first) operation */
	size_t n, cap_first; /* messages, without batch-begin and batch-end */
	size_t last;         /* offset of the last message */
};

/* For messages that no operation asked for (the table itself). */
#define BATCH_NO_OP SIZE_MAX

void batch_fini(struct batch *b);

/* Start over; seq is the number before the batch's first. Afterwards b->seq + b->n + 1 is the last
 * one used. */
void batch_begin(struct batch *b, uint32_t seq);
void batch_add_table(struct batch *b, const char *table, uint32_t flags);
void batch_del_table(struct batch *b, const char *table);
void batch_add_ops(struct batch *b, const char *table, const struct op_list *ops);
/*
 * Delete elements of one map by their keys. is_lenient: what is not there is no error; for
 * kernels from 6.3 on.
 */
void batch_del_elems(struct batch *b, const char *table, const struct elem *elems, size_t n,
		     bool is_lenient);
/* Asks for an acknowledgement of the last message, whose number is returned. */
uint32_t batch_end(struct batch *b);
/* The same without batch-end: the kernel looks at all of it, answers, and takes it back
 * (nfnetlink_rcv_batch(), 5.9 to 6.18). */
uint32_t batch_end_dry(struct batch *b);

/*
 * Which operation a message's error is about: BATCH_NO_OP when it is none in particular. The
 * attribute at `offset` of the message (0: unknown) tells which of several elements.
 */
size_t batch_find_op(const struct batch *b, uint32_t seq, uint32_t offset);

#endif
