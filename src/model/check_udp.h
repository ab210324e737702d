/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of checks of type udp. */
#ifndef FNAT_MODEL_CHECK_UDP_H
#define FNAT_MODEL_CHECK_UDP_H

#include <stdbool.h>

#include "model/check_bytes.h"

#define CHECK_UDP_MAX 1024 /* bytes of a datagram */

struct check_udp {
	char *payload, *payload_hex; /* one of them, or none: an empty datagram */
	char *expect, *expect_hex;   /* what the reply must contain; one of them, or none */
	bool is_reply_required;
	struct check_bytes send, want;
};

#endif
