/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stats/flow_state.h"

#include <netinet/in.h>
#include <stddef.h>

/* By the numbers of linux/netfilter/nf_conntrack_tcp.h and nf_conntrack_sctp.h. */
static const char *const tcp_words[] = {
	"none",       "syn_sent", "syn_recv",  "established", "fin_wait",
	"close_wait", "last_ack", "time_wait", "close",       "syn_sent2",
};
static const char *const sctp_words[] = {
	"none",          "closed",        "cookie_wait",       "cookie_echoed",  "established",
	"shutdown_sent", "shutdown_recd", "shutdown_ack_sent", "heartbeat_sent", "heartbeat_acked",
};
static const char *const other_words[] = { "unreplied", "replied" };

#define N(words) (sizeof(words) / sizeof((words)[0]))

const char *flow_state_name(const struct flow *f)
{
	switch (f->protocol) {
	case IPPROTO_TCP:
		return tcp_words[f->state < N(tcp_words) ? f->state : 0];
	case IPPROTO_SCTP:
		return sctp_words[f->state < N(sctp_words) ? f->state : 0];
	}
	return other_words[(f->status & FLOW_SEEN_REPLY) != 0];
}

const char *flow_state_word(size_t i)
{
	if (i < N(tcp_words))
		return tcp_words[i];
	i -= N(tcp_words);
	if (i < N(sctp_words))
		return sctp_words[i];
	i -= N(sctp_words);
	return i < N(other_words) ? other_words[i] : NULL;
}
