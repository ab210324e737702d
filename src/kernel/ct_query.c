/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel is asked to leave out what is not FULLNATed (CTA_STATUS with a mask, 5.15), and, where
 * the filter has them, other original addresses, protocols and ports (CTA_FILTER, 5.8). Kernels
 * that do not know these answer everything; one that refuses them is asked again without.
 *
 * Only the original direction of IPv4, and no IPv6 address: for a filter on the reply tuple kernels
 * read the wrong flags, and IPv6 addresses are compared the wrong way round, so that exactly what
 * was asked for is left out (ctnetlink_alloc_filter(), ctnetlink_filter_match_tuple()).
 */
#include "kernel/ct_query.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/ct_flow.h"
#include "kernel/ct_request.h"

/* Bits of CTA_FILTER_ORIG_FLAGS: the kernel's net/netfilter/nf_internals.h has them, no header of
 * its interface does. */
#define FILTER_IP_SRC   (1u << 0)
#define FILTER_IP_DST   (1u << 1)
#define FILTER_PROTO    (1u << 3)
#define FILTER_PORT_SRC (1u << 4)
#define FILTER_PORT_DST (1u << 5)

/* Deletions in one system call: their answers fit into the receive queue. */
#define DELETES_MAX   64
#define DELETES_BYTES (DELETES_MAX * 256)

struct ct_dump {
	struct nl dump, request; /* a dump in progress keeps its socket busy */
	struct nl_dump state;
	struct ct_filter filter;
	bool is_plain; /* the kernel refused the filter */
	size_t n_seen;
	ct_flow_fn *fn; /* while a piece is read */
	void *arg;
	char *deletes; /* messages to be sent; DELETES_BYTES */
	size_t n_deletes, deletes_len;
	long n_deleted;
	int delete_code; /* the first refusal */
};

static uint32_t filter_flags(const struct ct_filter *f)
{
	uint32_t flags = 0;

	if (f->family == AF_INET && f->client.address.family)
		flags |= FILTER_IP_SRC;
	if (f->family == AF_INET && f->to.address.family)
		flags |= FILTER_IP_DST;
	if (f->protocol)
		flags |= FILTER_PROTO;
	/* The kernel compares ports by the connection's protocol. */
	if (f->protocol && f->client.port)
		flags |= FILTER_PORT_SRC;
	if (f->protocol && f->to.port)
		flags |= FILTER_PORT_DST;
	return flags;
}

static struct flow_end end_of_family(const struct flow_end *end, uint8_t family)
{
	struct flow_end out = *end;

	out.address.family = family; /* none is all zero */
	return out;
}

static void put_filter(struct nlmsghdr *nlh, const struct ct_filter *f)
{
	uint32_t flags = filter_flags(f);
	struct flow_end client = end_of_family(&f->client, f->family);
	struct flow_end to = end_of_family(&f->to, f->family);
	struct nlattr *nest;

	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(FLOW_FULLNAT | f->status));
	mnl_attr_put_u32(nlh, CTA_STATUS_MASK, htonl(FLOW_FULLNAT | f->status_mask));
	if (!f->family || !flags)
		return;
	ct_put_tuple(nlh, CTA_TUPLE_ORIG, f->protocol, &client, &to);
	nest = mnl_attr_nest_start(nlh, CTA_FILTER);
	mnl_attr_put_u32(nlh, CTA_FILTER_ORIG_FLAGS, flags);
	mnl_attr_nest_end(nlh, nest);
}

static int begin(struct ct_dump *d)
{
	char buf[NL_REQUEST_BYTES];
	struct nlmsghdr *nlh = ct_request_start(buf, IPCTNL_MSG_CT_GET, d->filter.family);

	if (!d->is_plain)
		put_filter(nlh, &d->filter);
	return nl_dump_begin(&d->dump, nlh, &d->state);
}

static int refused(int code, struct err *err)
{
	return err_add(err, ERR_KERNEL, code, NULL,
		       "reading conntrack's table: %s; is nf_conntrack_netlink loaded?",
		       strerror(-code));
}

int ct_dump_open(const struct ct_filter *f, struct ct_dump **out, struct err *err)
{
	struct ct_dump *d = mem_zalloc(sizeof(*d));
	int code = nl_open(&d->dump, err);

	if (code == 0)
		code = nl_open(&d->request, err);
	d->filter = *f;
	if (code == 0) {
		code = begin(d);
		if (code < 0)
			refused(code, err);
	}
	if (code < 0) {
		ct_dump_close(d);
		return code;
	}
	*out = d;
	return 0;
}

void ct_dump_close(struct ct_dump *d)
{
	if (!d)
		return;
	nl_close(&d->dump);
	nl_close(&d->request);
	free(d->deletes);
	free(d);
}

static void on_message(const struct nlmsghdr *nlh, void *arg)
{
	struct ct_dump *d = arg;
	struct flow f;

	d->n_seen++;
	if (ct_flow_read(nlh, &f) && (f.status & FLOW_FULLNAT) == FLOW_FULLNAT)
		d->fn(&f, d->arg);
}

int ct_dump_next(struct ct_dump *d, ct_flow_fn *fn, void *arg, struct err *err)
{
	int code;

	d->fn = fn;
	d->arg = arg;
	code = nl_dump_next(&d->dump, &d->state, on_message, d);
	if (code == 0 && d->state.is_done)
		code = d->state.code;
	if (code < 0 && d->n_seen == 0 && !d->is_plain &&
	    (code == -EINVAL || code == -EOPNOTSUPP)) {
		d->is_plain = true;
		code = begin(d);
	}
	if (code < 0)
		return refused(code, err);
	return !d->state.is_done;
}

static struct nlmsghdr *start_of(char *buf, uint16_t type, const struct flow *f)
{
	return ct_request_start(buf, type, f->client.address.family);
}

static void send_deletes(struct ct_dump *d)
{
	uint32_t last = d->request.seq, first = last - (uint32_t)d->n_deletes + 1;
	struct nl_answers answers;
	int code;

	if (d->n_deletes == 0)
		return;
	code = nl_send(&d->request, d->deletes, d->deletes_len);
	d->n_deletes = d->deletes_len = 0;
	if (code == 0) {
		nl_gather(&d->request, first, last, &answers, NULL, NULL);
		d->n_deleted += answers.n_acks;
		code = answers.n_errors > 0 ? answers.first.code : answers.code;
		if (code == 0 && answers.is_overrun)
			code = -ENOBUFS;
	}
	if (code < 0 && code != -ENOENT && d->delete_code == 0)
		d->delete_code = code;
}

void ct_dump_delete(struct ct_dump *d, const struct flow *f)
{
	char buf[NL_REQUEST_BYTES];
	struct nlmsghdr *nlh = start_of(buf, IPCTNL_MSG_CT_DELETE, f);

	/* With zone and id: a newer one with the same addresses stays. */
	ct_put_tuple(nlh, CTA_TUPLE_ORIG, f->protocol, &f->client, &f->to);
	if (f->zone)
		mnl_attr_put_u16(nlh, CTA_ZONE, htons(f->zone));
	mnl_attr_put_u32(nlh, CTA_ID, htonl(f->id));
	nlh->nlmsg_seq = ++d->request.seq;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (!d->deletes)
		d->deletes = mem_alloc(DELETES_BYTES);
	assert(d->deletes_len + nlh->nlmsg_len <= DELETES_BYTES);
	memcpy(d->deletes + d->deletes_len, nlh, nlh->nlmsg_len);
	d->deletes_len += nlh->nlmsg_len;
	if (++d->n_deletes == DELETES_MAX)
		send_deletes(d);
}

size_t ct_dump_n_deletes(const struct ct_dump *d)
{
	return d->n_deletes + (size_t)d->n_deleted;
}

long ct_dump_delete_now(struct ct_dump *d, int *code)
{
	long n;

	send_deletes(d);
	n = d->n_deleted;
	*code = d->delete_code;
	d->n_deleted = 0;
	d->delete_code = 0;
	return n;
}

struct ct_lookup {
	struct nl nl;
};

int ct_lookup_open(struct ct_lookup **out, struct err *err)
{
	struct ct_lookup *l = mem_zalloc(sizeof(*l));
	int code = nl_open(&l->nl, err);

	if (code < 0) {
		ct_lookup_close(l);
		return code;
	}
	*out = l;
	return 0;
}

void ct_lookup_close(struct ct_lookup *l)
{
	if (!l)
		return;
	nl_close(&l->nl);
	free(l);
}

struct found {
	struct flow *flow;
	bool is_there;
};

static void on_found(const struct nlmsghdr *nlh, void *arg)
{
	struct found *found = arg;

	found->is_there = ct_flow_read(nlh, found->flow);
}

static int lookup(struct ct_lookup *l, uint16_t tuple, uint8_t protocol, const struct flow_end *src,
		  const struct flow_end *dst, struct flow *out)
{
	char buf[NL_REQUEST_BYTES];
	struct nlmsghdr *nlh = ct_request_start(buf, IPCTNL_MSG_CT_GET, src->address.family);
	struct found found = { .flow = out };
	int code;

	ct_put_tuple(nlh, tuple, protocol, src, dst);
	code = nl_ask(&l->nl, nlh, on_found, &found, NULL);
	if (code < 0)
		return code == -ENOENT ? 0 : code;
	return found.is_there;
}

static bool is_end(const struct flow_end *a, const struct flow_end *b)
{
	return a->port == b->port && addr_equal(&a->address, &b->address);
}

/* The kernel finds an entry by either of its tuples. */
int ct_lookup_local(struct ct_lookup *l, uint8_t protocol, const struct flow_end *backend,
		    const struct flow_end *local, struct flow *out)
{
	int code = lookup(l, CTA_TUPLE_REPLY, protocol, backend, local, out);

	return code == 1 ? is_end(&out->backend, backend) && is_end(&out->local, local) : code;
}

int ct_lookup_client(struct ct_lookup *l, uint8_t protocol, const struct flow_end *client,
		     const struct flow_end *to, struct flow *out)
{
	int code = lookup(l, CTA_TUPLE_ORIG, protocol, client, to, out);

	return code == 1 ? is_end(&out->client, client) && is_end(&out->to, to) : code;
}
