/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One question at a time and all of its answers read before the next, so that nothing of an old
 * answer can be mistaken for a new one.
 */
#include "kernel/netlink.h"

#include <errno.h>

#include "kernel/trace.h"

int netlink_open(struct netlink *nl, int bus)
{
	nl->bus = bus;
	nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->socket)
		return -errno;
	if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = -errno;

		netlink_close(nl);
		return code;
	}
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->socket)
		mnl_socket_close(nl->socket);
	nl->socket = NULL;
}

struct nlmsghdr *netlink_request(struct netlink *nl, char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	return nlh;
}

/* libmnl gives up a dump that is marked as interrupted, and leaves its rest in the socket. */
static void forget_interruptions(char *buf, int len)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		nlh->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
}

int netlink_transact(struct netlink *nl, const struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
	char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t len;
	int ret;

	if (!nl->socket)
		return -EBADF;
	trace_datagram(TRACE_SENT, nl->bus, request, request->nlmsg_len);
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		len = mnl_socket_recvfrom(nl->socket, buf, sizeof(buf));
		if (len < 0)
			return -errno;
		trace_datagram(TRACE_RECEIVED, nl->bus, buf, (size_t)len);
		forget_interruptions(buf, (int)len);
		ret = mnl_cb_run(buf, (size_t)len, request->nlmsg_seq,
				 mnl_socket_get_portid(nl->socket), cb, data);
		if (ret < 0)
			return -errno;
	} while (ret > MNL_CB_STOP);
	return 0;
}
