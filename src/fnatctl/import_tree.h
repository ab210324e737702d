/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration text as statements: words, and in braces the statements that
 * belong to them. keepalived.conf is of that form; JSON is brought to it, with
 * a member's name as the first word and its text as the second.
 */
#ifndef FNAT_FNATCTL_IMPORT_TREE_H
#define FNAT_FNATCTL_IMPORT_TREE_H

#include "fnatctl/import.h"

/* Nothing that makes sense is deeper. */
#define IMPORT_DEPTH_MAX 32

struct import_node {
	struct import_place at;
	char **words; /* owned; in JSON an element has an empty name */
	size_t n_words, cap_words;
	bool is_block; /* there were braces */
	struct import_node *children;
	size_t n_children, cap_children;
};

/* Word i, or "". Borrowed. */
const char *import_word(const struct import_node *n, size_t i);
/* The last child whose first word is `name`, or NULL. */
const struct import_node *import_child(const struct import_node *n, const char *name);
void import_node_fini(struct import_node *n);

/* The whole text as the children of *out. What is wrong becomes a note. Included files are read. */
void import_parse_keepalived(struct import *im, const struct import_source *src,
			     struct import_node *out);
/* -EINVAL, and a problem, when it is not JSON. */
int import_parse_json(struct import *im, const struct import_source *src, struct import_node *out,
		      struct err *err);

#endif
