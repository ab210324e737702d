/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of DNS (RFC 1035): a question, and whether an answer is what is expected. Pure. */
#ifndef FNAT_HEALTH_DNS_MESSAGE_H
#define FNAT_HEALTH_DNS_MESSAGE_H

#include <stddef.h>

#include "health/probe.h"
#include "model/check_dns.h"

/* Header, question. */
#define DNS_QUERY_BYTES (12 + CHECK_DNS_NAME_BYTES + 4)

/* Returns the length. */
size_t dns_query(const struct check_dns *d, uint16_t id, uint8_t out[DNS_QUERY_BYTES]);

/*
 * False: not an answer to the question with this id. Else *result, and why in words. answer is
 * what came from the network, whatever it is.
 */
bool dns_judge(const struct check_dns *d, uint16_t id, const uint8_t *answer, size_t len,
	       enum probe_result *result, char reason[PROBE_REASON_BYTES]);

#endif
