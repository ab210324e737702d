/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that sent to a listener's address before the listener was there has a conntrack entry
 * without translation, and NAT looks only at the first packet of an entry: what follows would be
 * routed on untranslated for as long as the client keeps sending. So such entries go. So do those
 * of UDP flows to a backend that is gone, which would outlive it while packets keep coming.
 *
 * Entries are walked attribute by attribute (a full table is millions of them), and an entry is
 * deleted by exactly what the dump said of it: tuple, zone and id, so that a newer entry with the
 * same tuple stays.
 */
#include "kernel/ct.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "kernel/ct_flow.h"
#include "kernel/ct_request.h"

#define DUMP_TRIES 5
/* CTA_FILTER_F_CTA_IP_SRC of the kernel's net/netfilter/nf_internals.h; no header has it. */
#define FILTER_IP_SRC 1u

struct ct {
	struct nl dump;
	struct nl request; /* a dump in progress keeps its socket busy */
};

int ct_open(struct ct **out, struct err *err)
{
	struct ct *ct = mem_zalloc(sizeof(*ct));
	int code = nl_open(&ct->dump, err);

	if (code == 0)
		code = nl_open(&ct->request, err);
	if (code < 0) {
		ct_close(ct);
		return code;
	}
	*out = ct;
	return 0;
}

void ct_close(struct ct *ct)
{
	if (!ct)
		return;
	nl_close(&ct->dump);
	nl_close(&ct->request);
	free(ct);
}

static void put_copy(struct nlmsghdr *nlh, const struct nlattr *attr)
{
	mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
		     mnl_attr_get_payload(attr));
}

/* Delete what matches. */
struct sweep {
	struct ct *ct;
	bool (*matches)(const struct sweep *s, const struct flow *flow);
	const void *items; /* listeners or targets, sorted */
	size_t n;
	long n_deleted;
	int code; /* of the first deletion that failed */
};

static void delete_entry(struct sweep *s, const struct nlmsghdr *listed)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(listed);
	char buf[NL_REQUEST_BYTES];
	struct nlmsghdr *nlh = ct_request_start(buf, IPCTNL_MSG_CT_DELETE, nfg->nfgen_family);
	const struct nlattr *attr;
	int code;

	mnl_attr_for_each(attr, listed, sizeof(*nfg))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == CTA_TUPLE_ORIG || type == CTA_ZONE || type == CTA_ID)
			put_copy(nlh, attr);
	}
	code = nl_ask(&s->ct->request, nlh, NULL, NULL, NULL);
	if (code == 0)
		s->n_deleted++;
	else if (code != -ENOENT && s->code == 0) /* ENOENT: it went by itself */
		s->code = code;
}

static void on_entry(const struct nlmsghdr *nlh, void *arg)
{
	struct sweep *s = arg;
	struct flow flow;

	if (ct_flow_read(nlh, &flow) && s->matches(s, &flow))
		delete_entry(s, nlh);
}

/* A request for the entries of which the bits of mask in the status are as in value. */
static struct nlmsghdr *request_list(char *buf, uint32_t value, uint32_t mask)
{
	struct nlmsghdr *nlh = ct_request_start(buf, IPCTNL_MSG_CT_GET, AF_UNSPEC);

	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(value));
	mnl_attr_put_u32(nlh, CTA_STATUS_MASK, htonl(mask));
	return nlh;
}

/* Connections whose replies come from this address. */
static void put_reply_source(struct nlmsghdr *nlh, const struct addr *a)
{
	struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	struct nlattr *tuple, *ip, *filter;

	nfg->nfgen_family = a->family;
	tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_REPLY);
	ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, a->family == AF_INET6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC,
		     addr_len(a->family), a->bytes);
	mnl_attr_nest_end(nlh, ip);
	mnl_attr_nest_end(nlh, tuple);
	filter = mnl_attr_nest_start(nlh, CTA_FILTER);
	mnl_attr_put_u32(nlh, CTA_FILTER_REPLY_FLAGS, FILTER_IP_SRC);
	mnl_attr_nest_end(nlh, filter);
}

/* status: the NAT bits that they have; from: NULL, or the only address that replies may be from. */
static long sweep(struct sweep *s, uint32_t status, const struct addr *from)
{
	char buf[NL_REQUEST_BYTES];
	int code = -EINTR;

	/* What an interrupted dump has deleted is deleted; the rest is seen by the next. */
	for (int i = 0; i < DUMP_TRIES && code == -EINTR; i++) {
		struct nlmsghdr *nlh = request_list(buf, status, FLOW_DST_NAT);

		if (from)
			put_reply_source(nlh, from);
		code = nl_dump(&s->ct->dump, nlh, on_entry, s);
	}
	if (code == 0)
		code = s->code;
	return code < 0 ? code : s->n_deleted;
}

static int cmp_listeners(const void *a, const void *b)
{
	return listener_cmp(a, b);
}

/* Kernels before 5.15 do not filter by status. */
static bool is_untranslated(const struct sweep *s, const struct flow *flow)
{
	const struct listener to = { .address = flow->to.address,
				     .port = flow->to.port,
				     .protocol = flow->protocol };

	return !(flow->status & FLOW_DST_NAT) &&
	       bsearch(&to, s->items, s->n, sizeof(to), cmp_listeners);
}

long ct_sweep_untranslated(struct ct *ct, const struct listener *listeners, size_t n,
			   struct err *err)
{
	struct sweep s = { .ct = ct, .matches = is_untranslated, .items = listeners, .n = n };
	long done;

	if (n == 0)
		return 0;
	done = sweep(&s, 0, NULL);
	if (done < 0)
		return err_add(err, ERR_KERNEL, (int)done, NULL,
			       "deleting untranslated conntrack entries: %s", strerror((int)-done));
	if (done > 0)
		log_info("ct", "%ld untranslated conntrack entries to listeners deleted", done);
	return done;
}

static int cmp_targets(const void *a, const void *b)
{
	const struct ct_target *x = a, *y = b;

	return addr_cmp(&x->address, &y->address);
}

static bool is_of_target(const struct ct_target *t, const struct flow *flow)
{
	const struct listener to = { .address = flow->to.address,
				     .port = flow->to.port,
				     .protocol = flow->protocol };
	bool has_end = flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_SCTP;

	if (has_end && !t->is_all && (!t->has_unanswered || (flow->status & FLOW_SEEN_REPLY)))
		return false;
	if (flow->backend.port != (t->port ? t->port : to.port))
		return false;
	for (size_t i = 0; i < t->service->n_listeners; i++) {
		if (listener_cmp(&t->service->listeners[i], &to) == 0)
			return true;
	}
	return false;
}

static bool is_targeted(const struct sweep *s, const struct flow *flow)
{
	const struct ct_target *targets = s->items;
	struct ct_target key = { .address = flow->backend.address };
	size_t lo = 0, hi = s->n;

	if ((flow->status & FLOW_FULLNAT) != FLOW_FULLNAT)
		return false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_targets(&targets[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < s->n && cmp_targets(&targets[lo], &key) == 0; lo++) {
		if (is_of_target(&targets[lo], flow))
			return true;
	}
	return false;
}

long ct_delete(struct ct *ct, struct ct_target *targets, size_t n, struct err *err)
{
	struct sweep s = { .ct = ct, .matches = is_targeted, .items = targets, .n = n };
	const struct addr *only;
	long done;

	if (n == 0)
		return 0;
	qsort(targets, n, sizeof(*targets), cmp_targets);
	only = cmp_targets(&targets[0], &targets[n - 1]) == 0 ? &targets[0].address : NULL;
	done = sweep(&s, FLOW_DST_NAT, only);
	if (done < 0)
		return err_add(err, ERR_KERNEL, (int)done, NULL,
			       "deleting conntrack entries of backends that are gone: %s",
			       strerror((int)-done));
	if (done > 0)
		log_info("ct", "%ld connections of backends that are gone deleted", done);
	return done;
}

struct listing {
	ct_flow_fn *fn;
	void *arg;
};

static void on_listed(const struct nlmsghdr *nlh, void *arg)
{
	const struct listing *l = arg;
	struct flow flow;

	if (ct_flow_read(nlh, &flow) && (flow.status & FLOW_FULLNAT) == FLOW_FULLNAT &&
	    !(flow.status & FLOW_DYING))
		l->fn(&flow, l->arg);
}

int ct_list(struct ct *ct, ct_flow_fn *fn, void *arg)
{
	struct listing l = { fn, arg };
	char buf[NL_REQUEST_BYTES];

	return nl_dump(&ct->dump, request_list(buf, FLOW_FULLNAT, FLOW_FULLNAT), on_listed, &l);
}
