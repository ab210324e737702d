/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Query parameters as values.
 */
#ifndef FNAT_API_QUERY_H
#define FNAT_API_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "api/call.h"
#include "stats/flow.h"

/*
 * A whole number from min to max, or `absent` when it is not there. False when
 * it is something else: the call was answered with 400 then.
 */
bool query_number(struct call *c, const char *name, uint64_t absent, uint64_t min, uint64_t max,
		  uint64_t *out);

/* 1 or true (or nothing after the name) is true; 0, false, or not there, is false. Else answered.
 */
bool query_flag(struct call *c, const char *name, bool *out);

/* The ones below must be there: missing or something else, the call was answered. */
/* "protocol": tcp, udp or sctp. */
bool query_protocol(struct call *c, uint8_t *out);
/* ADDRESS:PORT or [ADDRESS]:PORT. */
bool query_end(struct call *c, const char *name, struct flow_end *out);

#endif
