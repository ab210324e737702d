/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to conntrack: all FULLNATed connections that fit, piece by piece, and one of which one
 * end is known. Each object belongs to one thread, and to the network namespace it was opened in.
 */
#ifndef FNAT_KERNEL_CT_QUERY_H
#define FNAT_KERNEL_CT_QUERY_H

#include "kernel/ct.h"

/*
 * What the kernel may leave out by itself; what is zero is not asked for. Not everything that is
 * asked for is left out: the receiver looks again.
 */
struct ct_filter {
	uint8_t family, protocol;
	struct flow_end client, to;   /* original source and destination, whole addresses */
	uint32_t status, status_mask; /* beside FLOW_FULLNAT */
};

struct ct_dump;

int ct_dump_open(const struct ct_filter *f, struct ct_dump **out, struct err *err);
void ct_dump_close(struct ct_dump *d);

/*
 * The next piece (up to 32 KiB of the kernel's, some hundred connections), each to fn. 1: there is
 * more; 0: that was all; negative, with err (ERR_KERNEL).
 */
int ct_dump_next(struct ct_dump *d, ct_flow_fn *fn, void *arg, struct err *err);

/*
 * Delete what the dump said of: many together, now and then, and all that wait with
 * ct_dump_delete_now(), which returns how many it were since the last time: not those that went by
 * themselves. *code: 0, or what the kernel refused one with.
 */
void ct_dump_delete(struct ct_dump *d, const struct flow *f);
/* Those that are to be deleted, or were, since the last time. */
size_t ct_dump_n_deletes(const struct ct_dump *d);
long ct_dump_delete_now(struct ct_dump *d, int *code);

/*
 * One connection by hash, some 10 us whatever their number: the kernel answers in the call. 1 and
 * *out; 0: there is none; or a negative errno.
 */
struct ct_lookup;

int ct_lookup_open(struct ct_lookup **out, struct err *err);
void ct_lookup_close(struct ct_lookup *l);
/* As the backend sees it: whose packets come from local. */
int ct_lookup_local(struct ct_lookup *l, uint8_t protocol, const struct flow_end *backend,
		    const struct flow_end *local, struct flow *out);
/* As the client sees it. */
int ct_lookup_client(struct ct_lookup *l, uint8_t protocol, const struct flow_end *client,
		     const struct flow_end *to, struct flow *out);

#endif
