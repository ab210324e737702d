/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why not mnl_cb_run(): it stops at the first error, and a batch may have many answers of which
 * every one matters (an error for a message and, later, the acknowledgement of the last one). It
 * also hides the extended acknowledgement, which is the only place where the kernel says in words
 * what it did not like (linux/netlink.h, NLMSGERR_ATTR_*).
 */
#include "kernel/nl.h"

#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/mem.h"
#include "kernel/trace.h"

/* A refused batch is answered with an error for every bad message; each costs about 1 KiB. Memory
 * is used only while they wait. */
#define RCVBUF_BYTES (64 << 20)
/* Dumps block; a kernel that does not answer for so long has lost the answer. */
#define RCV_TIMEOUT_S 30

static void set_option(const struct nl *nl, int level, int option, int value)
{
	/* All are improvements only: what is refused shows later as an error of its own. */
	(void)setsockopt(mnl_socket_get_fd(nl->sock), level, option, &value, sizeof(value));
}

static void set_options(struct nl *nl)
{
	struct timeval timeout = { .tv_sec = RCV_TIMEOUT_S };

	set_option(nl, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	set_option(nl, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	set_option(nl, SOL_SOCKET, SO_RCVBUF, RCVBUF_BYTES);
	set_option(nl, SOL_SOCKET, SO_RCVBUFFORCE, RCVBUF_BYTES);
	(void)setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVTIMEO, &timeout,
			 sizeof(timeout));
}

int nl_open(struct nl *nl, struct err *err)
{
	int code;

	memset(nl, 0, sizeof(*nl));
	nl->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		code = -errno;
		nl_close(nl);
		/* nfnetlink is a module that was not there and could not be loaded. */
		if (code == -EPROTONOSUPPORT)
			return err_add(err, ERR_KERNEL, code, NULL,
				       "the kernel has no nfnetlink: modprobe nf_tables");
		return err_add(err, ERR_SYSTEM, code, NULL, "netlink socket: %s", strerror(-code));
	}
	set_options(nl);
	nl->portid = mnl_socket_get_portid(nl->sock);
	nl->buffer = mem_alloc(NL_BUFFER_BYTES);
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl->buffer);
	memset(nl, 0, sizeof(*nl));
}

/* The only function that sends. Bytes or a negative errno. */
static ssize_t socket_send(int fd, const void *bytes, size_t len)
{
	ssize_t n;

	trace_datagram(TRACE_SENT, NETLINK_NETFILTER, bytes, len);
	n = send(fd, bytes, len, 0);
	return n < 0 ? -errno : n;
}

/* The only function that receives. Bytes (of the whole message) or a negative errno. */
static ssize_t socket_receive(int fd, void *buffer, size_t size, int flags)
{
	ssize_t n = recv(fd, buffer, size, flags | MSG_TRUNC);

	if (n > 0)
		trace_datagram(TRACE_RECEIVED, NETLINK_NETFILTER, buffer,
			       (size_t)n < size ? (size_t)n : size);
	return n < 0 ? -errno : n;
}

/* The kernel refuses messages longer than the send buffer, less a little (netlink_sendmsg). */
static void reserve_sndbuf(struct nl *nl, size_t len)
{
	size_t need = len + 65536;

	if (need <= nl->sndbuf)
		return;
	nl->sndbuf = need;
	if (need > INT_MAX / 2)
		need = INT_MAX / 2; /* the kernel doubles it */
	set_option(nl, SOL_SOCKET, SO_SNDBUF, (int)need);
	set_option(nl, SOL_SOCKET, SO_SNDBUFFORCE, (int)need);
}

/* A message of at most NL_BUFFER_BYTES into nl->buffer; its length or a negative errno. */
static ssize_t receive(struct nl *nl, int flags)
{
	ssize_t n;

	do
		n = socket_receive(mnl_socket_get_fd(nl->sock), nl->buffer, NL_BUFFER_BYTES, flags);
	while (n == -EINTR);
	return n > NL_BUFFER_BYTES ? -EMSGSIZE : n;
}

/* Reading is also what makes the kernel go on with a dump; a new one is refused until it is over.
 */
static void drain(struct nl *nl)
{
	ssize_t n;

	do
		n = receive(nl, MSG_DONTWAIT);
	while (n >= 0 || n == -ENOBUFS || n == -EMSGSIZE);
	nl->is_dirty = n != -EAGAIN;
}

int nl_send(struct nl *nl, const void *bytes, size_t len)
{
	ssize_t n;

	if (nl->is_dirty)
		drain(nl);
	reserve_sndbuf(nl, len);
	do
		n = socket_send(mnl_socket_get_fd(nl->sock), bytes, len);
	while (n == -EINTR);
	if (n >= 0 && (size_t)n != len)
		return -EMSGSIZE; /* a datagram goes whole or not at all */
	return n < 0 ? (int)n : 0;
}

static void read_ext_attr(const struct nlattr *attr, struct nl_error *out)
{
	size_t len = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case NLMSGERR_ATTR_MSG:
		if (len >= sizeof(out->text))
			len = sizeof(out->text) - 1;
		memcpy(out->text, mnl_attr_get_payload(attr), len);
		out->text[len] = '\0';
		break;
	case NLMSGERR_ATTR_OFFS:
		if (len == sizeof(uint32_t))
			out->offset = mnl_attr_get_u32(attr);
		break;
	}
}

/* NLMSG_ERROR: the errno, then the message it is about (cut to its header by NETLINK_CAP_ACK),
 * then attributes. */
static int read_error(const struct nlmsghdr *nlh, struct nl_error *out)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*e);
	struct nlattr *attr;

	memset(out, 0, sizeof(*out));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return out->code = -EBADMSG;
	out->code = e->error;
	out->seq = e->msg.nlmsg_seq;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&e->msg);
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || skip > mnl_nlmsg_get_payload_len(nlh))
		return out->code;
	mnl_attr_for_each(attr, nlh, skip) read_ext_attr(attr, out);
	return out->code;
}

static void gather_one(const struct nlmsghdr *nlh, struct nl_answers *out, nl_message_fn *fn,
		       void *arg)
{
	struct nl_error e;

	if (nlh->nlmsg_type != NLMSG_ERROR) {
		if (fn && nlh->nlmsg_type >= NLMSG_MIN_TYPE)
			fn(nlh, arg);
		return;
	}
	if (read_error(nlh, &e) == 0) {
		out->n_acks++;
		out->last_ack_seq = e.seq;
	} else if (out->n_errors++ == 0) {
		out->first = e;
	}
}

void nl_gather(struct nl *nl, uint32_t first, uint32_t last, struct nl_answers *out,
	       nl_message_fn *fn, void *arg)
{
	memset(out, 0, sizeof(*out));
	for (;;) {
		ssize_t n = receive(nl, MSG_DONTWAIT);
		int len = (int)n;

		if (n == -ENOBUFS) {
			out->is_overrun = true;
			continue;
		}
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			out->code = (int)n;
			return;
		}
		for (struct nlmsghdr *nlh = (void *)nl->buffer; nl_message_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			/* Others are left over from what was given up. */
			if (nlh->nlmsg_seq - first <= last - first)
				gather_one(nlh, out, fn, arg);
		}
	}
}

int nl_ask(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *arg,
	   struct nl_error *refusal)
{
	struct nl_answers answers;
	int code;

	request->nlmsg_seq = ++nl->seq;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	code = nl_send(nl, request, request->nlmsg_len);
	if (code < 0)
		return code;
	nl_gather(nl, request->nlmsg_seq, request->nlmsg_seq, &answers, fn, arg);
	if (answers.n_errors > 0) {
		if (refusal)
			*refusal = answers.first;
		return answers.first.code;
	}
	if (answers.n_acks > 0 && answers.last_ack_seq == request->nlmsg_seq && !answers.is_overrun)
		return 0;
	return answers.code < 0 ? answers.code : -ENOBUFS;
}

static void dump_one(const struct nlmsghdr *nlh, struct nl_dump *d, nl_message_fn *fn, void *arg)
{
	struct nl_error e;

	if (nlh->nlmsg_seq != d->seq)
		return; /* left over from a request that was given up */
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		d->is_interrupted = true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		d->code = read_error(nlh, &e);
		d->is_done = true;
	} else if (nlh->nlmsg_type == NLMSG_DONE) {
		/* A dump that fails half way says so here. */
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(int))
			memcpy(&d->code, mnl_nlmsg_get_payload(nlh), sizeof(int));
		d->is_done = true;
	} else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
		fn(nlh, arg);
	}
}

int nl_dump_begin(struct nl *nl, struct nlmsghdr *request, struct nl_dump *d)
{
	*d = (struct nl_dump){ .seq = ++nl->seq };
	request->nlmsg_seq = d->seq;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	return nl_send(nl, request, request->nlmsg_len);
}

int nl_dump_next(struct nl *nl, struct nl_dump *d, nl_message_fn *fn, void *arg)
{
	ssize_t n = receive(nl, 0);
	int len = (int)n;

	if (n < 0) {
		nl->is_dirty = true;
		return n == -EAGAIN ? -ETIMEDOUT : (int)n;
	}
	for (struct nlmsghdr *nlh = (void *)nl->buffer; nl_message_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len))
		dump_one(nlh, d, fn, arg);
	return 0;
}

int nl_dump(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *arg)
{
	struct nl_dump d;
	int code = nl_dump_begin(nl, request, &d);

	while (code == 0 && !d.is_done)
		code = nl_dump_next(nl, &d, fn, arg);
	if (code == 0)
		code = d.code < 0 ? d.code : d.is_interrupted ? -EINTR : 0;
	return code;
}
