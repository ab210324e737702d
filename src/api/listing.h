/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many objects as one JSON document, streamed: the objects are referenced at the
 * start, so that it shows one generation, and written some at a time, so that nobody
 * else has to wait for it.
 */
#ifndef FNAT_API_LISTING_H
#define FNAT_API_LISTING_H

#include "api/call.h"

enum listing { LISTING_CONFIG, LISTING_SERVICES, LISTING_POOLS, LISTING_HEALTH };

/* Answers the call. */
void listing_answer(struct call *c, enum listing what);

#endif
