/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a connection in one word, as conntrack(8) says it, in lower case: of TCP and SCTP
 * the protocol's own; of others "unreplied" or "replied", by whether the backend has answered.
 */
#ifndef FNAT_STATS_FLOW_STATE_H
#define FNAT_STATS_FLOW_STATE_H

#include "stats/flow.h"

/* Static. */
const char *flow_state_name(const struct flow *f);

/* The words, i from 0, some twice (TCP and SCTP have "established"); NULL after the last. */
const char *flow_state_word(size_t i);

#endif
