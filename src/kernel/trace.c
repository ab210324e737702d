/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A datagram is one write, so that those of several threads do not mix. Nothing is summed up: a
 * batch of a million elements becomes a million lines, which is what one asked for.
 */
#include "kernel/trace.h"

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "kernel/nl.h"

/* Of one object as text; what is longer is cut. */
#define TEXT_BYTES 8192

static bool is_enabled;

void trace_enable(void)
{
	is_enabled = true;
}

/* --- objects of nf_tables ------------------------------------------------------------------ */

/* parse() and snprintf() of an object of libnftnl, as text; "" when it cannot be read. */
#define TEXT_OF(object)                                                                            \
	static void object##_text(const struct nlmsghdr *nlh, char *out)                           \
	{                                                                                          \
		struct nftnl_##object *o = nftnl_##object##_alloc();                               \
                                                                                                   \
		*out = '\0';                                                                       \
		if (o && nftnl_##object##_nlmsg_parse(nlh, o) == 0)                                \
			nftnl_##object##_snprintf(out, TEXT_BYTES, o, NFTNL_OUTPUT_DEFAULT, 0);    \
		if (o)                                                                             \
			nftnl_##object##_free(o);                                                  \
	}

TEXT_OF(table)
TEXT_OF(chain)
TEXT_OF(rule)
TEXT_OF(set)

static void elements_text(const struct nlmsghdr *nlh, char *out)
{
	struct nftnl_set *s = nftnl_set_alloc();

	*out = '\0';
	if (s && nftnl_set_elems_nlmsg_parse(nlh, s) == 0)
		nftnl_set_snprintf(out, TEXT_BYTES, s, NFTNL_OUTPUT_DEFAULT, 0);
	if (s)
		nftnl_set_free(s);
}

static const struct kind {
	int bus;
	uint16_t type;
	const char *name;
	void (*text)(const struct nlmsghdr *nlh, char *out);
} kinds[] = {
#define NFT(type) NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_##type, #type
#define CT(type)  NETLINK_NETFILTER, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_##type, #type
#define RTM(type) NETLINK_ROUTE, RTM_##type, #type
	{ NFT(NEWTABLE), table_text },
	{ NFT(GETTABLE), table_text },
	{ NFT(DELTABLE), table_text },
	{ NFT(NEWCHAIN), chain_text },
	{ NFT(GETCHAIN), chain_text },
	{ NFT(DELCHAIN), chain_text },
	{ NFT(NEWRULE), rule_text },
	{ NFT(GETRULE), rule_text },
	{ NFT(DELRULE), rule_text },
	{ NFT(NEWSET), set_text },
	{ NFT(GETSET), set_text },
	{ NFT(DELSET), set_text },
	{ NFT(NEWSETELEM), elements_text },
	{ NFT(GETSETELEM), elements_text },
	{ NFT(DELSETELEM), elements_text },
	{ NFT(NEWGEN), NULL },
	{ NFT(GETGEN), NULL },
	{ CT(CT_NEW), NULL },
	{ CT(CT_GET), NULL },
	{ CT(CT_DELETE), NULL },
	{ RTM(NEWLINK), NULL },
	{ RTM(GETLINK), NULL },
	{ RTM(NEWADDR), NULL },
	{ RTM(DELADDR), NULL },
	{ RTM(GETADDR), NULL },
	{ RTM(NEWROUTE), NULL },
	{ RTM(GETROUTE), NULL },
	{ NETLINK_NETFILTER, NFNL_MSG_BATCH_BEGIN, "BATCH_BEGIN", NULL },
	{ NETLINK_NETFILTER, NFNL_MSG_BATCH_END, "BATCH_END", NULL },
};

static const struct kind *find_kind(int bus, uint16_t type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].bus == bus && kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

/* --- messages ------------------------------------------------------------------------------ */

static void put_flags(FILE *out, const struct nlmsghdr *nlh)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} flags[] = { { NLM_F_REQUEST, "request" },
		      { NLM_F_MULTI, "multi" },
		      { NLM_F_ACK, "ack" },
		      { NLM_F_ECHO, "echo" },
		      { NLM_F_DUMP_INTR, "interrupted" } };

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (nlh->nlmsg_flags & flags[i].bit)
			fprintf(out, " %s", flags[i].name);
}

/* NLMSG_ERROR, which is also the acknowledgement. */
static void put_answer(FILE *out, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		fputs("ERROR cut short\n", out);
	else if (e->error == 0)
		fprintf(out, "ACK of seq %u\n", e->msg.nlmsg_seq);
	else
		fprintf(out, "ERROR of seq %u: %s\n", e->msg.nlmsg_seq, strerror(-e->error));
}

static void put_text(FILE *out, const struct kind *k, const struct nlmsghdr *nlh)
{
	char text[TEXT_BYTES], *rest = text, *line;

	k->text(nlh, text);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			fprintf(out, "      %s\n", line);
}

static void put_message(FILE *out, int bus, const struct nlmsghdr *nlh)
{
	const struct kind *k = find_kind(bus, nlh->nlmsg_type);

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		put_answer(out, nlh);
		return;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		fputs("DONE\n", out);
		return;
	}
	if (k)
		fputs(k->name, out);
	else
		fprintf(out, "type 0x%04x", nlh->nlmsg_type);
	fprintf(out, " seq %u, %u bytes", nlh->nlmsg_seq, nlh->nlmsg_len);
	put_flags(out, nlh);
	fputc('\n', out);
	if (k && k->text)
		put_text(out, k, nlh);
}

void trace_datagram(enum trace_direction direction, int bus, const void *bytes, size_t len)
{
	const struct nlmsghdr *nlh = bytes;
	int left = (int)len;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!is_enabled || !(out = open_memstream(&text, &size)))
		return;
	for (; nl_message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		fprintf(out, "trace: %s ", direction == TRACE_SENT ? "->" : "<-");
		put_message(out, bus, nlh);
	}
	fclose(out);
	fwrite(text, 1, size, stderr);
	free(text);
}
