/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel itself has put into the dynamic maps of the table: reading it, and taking out
 * some of it.
 */
#ifndef FNAT_KERNEL_NFT_ENTRIES_H
#define FNAT_KERNEL_NFT_ENTRIES_H

#include "kernel/nft.h"
#include "kernel/nl.h"

/* A client and where it goes; of MAP_BEGUN, a backend and how many went there. */
struct entry {
	struct addr client;  /* without the bits that do not count; none of MAP_BEGUN */
	struct addr to;      /* the backend */
	uint16_t to_port;    /* 0: the listener's */
	uint64_t expires_ms; /* time left */
	uint64_t packets;    /* of MAP_BEGUN: first ones of connections */
};

struct entries {
	struct entry *items;
	size_t n, cap;
};
void entries_fini(struct entries *e);

/* Append the map's entries. The kernel may change them meanwhile: one may be missing or twice. */
int nft_entries_read(struct nft *nft, const struct map_ref *map, struct entries *out,
		     struct err *err);

/*
 * Piece by piece, about 570 entries each, over anybody's socket: one dump at a time for each. map
 * and dump are private.
 */
struct nft_dump {
	struct nl *nl;
	struct map_ref map;
	struct nl_dump dump;
};
int nft_dump_begin(struct nft_dump *d, const char *table, const struct map_ref *map,
		   struct err *err);
int nft_dump_next(struct nft_dump *d, struct entries *out, bool *is_done, struct err *err);

/*
 * The same piece by piece, about 570 entries each, over a socket of its own: commits may come in
 * between. One walk at a time.
 */
int nft_walk_begin(struct nft *nft, const struct map_ref *map, struct err *err);
int nft_walk_next(struct nft *nft, struct entries *out, bool *is_done, struct err *err);

/* Delete those; one that is gone already is fine. Not one batch: some may be gone on failure. */
int nft_entries_delete(struct nft *nft, const struct map_ref *map, const struct entry *items,
		       size_t n, struct err *err);

#endif
