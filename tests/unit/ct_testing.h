/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conntrack entries out of nothing, in a network namespace of the test's own. */
#ifndef FNAT_TESTS_CT_TESTING_H
#define FNAT_TESTS_CT_TESTING_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/model.h"
#include "suite.h"

static inline struct listener listener(const char *text, uint8_t protocol, uint16_t port)
{
	struct listener l = { .protocol = protocol, .port = port };

	ck_assert_int_eq(addr_parse(text, &l.address), 0);
	return l;
}

static inline void set_addresses(struct nf_conntrack *ct, const struct listener *to,
				 const char *client)
{
	struct addr from;
	bool is_v4 = to->address.family == AF_INET;

	ck_assert_int_eq(addr_parse(client, &from), 0);
	nfct_set_attr_u8(ct, ATTR_ORIG_L3PROTO, to->address.family);
	nfct_set_attr(ct, is_v4 ? ATTR_ORIG_IPV4_SRC : ATTR_ORIG_IPV6_SRC, from.bytes);
	nfct_set_attr(ct, is_v4 ? ATTR_ORIG_IPV4_DST : ATTR_ORIG_IPV6_DST, to->address.bytes);
}

static inline void set_nat(struct nf_conntrack *ct, const char *address, int attr4, int attr6)
{
	struct addr a;

	if (!address)
		return;
	ck_assert_int_eq(addr_parse(address, &a), 0);
	nfct_set_attr(ct, (enum nf_conntrack_attr)(a.family == AF_INET ? attr4 : attr6), a.bytes);
}

/* An entry from client:port to the listener; translated to backend, from local, unless NULL. */
static inline void inject_nat(const struct listener *to, const char *client, uint16_t port,
			      const char *backend, const char *local, uint16_t zone)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	struct nf_conntrack *ct = nfct_new();

	ck_assert(h && ct);
	set_addresses(ct, to, client);
	nfct_set_attr_u8(ct, ATTR_ORIG_L4PROTO, to->protocol);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(port));
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, htons(to->port));
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 100);
	if (zone)
		nfct_set_attr_u16(ct, ATTR_ZONE, zone);
	if (to->protocol == IPPROTO_TCP)
		nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	set_nat(ct, backend, ATTR_DNAT_IPV4, ATTR_DNAT_IPV6);
	set_nat(ct, local, ATTR_SNAT_IPV4, ATTR_SNAT_IPV6);
	ck_assert_msg(nfct_query(h, NFCT_Q_CREATE, ct) == 0, "create: %s", strerror(errno));
	nfct_destroy(ct);
	nfct_close(h);
}

/* Root, and able to make namespaces? Says so when not. */

#endif
