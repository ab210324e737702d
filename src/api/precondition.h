/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * If-Match and If-None-Match (RFC 9110, 13.1). The entity tag of everything is
 * the generation: "17".
 */
#ifndef FNAT_API_PRECONDITION_H
#define FNAT_API_PRECONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRECONDITION_TAGS_MAX 8

struct precondition {
	bool is_present, is_any;
	struct {
		uint64_t generation;
		bool is_weak;
	} tags[PRECONDITION_TAGS_MAX]; /* those that can be generations */
	size_t n_tags;
};

/* header may be NULL: absent. 0 or -EINVAL: neither "*" nor a list of entity tags. */
int precondition_parse(const char *header, struct precondition *out);

/* Absent preconditions hold. */
bool if_match_holds(const struct precondition *p, uint64_t generation, bool is_there);
bool if_none_match_holds(const struct precondition *p, uint64_t generation, bool is_there);

#endif
