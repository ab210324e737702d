/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "model_testing.h"

/* RFC 7396, appendix A, row by row; then what it says about absent targets and nested nulls. */
static const struct {
	const char *target, *patch, *result;
} examples[] = {
	{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
	{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
	{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
	{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
	{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
	{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
	{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
	{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
	{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
	{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
	{ "{\"a\":\"foo\"}", "null", "null" },
	{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
	{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
	{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
	{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	{ NULL, "{\"a\":1,\"b\":null,\"c\":{\"d\":null,\"e\":2}}", "{\"a\":1,\"c\":{\"e\":2}}" },
	{ NULL, "5", "5" },
	{ "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":null}}", "{\"a\":{\"c\":2}}" },
};

START_TEST(test_example)
{
	json_t *target = examples[_i].target ? json_of(examples[_i].target) : NULL;
	json_t *untouched = json_deep_copy(target);
	json_t *patch = json_of(examples[_i].patch), *want = json_of(examples[_i].result);
	json_t *merged = json_merge_patch(target, patch);
	char *text = json_dumps(merged, JSON_ENCODE_ANY | JSON_COMPACT);

	ck_assert_msg(json_equal(merged, want), "%s + %s = %s, want %s",
		      target ? examples[_i].target : "nothing", examples[_i].patch, text,
		      examples[_i].result);
	ck_assert(!target || json_equal(target, untouched));
	free(text);
	json_decref(merged);
	json_decref(want);
	json_decref(patch);
	json_decref(untouched);
	json_decref(target);
}
END_TEST

START_TEST(test_new_value_outlives_its_parents)
{
	json_t *target = json_of("{\"a\":{\"b\":1},\"c\":{\"d\":2}}");
	json_t *patch = json_of("{\"c\":{\"e\":[3]}}"), *want, *merged;

	merged = json_merge_patch(target, patch);
	json_decref(target);
	json_decref(patch);
	want = json_of("{\"a\":{\"b\":1},\"c\":{\"d\":2,\"e\":[3]}}");
	ck_assert(json_equal(merged, want));
	json_decref(want);
	json_decref(merged);
}
END_TEST

START_TEST(test_deepest_patch)
{
	enum { DEPTH = 2000 };
	char text[6 * DEPTH + 8], *p = text;
	json_t *patch, *merged;

	for (int i = 0; i < DEPTH; i++)
		p = stpcpy(p, "{\"a\":");
	p = stpcpy(p, "1");
	for (int i = 0; i < DEPTH; i++)
		p = stpcpy(p, "}");
	patch = json_of(text);
	merged = json_merge_patch(NULL, patch);
	ck_assert(json_equal(merged, patch));
	json_decref(merged);
	json_decref(patch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge_patch");
	TCase *tc = tcase_create("merge_patch");

	tcase_add_loop_test(tc, test_example, 0, (int)(sizeof(examples) / sizeof(examples[0])));
	tcase_add_test(tc, test_new_value_outlives_its_parents);
	tcase_add_test(tc, test_deepest_patch);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
