/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two fields and not one number, because what a time of 0 does is another thing than what a short
 * time does: answers do not come through.
 */
#include "model/udp.h"

#include <stdio.h>

#include "model/put.h"

void read_udp_timeout(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t seconds;

	if (read_integer(r, at, value, 0, UDP_TIMEOUT_MAX_S, &seconds))
		((struct service *)out)->udp_timeout_s = (uint16_t)seconds;
}

void read_one_packet(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_boolean(r, at, value, &((struct service *)out)->is_one_packet);
}

void check_udp(struct reader *r, const struct at *at, const struct service *s)
{
	struct at at_timeout = at_member(at, "udp_timeout_s");
	char found[16];

	if (!s->is_one_packet || s->udp_timeout_s == 0)
		return;
	snprintf(found, sizeof(found), "%u", s->udp_timeout_s);
	problem_text(r, &at_timeout, found, "expected none beside \"one_packet\"");
}

void put_udp(json_t *object, const struct service *s)
{
	if (s->udp_timeout_s)
		put(object, "udp_timeout_s", json_integer(s->udp_timeout_s));
	if (s->is_one_packet)
		put(object, "one_packet", json_true());
}
