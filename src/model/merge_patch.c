/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON merge patch (RFC 7396). What the patch does not mention is shared with the target, not
 * copied: a patch of one backend among thousands costs one level of members. The depth is that
 * of the patch, which the parser bounds.
 */
#include <stdlib.h>

#include "model/json.h"

static json_t *must(json_t *value)
{
	if (!value)
		abort(); /* out of memory, as in mem.c */
	return value;
}

json_t *json_merge_patch(const json_t *target, const json_t *patch)
{
	json_t *merged, *member;
	const char *key;

	if (!json_is_object(patch))
		return json_incref((json_t *)patch);
	merged = must(json_is_object(target) ? json_copy((json_t *)target) : json_object());
	json_object_foreach ((json_t *)patch, key, member) {
		if (json_is_null(member))
			json_object_del(merged, key);
		else if (json_object_set_new_nocheck(
				 merged, key,
				 json_merge_patch(json_object_get(target, key), member)) < 0)
			abort();
	}
	return merged;
}
