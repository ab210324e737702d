/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An entry can expire between reading and deleting it, and a batch that deletes what is not there
 * is refused as a whole. Since 6.3 the kernel has a message that does not mind
 * (NFT_MSG_DESTROYSETELEM); before that, a refused batch is cut in halves until the guilty entry is
 * alone.
 */
#include "kernel/nft_entries.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/nft_elem.h"
#include "kernel/nft_priv.h"

/* Entries of one batch, at most. */
#define DELETE_MAX 8192
#define READ_TRIES 20

struct read {
	const struct map_ref *map;
	struct map_spec spec;
	struct entries *out;
};

void entries_fini(struct entries *e)
{
	free(e->items);
	*e = (struct entries){ 0 };
}

static void read_entry(const struct nlattr *attr, void *arg)
{
	struct read *r = arg;
	char name[NFT_NAME_BYTES];
	struct elem_state state;
	struct elem e;

	if (nft_elem_get(attr, r->map, &r->spec, &e, name, &state) < 0)
		return;
	VEC_PUSH(r->out->items, r->out->n, r->out->cap) =
		r->map->kind == MAP_BEGUN ? (struct entry){ .to = e.address,
							    .to_port = e.port,
							    .packets = state.packets }
					  : (struct entry){ .client = e.address,
							    .to = e.to,
							    .to_port = e.to_port,
							    .expires_ms = state.expires_ms };
}

static void on_entries(const struct nlmsghdr *nlh, void *arg)
{
	nft_elem_each(nlh, read_entry, arg);
}

static struct nlmsghdr *request(const char *table, const struct map_ref *map,
				char buf[NL_REQUEST_BYTES])
{
	struct nlmsghdr *nlh;
	char name[NFT_NAME_BYTES];

	memset(buf, 0, NL_REQUEST_BYTES);
	nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, NFPROTO_INET, 0, 0);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, map_name(map, name));
	return nlh;
}

/* Interrupted: somebody changed the ruleset, perhaps not this table. Nor is a map that is not there
 * (the table was flushed) one with entries. */
static int read_result(const struct map_ref *map, int code, struct err *err)
{
	char name[NFT_NAME_BYTES];

	if (code == 0 || code == -EINTR || code == -ENOENT)
		return 0;
	return err_add(err, ERR_KERNEL, code, NULL, "reading map %s: %s", map_name(map, name),
		       strerror(-code));
}

int nft_entries_read(struct nft *nft, const struct map_ref *map, struct entries *out,
		     struct err *err)
{
	struct read r = { map, nft_map_spec(map), out };
	size_t n_before = out->n;
	char buf[NL_REQUEST_BYTES];
	int code = -EINTR;

	for (int i = 0; i < READ_TRIES && code == -EINTR; i++) {
		out->n = n_before;
		code = nl_dump(&nft->nl, request(nft->table, map, buf), on_entries, &r);
	}
	return read_result(map, code, err);
}

int nft_dump_begin(struct nft_dump *d, const char *table, const struct map_ref *map,
		   struct err *err)
{
	char buf[NL_REQUEST_BYTES];

	d->map = *map;
	return read_result(map, nl_dump_begin(d->nl, request(table, map, buf), &d->dump), err);
}

int nft_dump_next(struct nft_dump *d, struct entries *out, bool *is_done, struct err *err)
{
	struct read r = { &d->map, nft_map_spec(&d->map), out };
	int code = nl_dump_next(d->nl, &d->dump, on_entries, &r);

	*is_done = code < 0 || d->dump.is_done;
	return read_result(&d->map, code < 0 ? code : d->dump.code, err);
}

int nft_walk_begin(struct nft *nft, const struct map_ref *map, struct err *err)
{
	int code = nft->walk.nl.sock ? 0 : nl_open(&nft->walk.nl, err);

	if (code < 0)
		return code;
	nft->walk.at.nl = &nft->walk.nl;
	if (!nft->walk.at.dump.is_done)
		nft->walk.nl.is_dirty = true; /* one that was given up */
	return nft_dump_begin(&nft->walk.at, nft->table, map, err);
}

int nft_walk_next(struct nft *nft, struct entries *out, bool *is_done, struct err *err)
{
	return nft_dump_next(&nft->walk.at, out, is_done, err);
}

static void to_elems(const struct map_ref *map, const struct entry *items, size_t n,
		     struct elem *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct elem){ .map = *map, .address = items[i].client };
}

static int delete_once(struct nft *nft, const struct elem *elems, size_t n)
{
	struct nl_error refusal;

	batch_begin(&nft->batch, nft->nl.seq);
	batch_add_table(&nft->batch, nft->table, nft->table_flags);
	batch_del_elems(&nft->batch, nft->table, elems, n, !nft->lacks_destroy);
	return nft_submit(nft, &refusal);
}

static int delete_some(struct nft *nft, const struct elem *elems, size_t n)
{
	int code = delete_once(nft, elems, n);

	if (code == -EINVAL && !nft->lacks_destroy) { /* the kernel does not know the message */
		nft->lacks_destroy = true;
		code = delete_once(nft, elems, n);
	}
	if (code != -ENOENT)
		return code;
	if (n == 1)
		return 0;
	code = delete_some(nft, elems, n / 2);
	return code < 0 ? code : delete_some(nft, elems + n / 2, n - n / 2);
}

int nft_entries_delete(struct nft *nft, const struct map_ref *map, const struct entry *items,
		       size_t n, struct err *err)
{
	size_t n_elems = n < DELETE_MAX ? n : DELETE_MAX;
	struct elem *elems = mem_calloc(n_elems + 1, sizeof(*elems));
	char name[NFT_NAME_BYTES];
	int code = 0;

	for (size_t i = 0; i < n && code == 0; i += n_elems) {
		size_t some = n - i < n_elems ? n - i : n_elems;

		to_elems(map, items + i, some, elems);
		code = delete_some(nft, elems, some);
	}
	free(elems);
	return code == 0 ? 0
			 : err_add(err, ERR_KERNEL, code, NULL, "deleting entries of map %s: %s",
				   map_name(map, name), strerror(-code));
}
