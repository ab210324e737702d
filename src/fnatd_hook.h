/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `fnatd --on-change PROGRAM`: told of each change of a backend's state and of who serves. fnatd(8)
 * has its arguments.
 */
#ifndef FNAT_FNATD_HOOK_H
#define FNAT_FNATD_HOOK_H

#include <event2/event.h>

#include "engine/events.h"

struct hook;

struct hook *hook_new(struct event_base *base, struct events *events, const char *program);
/* NULL is fine. What runs is killed. */
void hook_free(struct hook *h);

#endif
