/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Persistence: read and written, names of what is one service's own, and who may stay where. */
#include "images.h"
#include "model_testing.h"
#include "plan/effective.h"
#include "plan/plan.h"
#include "plan/stay.h"

#define SERVICE(more)                                                                              \
	"{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80},"           \
	"{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":443}],\"pool\":\"lan\"," more   \
	"\"backends\":{\"a\":{\"address\":\"10.1.0.11\",\"weight\":0},"                            \
	"\"b\":{\"address\":\"10.1.0.12\"},\"c\":{\"address\":\"10.1.0.13\"}}}"
#define STICKY "\"persistence\":{\"timeout_s\":60},"
#define KEEPS  "\"persistence\":{\"keep_draining\":true},"

START_TEST(test_defaults_are_those_of_ipvs)
{
	const struct service *s = service_of("web", SERVICE("\"persistence\":{},"));
	const struct service *none = service_of("web", SERVICE(""));

	ck_assert_uint_eq(s->persistence.timeout_s, 300);
	ck_assert_uint_eq(s->persistence.prefix4, 32);
	ck_assert_uint_eq(s->persistence.prefix6, 128);
	ck_assert_uint_eq(s->persistence.max_entries, 65535);
	ck_assert(!s->persistence.keep_draining);
	ck_assert_uint_eq(none->persistence.timeout_s, 0);
	ck_assert(!service_equal(s, none));
	service_unref(s);
	service_unref(none);
}
END_TEST

START_TEST(test_written_and_read_again)
{
	const struct service *s = service_of(
		"web", SERVICE("\"persistence\":{\"timeout_s\":7,\"prefix4\":24,\"prefix6\":64,"
			       "\"max_entries\":100,\"keep_draining\":true},"
			       "\"pins\":{\"198.51.100.7\":\"c\",\"10.0.0.0/8\":\"b\"},"));
	json_t *value = service_to_json(s);
	struct err err = ERR_INIT;
	const struct service *again = service_from_json(value, "web", "", &err);

	ck_assert_ptr_nonnull(again);
	ck_assert(service_equal(s, again));
	ck_assert_uint_eq(again->n_pins, 2);
	ck_assert_str_eq(again->pins[0].backend, "b");
	ck_assert_uint_eq(again->pins[0].bits, 8);
	ck_assert_str_eq(
		json_string_value(json_object_get(json_object_get(value, "pins"), "198.51.100.7")),
		"c");
	json_decref(value);
	service_unref(s);
	service_unref(again);
}
END_TEST

static const struct {
	struct program program;
	const char *name;
} programs[] = {
	{ { .kind = PROGRAM_RR,
	    .family = AF_INET,
	    .lane = 7,
	    .size = 3,
	    .own = 5,
	    .options = PROGRAM_STICKY },
	  "rr4-3-7-own5-sticky" },
	{ { .kind = PROGRAM_MH,
	    .family = AF_INET6,
	    .refusal = REFUSAL_DROP,
	    .lane = 65535,
	    .size = 65521,
	    .key = HASH_FIVE_TUPLE,
	    .prefix = 127,
	    .own = 65535,
	    .options = PROGRAM_STICKY | PROGRAM_KEEPS_PORT,
	    .sticky_prefix = 127,
	    .sticky_bits = 20,
	    .pins = { 128, 127, 126, 125 } },
	  "mh6-65521-65535-p127-tuple-own65535-sticky-mask127-max20-pin128-pin127-pin126-pin125-"
	  "addr-drop" },
	{ { .kind = PROGRAM_RANDOM, .family = AF_INET, .size = 3, .own = 1, .pins = { 24 } },
	  "random4-3-own1-pin24" },
};

START_TEST(test_program_names)
{
	struct program p;
	char name[NFT_NAME_BYTES];

	ck_assert_str_eq(program_name(&programs[_i].program, name), programs[_i].name);
	ck_assert_int_eq(program_parse(name, &p), 0);
	ck_assert(program_equal(&p, &programs[_i].program));
}
END_TEST

START_TEST(test_not_names)
{
	static const char *const not_programs[] = {
		"rr4-3-7-own5",        "rr4-3-7-sticky",
		"rr4-3-7-own0-sticky", "rr4-3-7-own65536-sticky",
		"rr4-3-7-own5-mask24", "rr4-3-7-own5-sticky-mask32",
		"rr4-3-7-own5-pin33",  "rr4-3-7-own5-pin24-pin24",
		"rr4-3-7-own5-pin0",   "rr4-3-7-own5-pin9-pin8-pin7-pin6-pin5",
		"rr4-3-7-addr",        "rr4-3-7-own5-addr-sticky",
		"rr4-3-7-own5-max0",
	};
	static const char *const not_maps[] = {
		"sticky4",    "sticky4-0",      "sticky4-65536",   "sticky5-1",
		"sticky4-01", "sticky4-1-max0", "sticky4-1-addr2", "sticky-1",
		"pins4-1",    "pins4-1-0",      "pins4-1-33",      "pins6-1-129",
		"begun4-0",   "begun4-1-max3",  "begun-1",         "gates4-1-addr",
	};
	char pool[NFT_NAME_BYTES];
	struct program p;
	struct map_ref m;

	for (size_t i = 0; i < sizeof(not_programs) / sizeof(*not_programs); i++)
		ck_assert_msg(program_parse(not_programs[i], &p) < 0, "%s", not_programs[i]);
	for (size_t i = 0; i < sizeof(not_maps) / sizeof(*not_maps); i++)
		ck_assert_msg(map_parse(not_maps[i], &m, pool) < 0, "%s", not_maps[i]);
}
END_TEST

START_TEST(test_map_names)
{
	static const char *const names[] = { "sticky4-1", "sticky6-65535-max20-addr", "pins4-7-32",
					     "pins6-7-128-addr" };
	char name[NFT_NAME_BYTES], pool[NFT_NAME_BYTES];
	struct map_ref m;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ck_assert_int_eq(map_parse(names[i], &m, pool), 0);
		ck_assert_str_eq(map_name(&m, name), names[i]);
	}
}
END_TEST

/* Backend a has weight 0, b has 1; what is known of them. */
static void assert_stay(const char *text, bool a_is_down, bool b_is_full, bool b_is_down, bool a,
			bool b)
{
	const struct service *s = service_of("web", text), *e;
	struct backend_runtime at[3] = { { .is_down = a_is_down },
					 { .is_full = b_is_full, .is_down = b_is_down },
					 { 0 } };

	e = effective_service(s, at, false);
	ck_assert(backend_takes_known(e, service_backend(e, "a")) == a);
	ck_assert(backend_takes_known(e, service_backend(e, "b")) == b);
	ck_assert(backend_takes_known(e, service_backend(e, "c")));
	service_unref(s);
	service_unref(e);
}

START_TEST(test_who_keeps_known_clients)
{
	assert_stay(SERVICE(STICKY), false, false, false, false, true);
	assert_stay(SERVICE(STICKY), false, true, false, false, true);
	assert_stay(SERVICE(STICKY), false, false, true, false, false);
	assert_stay(SERVICE(STICKY), false, true, true, false, false);
	assert_stay(SERVICE(KEEPS), false, false, false, true, true);
	assert_stay(SERVICE(KEEPS), true, true, false, false, true);
	assert_stay(SERVICE(KEEPS), false, false, true, true, false);
}
END_TEST

/* A backup gives its clients back; who has no share at the moment keeps his. */
START_TEST(test_tiers_and_shares)
{
	const struct service *s = service_of(
		"web", "{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\","
		       "\"port\":80}],\"pool\":\"lan\",\"persistence\":{},\"backends\":{"
		       "\"a\":{\"address\":\"10.1.0.11\"},\"b\":{\"address\":\"10.1.0.12\"},"
		       "\"c\":{\"address\":\"10.1.0.13\",\"priority\":1}}}");
	struct backend_runtime at[3] = { { .has_share = true, .share = 0 },
					 { .has_share = true, .share = 5 },
					 { 0 } };
	const struct service *e = effective_service(s, at, false);

	ck_assert(backend_takes_known(e, service_backend(e, "a")));
	ck_assert(!backend_takes_known(e, service_backend(e, "c")));
	service_unref(e);
	at[0] = at[1] = (struct backend_runtime){ .is_down = true };
	e = effective_service(s, at, false);
	ck_assert(!backend_takes_known(e, service_backend(e, "a")));
	ck_assert(backend_takes_known(e, service_backend(e, "c")));
	service_unref(e);
	service_unref(s);
}
END_TEST

START_TEST(test_when_entries_are_looked_through)
{
	const struct service *none = service_of("web", SERVICE("")),
			     *sticky = service_of("web", SERVICE(STICKY)),
			     *keeps = service_of("web", SERVICE(KEEPS)),
			     *down = service_of("web", SERVICE(STICKY));

	((struct backend *)service_backend(down, "b"))->known = KNOWN_LEAVE;
	ck_assert(!entries_may_be_stale(sticky, sticky));
	ck_assert(!entries_may_be_stale(sticky, keeps));
	ck_assert(!entries_may_be_stale(down, sticky));
	ck_assert(!entries_may_be_stale(sticky, none));
	ck_assert(!entries_may_be_stale(sticky, NULL));
	ck_assert(entries_may_be_stale(NULL, sticky));
	ck_assert(entries_may_be_stale(none, sticky));
	ck_assert(entries_may_be_stale(keeps, sticky));
	ck_assert(entries_may_be_stale(sticky, down));
	service_unref(none);
	service_unref(sticky);
	service_unref(keeps);
	service_unref(down);
}
END_TEST

static void add_service(struct plan *plan, const struct service *before,
			const struct service *after)
{
	struct change item = { .object = OBJECT_SERVICE };
	struct changes c = { .items = &item, .n = 1 };
	struct ops ops;

	item.service.before = before;
	item.service.after = after;
	ops_init(&ops);
	plan_change(plan, &c, &ops);
	plan_commit(plan);
	ops_fini(&ops);
}

/* The number of a service in its map's name: the same for both listeners, never another's. */
START_TEST(test_numbers)
{
	struct plan *plan = plan_new(PLAN_LANES_DEFAULT);
	const struct service *web = service_of("web", SERVICE(STICKY)),
			     *more = service_of("web", SERVICE(KEEPS)),
			     *other = service_of("other", SERVICE(STICKY));
	struct map_ref maps[2], again[2];

	add_service(plan, NULL, web);
	ck_assert_uint_eq(plan_sticky_maps(plan, "web", maps), 1);
	add_service(plan, web, more);
	ck_assert_uint_eq(plan_sticky_maps(plan, "web", again), 1);
	ck_assert_int_eq(map_cmp(&maps[0], &again[0]), 0);
	add_service(plan, more, NULL);
	ck_assert_uint_eq(plan_sticky_maps(plan, "web", again), 0);
	add_service(plan, NULL, other);
	ck_assert_uint_eq(plan_sticky_maps(plan, "other", again), 1);
	ck_assert_int_ne(map_cmp(&maps[0], &again[0]), 0);
	plan_free(plan);
	service_unref(web);
	service_unref(more);
	service_unref(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("persistence");
	TCase *tc = tcase_create("persistence");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, test_defaults_are_those_of_ipvs);
	tcase_add_test(tc, test_written_and_read_again);
	tcase_add_loop_test(tc, test_program_names, 0, 3);
	tcase_add_test(tc, test_not_names);
	tcase_add_test(tc, test_map_names);
	tcase_add_test(tc, test_who_keeps_known_clients);
	tcase_add_test(tc, test_tiers_and_shares);
	tcase_add_test(tc, test_when_entries_are_looked_through);
	tcase_add_test(tc, test_numbers);
	return run_suite(suite);
}
