/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A firewall that drops what is forwarded is the commonest reason why a balancer that is
 * configured well does not work, and the hardest to see. So the forward chains of other tables are
 * followed, jumps included, for one kind of packet: new, with a destination NAT. A rule whose
 * conditions we do not understand may or may not match; it is remembered, not decided. What we look
 * for is the rule that lets all of our traffic pass, which is also what the remedy adds:
 * `ct status dnat accept`, or iptables' `-m conntrack --ctstate DNAT -j ACCEPT`.
 */
#include "kernel/foreign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/netlink.h"

/* How much of a foreign ruleset is followed before we say that nobody can tell. */
#define DEPTH_MAX 16
#define RULES_MAX 5000

/* NF_CT_STATE_BIT(IP_CT_NEW) of the kernel, as `ct state new` is written. */
#define CT_STATE_NEW (1u << (IP_CT_NEW + 1))

/* On which of the packets we ask about does a rule act? */
enum condition {
	ON_ALL,
	ON_NONE, /* established ones only, say */
	ON_SOME,
};

enum action { ACT_NONE, ACT_ACCEPT, ACT_DROP, ACT_JUMP, ACT_GOTO, ACT_RETURN, ACT_UNKNOWN };

struct step {
	enum condition condition;
	enum action action;
	char target[NFT_CHAIN_MAXNAMELEN]; /* ACT_JUMP, ACT_GOTO */
};

struct steps {
	struct step *items;
	size_t n, cap;
};

/* --- one rule ------------------------------------------------------------------------------ */

/* What is known while the expressions of a rule are read in order. */
struct reading {
	struct step step;
	uint32_t ct_key; /* what the register holds, masked with `mask`; only when is_ct */
	uint32_t mask;
	bool is_ct;
};

static void narrow(struct reading *r, enum condition c)
{
	/* Each condition alone can only make the set smaller; none at all wins. */
	if (r->step.condition == ON_NONE || c == ON_ALL)
		return;
	r->step.condition = c;
}

static void read_verdict(struct reading *r, const struct nftnl_expr *e)
{
	const char *chain;

	if (nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT)
		return;
	switch ((int32_t)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT)) {
	case NF_ACCEPT:
		r->step.action = ACT_ACCEPT;
		return;
	case NF_DROP:
		r->step.action = ACT_DROP;
		return;
	case NFT_RETURN:
		r->step.action = ACT_RETURN;
		return;
	case NFT_JUMP:
		r->step.action = ACT_JUMP;
		break;
	case NFT_GOTO:
		r->step.action = ACT_GOTO;
		break;
	default:
		r->step.action = ACT_UNKNOWN; /* queue */
		return;
	}
	chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);
	strncpy(r->step.target, chain ? chain : "", sizeof(r->step.target) - 1);
}

static void read_ct(struct reading *r, const struct nftnl_expr *e)
{
	r->is_ct = nftnl_expr_is_set(e, NFTNL_EXPR_CT_DREG);
	r->ct_key = nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY);
	r->mask = UINT32_MAX;
}

static void read_bitwise(struct reading *r, const struct nftnl_expr *e)
{
	uint32_t len;
	const void *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &len);

	if (mask && len == sizeof(r->mask))
		memcpy(&r->mask, mask, len);
	else
		r->is_ct = false;
}

/* `(ct key & mask) op value`, for new packets with a destination NAT. */
static enum condition judge_ct(uint32_t key, uint32_t mask, uint32_t op, uint32_t value)
{
	uint32_t ours;

	if (key == NFT_CT_STATE)
		ours = CT_STATE_NEW;
	else if (key == NFT_CT_STATUS && !(mask & ~(uint32_t)IPS_DST_NAT))
		ours = IPS_DST_NAT;
	else
		return ON_SOME;
	ours &= mask;
	if (op == NFT_CMP_EQ)
		return ours == value ? ON_ALL : ON_NONE;
	return op == NFT_CMP_NEQ ? (ours != value ? ON_ALL : ON_NONE) : ON_SOME;
}

static void read_cmp(struct reading *r, const struct nftnl_expr *e)
{
	uint32_t len, value;
	const void *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP);

	if (!r->is_ct || !data || len != sizeof(value)) {
		narrow(r, ON_SOME);
		return;
	}
	memcpy(&value, data, len);
	narrow(r, judge_ct(r->ct_key, r->mask, op, value));
	r->is_ct = false;
}

/* A match of iptables: understood are -m comment and -m conntrack --ctstate. */
static void read_match(struct reading *r, const struct nftnl_expr *e)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_MT_NAME);
	uint32_t len, ours = XT_CONNTRACK_STATE_DNAT | XT_CONNTRACK_STATE_BIT(IP_CT_NEW);
	const struct xt_conntrack_mtinfo3 *info = nftnl_expr_get(e, NFTNL_EXPR_MT_INFO, &len);

	if (name && !strcmp(name, "comment"))
		return;
	/* mtinfo2 is the beginning of mtinfo3; mtinfo1 has narrower masks. */
	if (!name || strcmp(name, "conntrack") || !info ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_MT_REV) < 2 ||
	    len < sizeof(struct xt_conntrack_mtinfo2) ||
	    (info->match_flags & ~XT_CONNTRACK_STATE_ALIAS) != XT_CONNTRACK_STATE)
		narrow(r, ON_SOME);
	else if (info->invert_flags & XT_CONNTRACK_STATE)
		narrow(r, info->state_mask & ours ? ON_NONE : ON_ALL);
	else
		narrow(r, info->state_mask & ours ? ON_ALL : ON_NONE);
}

static void read_target(struct reading *r, const struct nftnl_expr *e)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME);

	if (name && (!strcmp(name, "REJECT") || !strcmp(name, "DROP")))
		r->step.action = ACT_DROP;
}

static void read_reject(struct reading *r, const struct nftnl_expr *e)
{
	(void)e;
	r->step.action = ACT_DROP;
}

static void read_nothing(struct reading *r, const struct nftnl_expr *e)
{
	(void)r;
	(void)e;
}

/* Expressions that are understood, or that are known to be no condition. Any other is one. */
static const struct {
	const char *name;
	void (*read)(struct reading *r, const struct nftnl_expr *e);
} expressions[] = {
	{ "bitwise", read_bitwise }, { "cmp", read_cmp },           { "counter", read_nothing },
	{ "ct", read_ct },           { "immediate", read_verdict }, { "log", read_nothing },
	{ "match", read_match },     { "reject", read_reject },     { "target", read_target },
};

static int read_expression(struct nftnl_expr *e, void *data)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct reading *r = data;

	for (size_t i = 0; i < sizeof(expressions) / sizeof(*expressions); i++)
		if (name && !strcmp(name, expressions[i].name)) {
			expressions[i].read(r, e);
			return 0;
		}
	narrow(r, ON_SOME);
	r->is_ct = false;
	return 0;
}

static int rule_cb(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct steps *steps = data;
	struct reading r = { .step = { .condition = ON_ALL } };

	if (rule && nftnl_rule_nlmsg_parse(nlh, rule) == 0) {
		nftnl_expr_foreach(rule, read_expression, &r);
		if (r.step.action != ACT_NONE)
			VEC_PUSH(steps->items, steps->n, steps->cap) = r.step;
	}
	nftnl_rule_free(rule);
	return MNL_CB_OK;
}

/* --- a chain and what it jumps to ---------------------------------------------------------- */

enum outcome { FELL_THROUGH, ACCEPTED, DROPPED };

struct walk {
	struct netlink *netlink;
	struct foreign_chain *chain;
	size_t n_rules; /* read so far */
	bool is_lost;   /* too much, or the kernel would not tell */
	bool accepts_some;
};

static struct nlmsghdr *nft_request(struct netlink *nl, char *buf, uint16_t message, uint8_t family,
				    uint16_t flags)
{
	struct nlmsghdr *nlh =
		netlink_request(nl, buf, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

static void read_chain(struct walk *w, const char *name, struct steps *steps)
{
	char buf[1024] = { 0 };
	struct nlmsghdr *nlh =
		nft_request(w->netlink, buf, NFT_MSG_GETRULE, w->chain->family, NLM_F_DUMP);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, w->chain->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, name);
	if (netlink_transact(w->netlink, nlh, rule_cb, steps) < 0)
		w->is_lost = true;
	w->n_rules += steps->n;
	if (w->n_rules > RULES_MAX)
		w->is_lost = true;
}

static enum outcome walk_chain(struct walk *w, const char *name, unsigned int depth);

/* The outcome of a rule that acts on all of our packets; *is_done ends the chain. */
static enum outcome step_all(struct walk *w, const struct step *s, unsigned int depth,
			     bool *is_done)
{
	enum outcome o;

	switch (s->action) {
	case ACT_ACCEPT:
	case ACT_UNKNOWN:
		return ACCEPTED;
	case ACT_DROP:
		return DROPPED;
	case ACT_RETURN:
		*is_done = true;
		return FELL_THROUGH;
	case ACT_JUMP:
	case ACT_GOTO:
		o = walk_chain(w, s->target, depth + 1);
		*is_done = s->action == ACT_GOTO;
		return o;
	case ACT_NONE:
		break;
	}
	return FELL_THROUGH;
}

/* A rule that acts on some: it decides nothing, but it may be what lets our traffic pass. */
static void step_some(struct walk *w, const struct step *s, unsigned int depth)
{
	if (s->action == ACT_ACCEPT || s->action == ACT_UNKNOWN)
		w->accepts_some = true;
	else if (s->action == ACT_JUMP || s->action == ACT_GOTO)
		w->accepts_some |= walk_chain(w, s->target, depth + 1) == ACCEPTED;
}

static enum outcome walk_steps(struct walk *w, const struct steps *steps, unsigned int depth)
{
	bool is_done = false;

	for (size_t i = 0; i < steps->n && !w->is_lost && !is_done; i++) {
		const struct step *s = &steps->items[i];
		enum outcome o = FELL_THROUGH;

		if (!strcmp(s->target, "DOCKER-USER"))
			w->chain->has_docker_user = true;
		if (s->condition == ON_ALL)
			o = step_all(w, s, depth, &is_done);
		else if (s->condition == ON_SOME)
			step_some(w, s, depth);
		if (o != FELL_THROUGH)
			return o;
	}
	return FELL_THROUGH;
}

static enum outcome walk_chain(struct walk *w, const char *name, unsigned int depth)
{
	struct steps steps = { 0 };
	enum outcome o = FELL_THROUGH;

	if (depth > DEPTH_MAX)
		w->is_lost = true;
	if (!w->is_lost)
		read_chain(w, name, &steps);
	if (!w->is_lost)
		o = walk_steps(w, &steps, depth);
	free(steps.items);
	return o;
}

static enum foreign_effect chain_effect(struct netlink *nl, struct foreign_chain *c,
					uint32_t policy)
{
	struct walk w = { .netlink = nl, .chain = c };
	enum outcome o = walk_chain(&w, c->name, 0);

	if (w.is_lost || o == ACCEPTED || (o == FELL_THROUGH && policy != NF_DROP))
		return FOREIGN_PASSES;
	return w.accepts_some ? FOREIGN_DROPS_MOST : FOREIGN_DROPS;
}

/* --- all base chains ----------------------------------------------------------------------- */

struct found {
	struct foreign_chains *out;
	const char *own_table;
	uint32_t *policies; /* of each of out->items */
	size_t n_policies, cap_policies;
};

static bool is_looked_at(const struct found *f, const struct nftnl_chain *c)
{
	uint32_t family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY);

	if (!nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM) || !foreign_family_name((uint8_t)family))
		return false;
	return family != NFPROTO_INET ||
	       strcmp(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE), f->own_table) != 0;
}

static void chain_add(struct found *f, const struct nftnl_chain *c)
{
	const char *type = nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE);
	struct foreign_chain chain = {
		.family = (uint8_t)nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY),
		.hook = (uint8_t)nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM),
		.is_nat = type && !strcmp(type, "nat"),
		.priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO),
		.table = mem_strdup(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE)),
		.name = mem_strdup(nftnl_chain_get_str(c, NFTNL_CHAIN_NAME)),
	};

	VEC_PUSH(f->policies, f->n_policies, f->cap_policies) =
		nftnl_chain_is_set(c, NFTNL_CHAIN_POLICY)
			? nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY)
			: NF_ACCEPT;
	VEC_PUSH(f->out->items, f->out->n, f->out->cap) = chain;
}

static int chain_cb(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct found *f = data;

	if (c && nftnl_chain_nlmsg_parse(nlh, c) == 0 && is_looked_at(f, c))
		chain_add(f, c);
	nftnl_chain_free(c);
	return MNL_CB_OK;
}

int foreign_read(const char *own_table, struct foreign_chains *out)
{
	struct found f = { .out = out, .own_table = own_table };
	struct netlink nl = { 0 };
	int code = netlink_open(&nl, NETLINK_NETFILTER);
	char buf[256] = { 0 };

	if (code == 0)
		code = netlink_transact(
			&nl, nft_request(&nl, buf, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP),
			chain_cb, &f);
	for (size_t i = 0; i < out->n && code == 0; i++)
		if (out->items[i].hook == NF_INET_FORWARD && !out->items[i].is_nat)
			out->items[i].effect = chain_effect(&nl, &out->items[i], f.policies[i]);
	netlink_close(&nl);
	free(f.policies);
	return code;
}

void foreign_chains_fini(struct foreign_chains *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].table);
		free(f->items[i].name);
	}
	free(f->items);
	*f = (struct foreign_chains){ 0 };
}

static int table_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;
	uint32_t *flags = data;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS)
			*flags = ntohl(mnl_attr_get_u32(attr));
	}
	return MNL_CB_STOP;
}

int foreign_table_flags(const char *table, uint32_t *flags)
{
	struct netlink nl = { 0 };
	int code = netlink_open(&nl, NETLINK_NETFILTER);
	struct nlmsghdr *nlh;
	char buf[512] = { 0 };

	if (code < 0)
		return code;
	*flags = 0;
	nlh = nft_request(&nl, buf, NFT_MSG_GETTABLE, NFPROTO_INET, 0);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	code = netlink_transact(&nl, nlh, table_cb, flags);
	netlink_close(&nl);
	return code;
}

const char *foreign_family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_INET:
		return "inet";
	default:
		return NULL;
	}
}
