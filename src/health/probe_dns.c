/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns: a question over UDP. An answer with another id is an old one, or not meant for us: it is
 * passed over, and the right one may still come.
 */
#include "health/dns_message.h"
#include "health/probe_datagram.h"
#include "health/probe_types.h"

struct dns {
	struct datagram datagram;
	uint16_t id;
};

static void dns_answer(struct datagram *datagram, const uint8_t *answer, size_t len)
{
	const struct dns *d = (struct dns *)datagram;
	char reason[PROBE_REASON_BYTES];
	enum probe_result result;

	if (!dns_judge(datagram->probe.check->options, d->id, answer, len, &result, reason))
		return;
	datagram_answered(datagram);
	probe_done(&datagram->probe, result, "%s", reason);
}

static void dns_start(struct probe *p)
{
	struct dns *d = (struct dns *)p;
	uint8_t query[DNS_QUERY_BYTES];
	size_t len;

	d->id = (uint16_t)(p->started_us ^ d->id * 40503u ^ (uintptr_t)p >> 6);
	len = dns_query(p->check->options, d->id, query);
	datagram_ask(&d->datagram, query, len, dns_answer);
}

const struct probe_type probe_dns = {
	.name = "dns",
	.bytes = sizeof(struct dns),
	.start = dns_start,
	.cancel = datagram_cancel,
	.fini = datagram_fini,
};
