/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over netlink attributes for messages that come by the hundred thousand a second. As
 * mnl_attr_for_each() and its kin, but inlined: an event of conntrack has two dozen attributes, and
 * five calls into libmnl for each were half of the instructions that it takes to understand it.
 */
#ifndef FNAT_KERNEL_ATTR_H
#define FNAT_KERNEL_ATTR_H

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t attr_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

static inline const void *attr_payload(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

/* Of an attribute that is whole. */
static inline size_t attr_payload_len(const struct nlattr *a)
{
	return a->nla_len - (size_t)NLA_HDRLEN;
}

/* Is there a whole one before the end? */
static inline bool attr_is_whole(const struct nlattr *a, const void *end)
{
	ptrdiff_t left = (const char *)end - (const char *)a;

	return left >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN && a->nla_len <= left;
}

static inline const struct nlattr *attr_next(const struct nlattr *a)
{
	return (const struct nlattr *)((const char *)a + NLA_ALIGN(a->nla_len));
}

#define ATTR_EACH(a, first, end) for ((a) = (first); attr_is_whole((a), (end)); (a) = attr_next(a))
/* Those that follow a message's extra header. */
#define ATTR_EACH_OF_MESSAGE(a, nlh, extra_bytes)                                                  \
	ATTR_EACH (a, mnl_nlmsg_get_payload_offset(nlh, extra_bytes),                              \
		   (const char *)(nlh) + (nlh)->nlmsg_len)
/* Those that are in another one. */
#define ATTR_EACH_NESTED(a, nest)                                                                  \
	ATTR_EACH (a, attr_payload(nest), (const char *)attr_payload(nest) + attr_payload_len(nest))

#endif
