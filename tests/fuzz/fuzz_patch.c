/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any two JSON values, a NUL between them: the first is patched by the second (RFC 7396). The
 * target stays as it was, what the patch sets to null is gone, and patching once more changes
 * nothing.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_patch CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "model/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Members that the patch removes are not there; one level is enough, the function is recursive. */
static void check_members(const json_t *patch, json_t *result)
{
	const char *name;
	json_t *value;

	if (!json_is_object(patch)) {
		must(json_equal((json_t *)patch, result));
		return;
	}
	must(json_is_object(result));
	json_object_foreach ((json_t *)patch, name, value)
		must(json_is_null(value) == !json_object_get(result, name));
}

static void check_patch(json_t *target, json_t *patch)
{
	json_t *before = json_deep_copy(target);
	json_t *once = json_merge_patch(target, patch);
	json_t *twice = json_merge_patch(once, patch);

	must(once && twice);
	must(json_equal(before, target));
	must(json_equal(once, twice));
	check_members(patch, once);
	json_decref(before);
	json_decref(once);
	json_decref(twice);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const unsigned char *end = size ? memchr(data, '\0', size) : NULL;
	struct err err = ERR_INIT;
	json_t *target, *patch;

	if (!end)
		return 0;
	target = json_parse((const char *)data, (size_t)(end - data), &err);
	patch = json_parse((const char *)end + 1, size - (size_t)(end - data) - 1, &err);
	if (target && patch)
		check_patch(target, patch);
	json_decref(target);
	json_decref(patch);
	err_fini(&err);
	return 0;
}
