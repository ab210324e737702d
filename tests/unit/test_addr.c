/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "model_testing.h"

static struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse(text, &a) == 0, "%s", text);
	return a;
}

static struct addr_range range_of(const char *text)
{
	struct addr_range r;

	ck_assert_msg(addr_range_parse(text, &r) == 0, "%s", text);
	return r;
}

static const struct {
	const char *in, *out;
} texts[] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "0.0.0.0", "0.0.0.0" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "::", "::" },
	{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
	{ "fd00:1::40", "fd00:1::40" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

START_TEST(test_text_there_and_back)
{
	struct addr a = addr_of(texts[_i].in);
	char buf[ADDR_STRLEN];

	ck_assert_str_eq(addr_format(&a, buf), texts[_i].out);
}
END_TEST

START_TEST(test_every_byte)
{
	char buf[ADDR_STRLEN], wanted[ADDR_STRLEN];

	for (unsigned int n = 0; n < 256; n++) {
		struct addr a = { .family = AF_INET, .bytes = { n, 255 - n, n, n } };

		snprintf(wanted, sizeof(wanted), "%u.%u.%u.%u", n, 255 - n, n, n);
		ck_assert_str_eq(addr_format(&a, buf), wanted);
	}
}
END_TEST

static const char *const not_addresses[] = {
	"",
	" ",
	"10.1",
	"10.1.0.256",
	"10.1.0.1 ",
	" 10.1.0.1",
	"10.01.0.1x",
	"1.2.3.4.5",
	":::",
	"2001:db8::1::2",
	"2001:db8::1%eth0",
	"localhost",
	"10.0.0.1/32",
	"[::1]",
};

START_TEST(test_not_an_address)
{
	struct addr a = { .family = 77 };

	ck_assert_int_eq(addr_parse(not_addresses[_i], &a), -EINVAL);
	ck_assert_uint_eq(a.family, 77);
}
END_TEST

START_TEST(test_all_bytes_are_defined)
{
	struct addr a, b;

	memset(&a, 0xaa, sizeof(a));
	memset(&b, 0x55, sizeof(b));
	ck_assert_int_eq(addr_parse("10.1.2.3", &a), 0);
	ck_assert_int_eq(addr_parse("10.1.2.3", &b), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

START_TEST(test_order)
{
	static const char *const sorted[] = { "0.0.0.1",  "9.255.255.255", "10.0.0.0",
					      "10.0.1.0", "255.0.0.0",     "::",
					      "::1",      "2001:db8::",    "ff02::1" };
	const size_t n = sizeof(sorted) / sizeof(sorted[0]);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			struct addr a = addr_of(sorted[i]), b = addr_of(sorted[j]);
			int rc = addr_cmp(&a, &b);

			ck_assert_int_eq((rc > 0) - (rc < 0), (i > j) - (i < j));
			ck_assert(addr_equal(&a, &b) == (i == j));
		}
	}
}
END_TEST

START_TEST(test_unicast)
{
	static const char *const yes[] = { "10.0.0.1", "127.0.0.1", "223.255.255.255",
					   "::1",      "fe80::1",   "2001:db8::" };
	static const char *const no[] = { "0.0.0.0",         "224.0.0.1", "239.255.255.255",
					  "255.255.255.255", "::",        "ff02::1" };
	struct addr none = { 0 };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		struct addr a = addr_of(yes[i]);

		ck_assert_msg(addr_is_unicast(&a), "%s", yes[i]);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		struct addr a = addr_of(no[i]);

		ck_assert_msg(!addr_is_unicast(&a), "%s", no[i]);
	}
	ck_assert(!addr_is_unicast(&none));
}
END_TEST

static const struct {
	const char *a;
	uint64_t n;
	const char *sum;
} sums[] = {
	{ "10.0.0.255", 1, "10.0.1.0" },
	{ "10.0.0.0", 65536, "10.1.0.0" },
	{ "10.0.0.1", 0, "10.0.0.1" },
	{ "255.255.255.255", 1, "0.0.0.0" },
	{ "10.0.0.1", (uint64_t)1 << 32, "10.0.0.1" },
	{ "fd00::ffff:ffff", 1, "fd00::1:0:0" },
	{ "fd00::1", UINT64_MAX, "fd00:0:0:1::" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2, "::1" },
};

START_TEST(test_add)
{
	struct addr a = addr_of(sums[_i].a), sum = addr_add(&a, sums[_i].n);
	char buf[ADDR_STRLEN];

	ck_assert_str_eq(addr_format(&sum, buf), sums[_i].sum);
}
END_TEST

static const struct {
	const char *in, *out;
	uint64_t count;
} ranges[] = {
	{ "10.0.0.1", "10.0.0.1", 1 },
	{ "10.0.0.1-10.0.0.1", "10.0.0.1", 1 },
	{ "10.0.0.250-10.0.1.5", "10.0.0.250-10.0.1.5", 12 },
	{ "10.0.0.0/28", "10.0.0.0-10.0.0.15", 16 },
	{ "10.0.0.4/31", "10.0.0.4-10.0.0.5", 2 },
	{ "10.0.0.7/32", "10.0.0.7", 1 },
	{ "0.0.0.0/0", "0.0.0.0-255.255.255.255", (uint64_t)1 << 32 },
	{ "fd00:1::40/122", "fd00:1::40-fd00:1::7f", 64 },
	{ "fd00::/65", "fd00::-fd00::7fff:ffff:ffff:ffff", (uint64_t)1 << 63 },
	{ "fd00::1-fd00::ffff:ffff:ffff:ffff", "fd00::1-fd00::ffff:ffff:ffff:ffff", UINT64_MAX },
	{ "fd00::/64", "fd00::-fd00::ffff:ffff:ffff:ffff", UINT64_MAX },
	{ "::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT64_MAX },
	{ "fd00::ffff-fd00::1:0", "fd00::ffff-fd00::1:0", 2 },
};

START_TEST(test_range)
{
	struct addr_range r = range_of(ranges[_i].in);
	char buf[2 * ADDR_STRLEN];

	ck_assert_str_eq(addr_range_format(&r, buf), ranges[_i].out);
	ck_assert_uint_eq(addr_range_count(&r), ranges[_i].count);
}
END_TEST

static const struct {
	const char *text;
	int rc;
} not_ranges[] = {
	{ "", -EINVAL },
	{ "-", -EINVAL },
	{ "10.0.0.1-", -EINVAL },
	{ "-10.0.0.1", -EINVAL },
	{ "10.0.0.2-10.0.0.1", -EINVAL },
	{ "10.0.0.1-fd00::1", -EINVAL },
	{ "10.0.0.1-10.0.0.2-10.0.0.3", -EINVAL },
	{ "10.0.0.0/", -EINVAL },
	{ "10.0.0.0/33", -EINVAL },
	{ "10.0.0.0/+8", -EINVAL },
	{ "10.0.0.0/08", -EINVAL },
	{ "10.0.0.0/8 ", -EINVAL },
	{ "10.0.0.0/4294967304", -EINVAL },
	{ "fd00::/129", -EINVAL },
	{ "10.0.0.0/255.0.0.0", -EINVAL },
	{ "10.0.0.1/28", -EDOM },
	{ "fd00::1/64", -EDOM },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-10.0.0.1",
	  -EINVAL },
};

START_TEST(test_not_a_range)
{
	struct addr_range r;

	ck_assert_int_eq(addr_range_parse(not_ranges[_i].text, &r), not_ranges[_i].rc);
}
END_TEST

START_TEST(test_contains_and_overlaps)
{
	struct addr_range r = range_of("10.0.0.4-10.0.0.8"), touching = range_of("10.0.0.8/29");
	struct addr_range apart = range_of("10.0.0.9-10.0.0.12"), six = range_of("::/0");
	struct addr in = addr_of("10.0.0.4"), out = addr_of("10.0.0.9"), other = addr_of("::5");

	ck_assert(addr_range_contains(&r, &in));
	ck_assert(!addr_range_contains(&r, &out));
	ck_assert(!addr_range_contains(&r, &other));
	ck_assert(addr_range_overlaps(&r, &touching) && addr_range_overlaps(&touching, &r));
	ck_assert(!addr_range_overlaps(&r, &apart) && !addr_range_overlaps(&apart, &r));
	ck_assert(!addr_range_overlaps(&r, &six) && !addr_range_overlaps(&six, &r));
}
END_TEST

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("addr");
	TCase *tc = tcase_create("addr");

	tcase_add_loop_test(tc, test_text_there_and_back, 0, N(texts));
	tcase_add_test(tc, test_every_byte);
	tcase_add_loop_test(tc, test_not_an_address, 0, N(not_addresses));
	tcase_add_test(tc, test_all_bytes_are_defined);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_unicast);
	tcase_add_loop_test(tc, test_add, 0, N(sums));
	tcase_add_loop_test(tc, test_range, 0, N(ranges));
	tcase_add_loop_test(tc, test_not_a_range, 0, N(not_ranges));
	tcase_add_test(tc, test_contains_and_overlaps);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
