/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp: a datagram, and a reply. A server that need not reply to what it does not understand can
 * still be seen to be absent: its kernel says so with an ICMP error. For that, silence has to
 * count as success, and there is nothing to see of a machine that is gone.
 */
#include <string.h>

#include "health/probe_datagram.h"
#include "health/probe_types.h"
#include "model/check_udp.h"

static const struct check_udp *options(const struct probe *p)
{
	return p->check->options;
}

static void udp_answer(struct datagram *d, const uint8_t *answer, size_t len)
{
	const struct check_bytes *want = &options(&d->probe)->want;

	datagram_answered(d);
	if (!want->bytes || memmem(answer, len, want->bytes, want->len))
		probe_done(&d->probe, PROBE_OK, "a reply of %zu bytes", len);
	else
		probe_done(&d->probe, PROBE_FAILED, "a reply of %zu bytes without what is expected",
			   len);
}

static void udp_start(struct probe *p)
{
	const struct check_bytes *send = &options(p)->send;

	datagram_ask((struct datagram *)p, send->bytes ? (const void *)send->bytes : "", send->len,
		     udp_answer);
}

/* True: silence is what was hoped for. */
static bool udp_expired(struct probe *p)
{
	return !options(p)->is_reply_required;
}

const struct probe_type probe_udp = {
	.name = "udp",
	.bytes = sizeof(struct datagram),
	.start = udp_start,
	.cancel = datagram_cancel,
	.fini = datagram_fini,
	.is_silence_ok = udp_expired,
};
