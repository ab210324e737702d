/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Apply, and go back unless I confirm in time": the timer and what it does.
 * What it has to do is stored with the change, so that it is done after a crash, too; it is
 * taken back with the change when the kernel refuses that.
 */
#ifndef FNAT_ENGINE_CONFIRM_H
#define FNAT_ENGINE_CONFIRM_H

#include "engine/engine.h"

struct confirm;

struct confirm *confirm_new(struct engine *e, struct event_base *base);
void confirm_free(struct confirm *c);

/* 0, or why no change may begin now that would have to be confirmed: ERR_CONFLICT. */
int confirm_check(const struct confirm *c, struct err *err);
/* The kernel has the change: roll back when it is time (CLOCK_REALTIME). at_ms 0: forget. */
void confirm_set(struct confirm *c, uint64_t to, int64_t at_ms);
/* When, 0 when nothing waits to be confirmed, and to which generation. */
int64_t confirm_get(const struct confirm *c, uint64_t *to);

#endif
