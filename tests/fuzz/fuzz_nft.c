/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements as nf_tables' netlink socket tells them, which fnat reads by hand: the name of a map, a
 * NUL, then messages (the corpus has real ones). What is read lies inside the message, and either
 * is something that fnat would not have written, or is the same when it is written and read again.
 * What libnftnl reads (sets, chains, rules) is not here: it ends the program, or worse, where
 * the kernel breaks its word.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_nft CORPUS
 */
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/nft_elem.h"
#include "kernel/nl.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct map {
	struct map_ref ref;
	struct map_spec spec;
};

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void write_and_read(const struct elem *e, const struct map *map)
{
	union {
		struct nlmsghdr header;
		char bytes[2 * NFT_ELEM_BYTES];
	} buf = { .bytes = { 0 } };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(&buf);
	char name[NFT_NAME_BYTES];
	struct elem again;

	nft_elem_put(nlh, e, true);
	must(nft_elem_get(mnl_nlmsg_get_payload(nlh), &map->ref, &map->spec, &again, name, NULL) ==
	     0);
	must(elem_cmp_key(e, &again) == 0 && elem_same_value(e, &again));
}

static void check_elem(const struct nlattr *attr, const struct map *map)
{
	char name[NFT_NAME_BYTES];
	struct elem_state state;
	struct elem e;

	if (nft_elem_get(attr, &map->ref, &map->spec, &e, name, &state) < 0)
		return;
	if (!map_is_dynamic(&map->ref) &&
	    (!e.comment || strcmp(e.comment, NFT_FOREIGN_COMMENT) != 0))
		write_and_read(&e, map);
}

static void check_message(const struct nlmsghdr *nlh, const struct map *map)
{
	const struct nlattr *list, *elem;

	mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, list) check_elem(elem, map);
	}
}

static bool find_map(const char *name, struct map *out, char pool[NFT_NAME_BYTES])
{
	memset(out, 0, sizeof(*out));
	if (map_parse(name, &out->ref, pool) < 0 || !map_has_elements(&out->ref))
		return false;
	out->spec = nft_map_spec(&out->ref);
	return true;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const unsigned char *end = size ? memchr(data, '\0', size) : NULL;
	int len = end ? (int)(data + size - end - 1) : 0;
	struct nlmsghdr *copy =
		malloc(len ? (size_t)len : 1); /* aligned, and not longer than it is */
	const struct nlmsghdr *nlh = copy;
	char pool[NFT_NAME_BYTES];
	struct map map;

	must(copy != NULL);
	if (end && find_map((const char *)data, &map, pool)) {
		memcpy(copy, end + 1, (size_t)len);
		for (; nl_message_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
			check_message(nlh, &map);
	}
	free(copy);
	return 0;
}
