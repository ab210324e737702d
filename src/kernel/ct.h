/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conntrack entries (ctnetlink, linux/netfilter/nfnetlink_conntrack.h).
 */
#ifndef FNAT_KERNEL_CT_H
#define FNAT_KERNEL_CT_H

#include "base/err.h"
#include "model/model.h"
#include "stats/flow.h"

struct ct;

int ct_open(struct ct **out, struct err *err);
void ct_close(struct ct *ct);

/*
 * Delete the entries whose original destination is one of the listeners and
 * which carry no destination NAT: they would go round the program. Sorted by listener_cmp(). One
 * dump, filtered in the kernel by status where it can. Returns the number deleted or a negative
 * errno.
 */
long ct_sweep_untranslated(struct ct *ct, const struct listener *listeners, size_t n,
			   struct err *err);

/* Connections of a service to one of its backends. */
struct ct_target {
	struct addr address;
	uint16_t port;       /* 0: the one of the listener */
	bool is_all;         /* else only those of protocols without connections (UDP) ... */
	bool has_unanswered; /* ... and of others those that were never answered */
	const struct service *service; /* it listens on their original destination; borrowed */
};

/*
 * Delete the entries of these connections; sorts the targets. One dump, filtered in the kernel by
 * status, and by the backend's address when there is only one (5.8), where it can. Returns the
 * number deleted or a negative errno.
 */
long ct_delete(struct ct *ct, struct ct_target *targets, size_t n, struct err *err);

/*
 * fn for every connection with both translations, by anybody, that is not about to end. The kernel
 * filters where it can (5.15), and walks its whole table: about 50 ns a bucket, 0.7 us an entry
 * that is told. 0; -EINTR: the table was rebuilt meanwhile, some may have been left out or told
 * twice; or the kernel's errno.
 */
typedef void ct_flow_fn(const struct flow *flow, void *arg);
int ct_list(struct ct *ct, ct_flow_fn *fn, void *arg);

#endif
