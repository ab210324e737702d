/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of maps and sets as netlink attributes
 * (linux/netfilter/nf_tables.h, enum nft_set_elem_attributes).
 */
#ifndef FNAT_KERNEL_NFT_ELEM_H
#define FNAT_KERNEL_NFT_ELEM_H

#include <libmnl/libmnl.h>

#include "plan/image.h"

/* No element is longer: key 36, data 100, user data 260, and their headers. */
#define NFT_ELEM_BYTES 512

/* The comment of an element that fnat did not write (no name has a parenthesis). */
#define NFT_FOREIGN_COMMENT "(foreign)"

/* How a map is declared: nft's type ids, six bits a part. data_len 0: verdicts, or a set. */
struct map_spec {
	uint32_t flags, key_type, key_len, data_type, data_len;
	uint32_t size;          /* of a dynamic map: as the kernel tells it; others: 0 */
	uint32_t declared_size; /* 0: nothing is said */
};
struct map_spec nft_map_spec(const struct map_ref *m);

/* Append an element to the message: all of it, or for a deletion the key. */
void nft_elem_put(struct nlmsghdr *nlh, const struct elem *e, bool is_add);

/* The elements of a message, one after the other; none where it is not NFT_MSG_NEWSETELEM. */
typedef void nft_elem_fn(const struct nlattr *elem, void *arg);
void nft_elem_each(const struct nlmsghdr *nlh, nft_elem_fn *fn, void *arg);

/* What an element of a dynamic map has besides. */
struct elem_state {
	uint64_t expires_ms; /* time left */
	uint64_t packets;    /* of its counter */
};

/*
 * An element of `map` from the kernel. The comment and the map's pool are borrowed from attr and
 * map, elem.pool from name. -EINVAL: the key is not one of this map's. state may be NULL.
 */
int nft_elem_get(const struct nlattr *attr, const struct map_ref *map, const struct map_spec *spec,
		 struct elem *out, char name[NFT_NAME_BYTES], struct elem_state *state);

#endif
