/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset as a value: maps, chains and elements. Either all of the table
 * (what the kernel has; what a generation wants) or the part that one service
 * or pool needs.
 */
#ifndef FNAT_PLAN_IMAGE_H
#define FNAT_PLAN_IMAGE_H

#include "plan/arena.h"
#include "plan/program.h"

/* An element of any map. 80 bytes or so: a million of them are held at times. */
struct elem {
	struct map_ref map;
	/* key: what applies to the map's kind, the rest is zero */
	struct addr address; /* services, snat, slots: the listener's; addresses: the address */
	uint16_t port;
	uint8_t protocol;
	uint8_t pool_verdict; /* snat: 1 = `chain` names the pool */
	uint32_t slot;        /* slots; pool: the index */
	/* data */
	struct addr to;             /* slots, gates: backend; pool: local address */
	uint16_t to_port;           /* slots; gates: 0: the listener's */
	struct program program;     /* services: the chain it goes to */
	uint32_t max, tokens, room; /* gates: see struct gate */
	uint16_t epoch;             /* gates */
	const char *pool;           /* snat: goes to chain "pool-NAME"; borrowed */
	const char *comment;        /* "web", "web/a" or NULL; borrowed */
};

/* Order by map, then key. */
int elem_cmp_key(const struct elem *a, const struct elem *b);
/* Same key assumed: same data and comment? */
bool elem_same_value(const struct elem *a, const struct elem *b);

/* The gate that an element of MAP_GATES leads to. */
struct gate elem_gate(const struct elem *e);

/* Strings that elements borrow live as long as the image. */
struct image {
	struct map_ref *maps;
	size_t n_maps, cap_maps;
	struct chain *chains;
	size_t n_chains, cap_chains;
	struct elem *elems;
	size_t n_elems, cap_elems;
	struct arena strings;
};

void image_init(struct image *im);
void image_fini(struct image *im);
/* Copy of s that lives as long as the image. */
const char *image_string(struct image *im, const char *s);
struct elem *image_add_elem(struct image *im); /* zeroed, at the end; valid until the next add */
void image_add_map(struct image *im, const struct map_ref *m); /* copies the pool's name */
void image_add_chain(struct image *im, const struct chain *c);
/* Order by key; duplicates (same map, chain name or key) are removed. Needed before diff. */
void image_sort(struct image *im);
/* In a sorted image, or NULL. Borrowed until the image changes. */
const struct map_ref *image_map(const struct image *im, const struct map_ref *m);
const struct chain *image_chain(const struct image *im, const char *name);
const struct elem *image_elem(const struct image *im, const struct elem *key);
/* The fixed part of every ruleset. */
void image_add_base(struct image *im);

/*
 * Operations, in the order in which they must be sent. Stage 1 takes effect in
 * one atomic batch. Stage 2 removes what packets that began before stage 1 may
 * still look up, in a second batch after a grace period.
 */
enum op_kind {
	OP_ADD_MAP,
	OP_ADD_CHAIN, /* chain with its rules */
	OP_SET_CHAIN, /* replace the rules of a chain */
	OP_ADD_ELEM,
	OP_DEL_ELEM,
	OP_DEL_CHAIN,
	OP_DEL_MAP,
};

struct op {
	uint8_t kind; /* enum op_kind */
	union {
		struct map_ref map;
		struct chain *chain; /* owned by the ops */
		struct elem elem; /* DEL_ELEM: only the key counts (and data where the kernel wants
				     it) */
	};
};

struct op_list {
	struct op *items;
	size_t n, cap;
};

struct ops {
	struct op_list stage[2];
	struct op_list kept;  /* of stage 1, but done already: see garbage_resolve() */
	struct arena strings; /* what the ops borrow */
};

void ops_init(struct ops *ops);
void ops_fini(struct ops *ops);
/* All of *ops; what is left is empty. */
struct ops ops_move(struct ops *ops);
/* Only the list and the chains it owns. */
void op_list_fini(struct op_list *list);
/*
 * One more operation at the end. Strings that it names must live as long as
 * the list: ops_string() makes a copy that lives as long as the ops.
 */
const char *ops_string(struct ops *ops, const char *s);
void op_list_map(struct op_list *list, enum op_kind kind, const struct map_ref *m);
void op_list_chain(struct op_list *list, enum op_kind kind, const struct chain *c); /* copies */
void op_list_elem(struct op_list *list, enum op_kind kind, const struct elem *e);
static inline bool ops_empty(const struct ops *ops)
{
	return ops->stage[0].n == 0 && ops->stage[1].n == 0;
}

/*
 * What turns `have` into `want` (both sorted). The ops copy the strings they
 * need. diff(a, a) is empty; apply(a, diff(a, b)) is b. An element whose value
 * differs becomes DEL + ADD in stage 1; removed services elements go in stage 1,
 * every other removed thing in stage 2.
 */
void image_diff(const struct image *have, const struct image *want, struct ops *out);

/*
 * For tests and dry runs: carry out one stage on a sorted image, and sort it again. -EINVAL if an
 * op does not fit, by the kernel's rules: what is named must exist, what is added must not, what
 * is removed must not be referenced. The image is then useless.
 */
int image_apply(struct image *im, const struct op_list *ops);

/* One op as an nft command ("add element inet fnat slots4-rr-0 { ... }"), with newline. */
void op_text(const struct op *op, const char *table, FILE *out);
/* The whole image as `nft list table` prints it. */
void image_text(const struct image *im, const char *table, bool is_owned, FILE *out);
/* One element as nft prints it: `192.0.2.10 . tcp . 80 . 0 comment "web/a" : 10.1.0.11 . 8080`. */
void elem_text(const struct elem *e, FILE *out);

#endif
