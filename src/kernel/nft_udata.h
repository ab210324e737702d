/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User data: what nft stores beside sets and elements in order to list them
 * as they were written (libnftnl/udata.h; the numbers inside "typeof" are
 * nft's own enum expr_types, enum proto_desc_id and field numbers). The kernel
 * keeps it and never looks at it.
 */
#ifndef FNAT_KERNEL_NFT_UDATA_H
#define FNAT_KERNEL_NFT_UDATA_H

#include <stddef.h>
#include <stdint.h>

#include "plan/program.h"

#define NFT_UDATA_MAX 256 /* NFT_USERDATA_MAXLEN */

/* User data of a set or map; returns its length. */
size_t nft_udata_set(const struct map_ref *m, uint8_t out[NFT_UDATA_MAX]);

/* User data of an element with a comment; returns its length (0: too long to be stored). */
size_t nft_udata_comment(const char *comment, uint8_t out[NFT_UDATA_MAX]);

/* The comment in an element's user data, or NULL. Borrowed from data, ends with NUL. */
const char *nft_udata_get_comment(const uint8_t *data, size_t len);

#endif
