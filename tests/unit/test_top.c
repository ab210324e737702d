/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fnatctl top: what is shown, without a terminal. */
#include <check.h>
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check_testing.h"
#include "fnatctl/top_table.h"

START_TEST(test_numbers)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0" },           { 0.25, "0.3" },      { 9.96, "10" },
		{ 7, "7" },           { 99999, "99999" },   { 99999.6, "100k" },
		{ 123456, "123k" },   { 999499, "999k" },   { 999600, "1.00M" },
		{ 4563210, "4.56M" }, { 1.25e10, "12.5G" }, { 1.8e19, "18.0E" },
	};
	char buf[TOP_NUMBER_BYTES];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ck_assert_str_eq(top_number(cases[i].value, buf), cases[i].text);
}
END_TEST

static json_t *some_stats(void)
{
	return json_pack("{s:{s:{s:i,s:{s:{s:i},s:{s:i}}},s:{s:i,s:{}},s:{s:i,s:{}}}}", "services",
			 "web", "conns", 5, "backends", "a", "conns", 4, "b", "conns", 1, "dns",
			 "conns", 9, "backends", "x", "conns", 5, "backends");
}

/* The names, separated by blanks; an indent is a dot. */
static char *order(const struct top_view *v)
{
	json_t *stats = some_stats();
	struct top_table t;
	char *all = mem_strdup("");

	top_table_fill(&t, stats, v);
	for (size_t i = 0; i < t.n; i++) {
		const char *name = t.rows[i].name;
		char *more = mem_printf("%s%s%s", all, *name == ' ' ? " ." : " ",
					name + (*name == ' ' ? 2 : 0));

		free(all);
		all = more;
	}
	top_table_fini(&t);
	json_decref(stats);
	return all;
}

static void assert_order(const struct top_view *v, const char *want)
{
	char *have = order(v);

	ck_assert_str_eq(have, want);
	free(have);
}

START_TEST(test_order)
{
	struct top_view v = { .has_backends = true, .column = 1, .width = 80, .n = 20 };

	assert_order(&v, " dns web .a .b x");
	ck_assert(top_view_key(&v, 'r', 5));
	assert_order(&v, " x web .b .a dns");
	ck_assert(top_view_key(&v, 'b', 5));
	assert_order(&v, " x web dns");
	ck_assert(top_view_key(&v, 'n', 3) && top_view_key(&v, 'r', 3));
	assert_order(&v, " dns web x");
	ck_assert(!top_view_key(&v, 'z', 3));
}
END_TEST

START_TEST(test_scrolling_ends)
{
	struct top_view v = { .width = 80, .n = 10 };

	ck_assert(top_view_key(&v, KEY_UP, 25));
	ck_assert_uint_eq(v.first, 0);
	top_view_key(&v, KEY_NPAGE, 25);
	ck_assert_uint_eq(v.first, 9);
	top_view_key(&v, KEY_END, 25);
	ck_assert_uint_eq(v.first, 15);
	top_view_key(&v, KEY_DOWN, 25);
	ck_assert_uint_eq(v.first, 15);
	/* Fewer rows, a larger screen, none at all. */
	top_view_key(&v, KEY_RESIZE, 12);
	ck_assert_uint_eq(v.first, 2);
	v.n = 0;
	top_view_key(&v, KEY_NPAGE, 0);
	ck_assert_uint_eq(v.first, 0);
}
END_TEST

/* Whatever the width: what is sorted by is there, and names have the rest. */
START_TEST(test_it_fits)
{
	struct top_view v = { .n = 10 };
	size_t from, to;

	for (v.width = 0; v.width < 200; v.width++) {
		for (v.column = 0; v.column <= top_columns(&v); v.column++) {
			top_fit(&v, &from, &to);
			ck_assert_uint_le(to, top_columns(&v));
			ck_assert_uint_le((to - from) * TOP_CELL + top_name_width(&v), v.width);
			if (v.width >= 10 + TOP_CELL && v.column > 0)
				ck_assert(v.column > from && v.column <= to);
		}
	}
	v.is_rate = true;
	v.width = 80;
	v.column = 1;
	top_fit(&v, &from, &to);
	ck_assert_uint_eq(to, top_columns(&v));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("top");
	TCase *t = tcase_create("top");

	tcase_add_test(t, test_numbers);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_scrolling_ends);
	tcase_add_test(t, test_it_fits);
	suite_add_tcase(s, t);
	return run_suite(s);
}
