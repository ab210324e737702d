/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dump without a filter: the kernel's filter language could ask for one address at a time only,
 * and a pool has thousands.
 */
#include "kernel/sockets.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "kernel/netlink.h"

struct dump {
	sockets_fn *fn;
	void *arg;
	uint8_t protocol;
};

/* A socket of IPv6 may hold an IPv4 address (::ffff:10.0.0.1). */
static void unmap(struct addr *a)
{
	struct in6_addr in6;

	memcpy(&in6, a->bytes, sizeof(in6));
	if (a->family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6))
		return;
	*a = (struct addr){ .family = AF_INET };
	memcpy(a->bytes, in6.s6_addr + 12, 4);
}

static int socket_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	const struct dump *dump = data;
	struct socket_entry s = { .protocol = dump->protocol };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return MNL_CB_OK;
	s.address.family = msg->idiag_family;
	memcpy(s.address.bytes, msg->id.idiag_src, addr_len(msg->idiag_family));
	unmap(&s.address);
	s.port = ntohs(msg->id.idiag_sport);
	dump->fn(&s, dump->arg);
	return MNL_CB_OK;
}

static int dump_kind(struct netlink *nl, uint8_t family, struct dump *dump)
{
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = netlink_request(nl, buf, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

	req->sdiag_family = family;
	req->sdiag_protocol = dump->protocol;
	req->idiag_states = ~(1u << TCP_TIME_WAIT);
	return netlink_transact(nl, nlh, socket_cb, dump);
}

int sockets_each(sockets_fn *fn, void *arg)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct netlink nl = { 0 };
	int code = netlink_open(&nl, NETLINK_SOCK_DIAG);

	for (size_t i = 0; i < 4 && code == 0; i++) {
		struct dump dump = { fn, arg, protocols[i & 1] };

		code = dump_kind(&nl, families[i >> 1], &dump);
	}
	netlink_close(&nl);
	return code;
}
