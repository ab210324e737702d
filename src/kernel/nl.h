/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netfilter netlink socket (libmnl) and the three ways to use it: send a
 * batch and gather what the kernel says, ask one thing, dump.
 *
 * The kernel answers nfnetlink requests inside sendmsg(2): when it returns,
 * every acknowledgement and error already waits in the receive queue. So
 * answers are read without blocking, and an answer that is not there is lost.
 */
#ifndef FNAT_KERNEL_NL_H
#define FNAT_KERNEL_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#include "base/err.h"

#define NL_BUFFER_BYTES   65536 /* the kernel makes dump messages of up to 32 KiB */
#define NL_REQUEST_BYTES  4096
#define NL_EXT_TEXT_BYTES 192

/* Is there a whole message in the next len bytes? mnl_nlmsg_ok() takes its length for signed. */
static inline bool nl_message_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (uint32_t)len;
}

struct nl {
	struct mnl_socket *sock;
	uint32_t portid;
	uint32_t seq;  /* of the last message sent */
	size_t sndbuf; /* what SO_SNDBUFFORCE was given last */
	char *buffer;  /* NL_BUFFER_BYTES for receiving */
	bool is_dirty; /* a dump was given up: what it left has to be read away */
};

/* In the network namespace of the calling thread. 0 or negative (ERR_SYSTEM). */
int nl_open(struct nl *nl, struct err *err);
void nl_close(struct nl *nl);

/* What the kernel said about a message that it did not like. */
struct nl_error {
	int code;        /* negative errno */
	uint32_t seq;    /* of the message */
	uint32_t offset; /* of the attribute that is to blame, from the message's start; 0: unknown
			  */
	char text[NL_EXT_TEXT_BYTES]; /* the kernel's own words, or "" */
};

/*
 * Send len bytes in one piece, however large. 0, or a negative errno when the kernel has not seen
 * them.
 */
int nl_send(struct nl *nl, const void *bytes, size_t len);

/* What waits in the queue after nl_send() about the messages first ... last (their numbers). */
struct nl_answers {
	unsigned int n_acks, n_errors;
	uint32_t last_ack_seq;
	struct nl_error first; /* when n_errors > 0 */
	bool is_overrun;       /* the queue was too small: there were more */
	int code;              /* receiving failed for another reason; else 0 */
};

/* Message that is neither acknowledgement nor error; may be NULL. */
typedef void nl_message_fn(const struct nlmsghdr *nlh, void *arg);
void nl_gather(struct nl *nl, uint32_t first, uint32_t last, struct nl_answers *out,
	       nl_message_fn *fn, void *arg);

/*
 * One request (its seq and flags are completed here), one answer. 0 or the negative errno that
 * the kernel gave; *refusal (may be NULL) then holds its words.
 */
int nl_ask(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *arg,
	   struct nl_error *refusal);

/*
 * A dump piece by piece. The kernel makes a piece when the one before is taken, so that one who
 * stops for a while costs nothing.
 */
struct nl_dump {
	uint32_t seq;
	bool is_interrupted; /* things changed meanwhile: it may lack or repeat something */
	bool is_done;
	int code; /* the kernel's errno, when is_done */
};

/* 0 or a negative errno. One dump at a time for a socket. */
int nl_dump_begin(struct nl *nl, struct nlmsghdr *request, struct nl_dump *d);
/* The next piece through fn; blocks. 0, d->is_done says whether that was all; or what receiving
 * failed with. */
int nl_dump_next(struct nl *nl, struct nl_dump *d, nl_message_fn *fn, void *arg);

/*
 * All messages of a dump go through fn. 0; -EINTR when the kernel says that things changed
 * meanwhile (all of the dump was delivered, it may lack or repeat something); or the kernel's
 * errno.
 */
int nl_dump(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *arg);

#endif
