/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tag that is no number is a tag all the same: it matches no generation, which
 * is not an error. Without its quotes it is one, because it would be silly to guess
 * when the whole point is not to change the wrong thing.
 */
#include "api/precondition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

/* Past the tag, or NULL. */
static const char *parse_tag(const char *s, struct precondition *out)
{
	bool is_weak = strncmp(s, "W/", 2) == 0;
	const char *start = s + (is_weak ? 2 : 0), *end;

	if (*start != '"' || !(end = strchr(start + 1, '"')))
		return NULL;
	start++;
	if (end > start && end - start <= 19 &&
	    strspn(start, "0123456789") == (size_t)(end - start) &&
	    out->n_tags < PRECONDITION_TAGS_MAX) {
		out->tags[out->n_tags].generation = strtoull(start, NULL, 10);
		out->tags[out->n_tags++].is_weak = is_weak;
	}
	return end + 1;
}

int precondition_parse(const char *header, struct precondition *out)
{
	const char *s = header;

	*out = (struct precondition){ .is_present = header != NULL };
	if (!s)
		return 0;
	s = skip_space(s);
	if (*s == '*') {
		out->is_any = true;
		return *skip_space(s + 1) ? -EINVAL : 0;
	}
	for (;;) {
		s = parse_tag(s, out);
		if (!s)
			return -EINVAL;
		s = skip_space(s);
		if (!*s)
			return 0;
		if (*s != ',')
			return -EINVAL;
		s = skip_space(s + 1);
	}
}

static bool names(const struct precondition *p, uint64_t generation, bool with_weak)
{
	for (size_t i = 0; i < p->n_tags; i++)
		if (p->tags[i].generation == generation && (with_weak || !p->tags[i].is_weak))
			return true;
	return false;
}

/* Strong comparison: RFC 9110, 8.8.3.2. */
bool if_match_holds(const struct precondition *p, uint64_t generation, bool is_there)
{
	if (!p->is_present)
		return true;
	return p->is_any ? is_there : names(p, generation, false);
}

bool if_none_match_holds(const struct precondition *p, uint64_t generation, bool is_there)
{
	if (!p->is_present)
		return true;
	return p->is_any ? !is_there : !names(p, generation, true);
}
