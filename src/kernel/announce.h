/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling a link's hosts where an address is now: ARP announcements (RFC 5227)
 * and unsolicited neighbour advertisements (RFC 4861, 7.2.6).
 */
#ifndef FNAT_KERNEL_ANNOUNCE_H
#define FNAT_KERNEL_ANNOUNCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "kernel/route.h"

#define ANNOUNCE_BYTES_MAX 128

/* What follows the Ethernet header; returns its length. Pure. */
size_t announce_packet(const struct addr *a, const uint8_t mac[6], uint8_t out[ANNOUNCE_BYTES_MAX]);

/* A socket of the calling thread's network namespace; a negative errno: -EPERM without CAP_NET_RAW.
 */
int announce_open(void);

/* Once. 0 or a negative errno. */
int announce_send(int fd, const struct addr *a, const struct link *link);

#endif
