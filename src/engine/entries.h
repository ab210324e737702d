/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sticky services remember of their clients: listing it, deleting it, and forgetting
 * what must not be used any more. For the kernel writer's thread: everything here may block on
 * netlink.
 */
#ifndef FNAT_ENGINE_ENTRIES_H
#define FNAT_ENGINE_ENTRIES_H

#include "engine/engine.h"
#include "plan/plan.h"

/*
 * The service's entries that fit, at most max of them in *out, and how many there are. is_delete:
 * delete them, all of them. Negative: nothing is in *out.
 */
long entries_find(struct nft *nft, const struct plan *plan, const char *service,
		  const struct entries_filter *filter, bool is_delete, struct entries *out,
		  struct err *err);

/*
 * Services whose entries may name a backend that must not have their clients any more. Each is
 * looked through at once, and again after a grace period, because a packet that was on its
 * way may have made another entry meanwhile.
 */
struct forget;

struct forget *forget_new(void);
void forget_free(struct forget *f);
/* These changes are in the kernel, and the plan. */
void forget_note(struct forget *f, const struct changes *c, uint64_t now_ms);
/* Milliseconds until there is something to do: 0 now, -1 nothing. */
int forget_wait_ms(const struct forget *f, uint64_t now_ms);
/* Do some of what is due: 10 ms of it, or, is_brief, one piece of some milliseconds. A failure is
 * logged, and tried again. */
void forget_run(struct forget *f, struct nft *nft, const struct plan *plan, uint64_t now_ms,
		bool is_brief);

#endif
