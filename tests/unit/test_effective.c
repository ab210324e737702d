/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who serves, and with what weight: as a table, and as invariants of a random walk. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model_testing.h"
#include "plan/effective.h"
#include "plan/scheduler.h"
#include "plan/slot_table.h"

#define LISTENERS           "\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80}]"
#define B(name, host, more) "\"" name "\":{\"address\":\"10.1.0." host "\"" more "}"
/* a and b weight 2, c is a backup, s a sorry server; fields of the service before them. */
#define FOUR(fields)                                                                               \
	"{" LISTENERS ",\"pool\":\"lan\"" fields                                                   \
	",\"backends\":{" B("a", "1", ",\"weight\":2") "," B("b", "2", ",\"weight\":2") "," B(     \
		"c", "3", ",\"priority\":1") "," B("s", "4", ",\"sorry\":true") "}}"

#define N_MAX 8

/* "d" is down, "-" nothing, "f" full, "u" out of use until it is counted. */
static void runtime_parse(const char *text, struct backend_runtime *at)
{
	for (size_t i = 0; text[i]; i++)
		at[i] = (struct backend_runtime){
			.is_down = text[i] == 'd',
			.is_full = text[i] == 'f' || text[i] == 'u',
			.is_uncounted = text[i] == 'u',
		};
}

static const struct {
	const char *service, *at;
	bool was_below;
	const char *weights;
	enum serving serving;
	bool is_below;
} cases[] = {
	{ FOUR(""), "----", false, "2 2 0 0", SERVING_NORMAL, false },
	{ FOUR(""), "d---", false, "0 2 0 0", SERVING_NORMAL, false },
	/* failover, and overflow, to the backup; back again by itself */
	{ FOUR(""), "dd--", false, "0 0 1 0", SERVING_NORMAL, false },
	{ FOUR(""), "df--", false, "0 0 1 0", SERVING_NORMAL, false },
	{ FOUR(""), "ddd-", false, "0 0 0 1", SERVING_SORRY, false },
	{ FOUR(""), "fff-", false, "0 0 0 1", SERVING_SORRY, false },
	{ FOUR(""), "dddd", false, "0 0 0 0", SERVING_NONE, false },
	{ FOUR(",\"all_down\":\"open\""), "ddd-", false, "0 0 0 1", SERVING_SORRY, false },
	{ FOUR(",\"all_down\":\"open\""), "dddd", false, "2 2 0 0", SERVING_OPEN, false },
	/* one that is full is up */
	{ FOUR(",\"all_down\":\"open\""), "ddfd", false, "0 0 0 0", SERVING_NONE, false },
	/* weight 5 in all; lost below 3, back at 5 */
	{ FOUR(",\"quorum\":4,\"quorum_hysteresis\":1"), "--d-", false, "2 2 0 0", SERVING_NORMAL,
	  false },
	{ FOUR(",\"quorum\":4,\"quorum_hysteresis\":1"), "d---", false, "0 2 0 0", SERVING_NORMAL,
	  false },
	{ FOUR(",\"quorum\":4,\"quorum_hysteresis\":1"), "d-d-", false, "0 0 0 1", SERVING_SORRY,
	  true },
	{ FOUR(",\"quorum\":4,\"quorum_hysteresis\":1"), "--d-", true, "0 0 0 1", SERVING_SORRY,
	  true },
	{ FOUR(",\"quorum\":4,\"quorum_hysteresis\":1"), "----", true, "2 2 0 0", SERVING_NORMAL,
	  false },
	/* nobody to give way to */
	{ FOUR(",\"quorum\":4,\"quorum_hysteresis\":1"), "d-dd", false, "0 2 0 0", SERVING_NORMAL,
	  true },
};

static void check_case(size_t i)
{
	const struct service *s = service_of("web", cases[i].service), *out;
	struct backend_runtime at[N_MAX] = { { 0 } };
	struct standing standing;
	char weights[64] = "";

	runtime_parse(cases[i].at, at);
	standing = service_standing(s, at, cases[i].was_below);
	out = effective_service(s, at, cases[i].was_below);
	for (size_t k = 0; k < out->n_backends; k++)
		snprintf(weights + strlen(weights), sizeof(weights) - strlen(weights), "%s%u",
			 k ? " " : "", out->backends[k].weight);
	ck_assert_msg(strcmp(weights, cases[i].weights) == 0, "case %zu: %s", i, weights);
	ck_assert_msg(standing.of[0].serving == cases[i].serving, "case %zu: %s", i,
		      serving_name(standing.of[0].serving));
	ck_assert_uint_eq(standing.is_below_quorum, cases[i].is_below);
	ck_assert_uint_eq(standing.of[1].serving, SERVING_NONE);
	service_unref(s);
	service_unref(out);
}

/* The service as it is then, which the caller has to unref. */
static const struct service *see(const char *service, const char *runtime,
				 struct standing *standing)
{
	const struct service *s = service_of("web", service), *out;
	struct backend_runtime at[N_MAX] = { { 0 } };

	runtime_parse(runtime, at);
	*standing = service_standing(s, at, false);
	out = effective_service(s, at, false);
	service_unref(s);
	return out;
}

/* Do they serve because others have no room? */
static bool overflows(const char *service, const char *runtime)
{
	struct standing standing;
	const struct service *out = see(service, runtime, &standing);
	bool does;

	does = standing_overflows(&standing);
	ck_assert_uint_eq(out->overflows[0], does);
	ck_assert(!out->overflows[1]);
	service_unref(out);
	return does;
}

START_TEST(test_overflows)
{
	/* The others of the tier take it; a lower tier, the sorry one or nobody has to. */
	ck_assert(!overflows(FOUR(""), "----"));
	ck_assert(!overflows(FOUR(""), "f---"));
	ck_assert(overflows(FOUR(""), "ff--"));
	ck_assert(overflows(FOUR(""), "df--"));
	ck_assert(overflows(FOUR(""), "fff-"));
	ck_assert(overflows(FOUR(""), "ffff"));
	/* One that is full does not matter where a better one serves. */
	ck_assert(!overflows(FOUR(""), "--f-"));
	ck_assert(!overflows(FOUR(""), "ddd-"));
	ck_assert(!overflows(FOUR(""), "dddf"));
}
END_TEST

/* Do those who come wait until somebody has been counted? */
static bool waits(const char *service, const char *runtime)
{
	struct standing standing;
	const struct service *out = see(service, runtime, &standing);
	bool does;

	does = out->waits[0];
	ck_assert_uint_eq(standing.of[0].waits, does);
	ck_assert(!does ||
		  (standing.of[0].serving == SERVING_NORMAL && !standing_overflows(&standing)));
	ck_assert(!out->waits[1]);
	for (size_t i = 0; does && i < out->n_backends; i++)
		ck_assert_uint_eq(out->backends[i].weight, 0);
	service_unref(out);
	return does;
}

START_TEST(test_waits)
{
	/* Only where nobody else is there, and not for one that is full indeed. */
	ck_assert(waits(FOUR(""), "uddd"));
	ck_assert(waits(FOUR(""), "uffd"));
	ck_assert(waits(FOUR(",\"all_down\":\"open\""), "uddd"));
	ck_assert(!waits(FOUR(""), "u---"));
	ck_assert(!waits(FOUR(""), "uu-d"));
	ck_assert(!waits(FOUR(""), "uuu-"));
	ck_assert(!waits(FOUR(""), "ffff"));
	ck_assert(!waits(FOUR(""), "dddd"));
}
END_TEST

START_TEST(test_who_serves)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
}
END_TEST

START_TEST(test_states)
{
	const struct service *s = service_of(
		"web",
		"{" LISTENERS ",\"pool\":\"lan\",\"backends\":{" B("a", "1", "") "," B(
			"b", "2",
			",\"state\":\"draining\"") "," B("c", "3",
							 ",\"state\":\"disabled\"") "," B("d", "4",
											  ",\"weigh"
											  "t\":0") "}}");
	const struct service *out = effective_service(s, NULL, false);

	ck_assert(s->has_control);
	ck_assert_uint_eq(out->backends[0].weight, 1);
	for (size_t i = 1; i < 4; i++)
		ck_assert_uint_eq(out->backends[i].weight, 0);
	service_unref(s);
	service_unref(out);
}
END_TEST

START_TEST(test_plain_services_are_the_same_value)
{
	const struct service *s = make_service("web", "192.0.2.1:80", "lan");
	const struct service *out = effective_service(s, NULL, false);

	ck_assert(!s->has_control);
	ck_assert_ptr_eq(s, out);
	service_unref(s);
	service_unref(out);
}
END_TEST

/* Each family has tiers of its own. */
START_TEST(test_families)
{
	const struct service *s = service_of(
		"web", "{" LISTENERS ",\"pool\":\"lan\",\"backends\":{" B(
			       "a", "1", "") ","
					     "\"b\":{\"address\":\"fd00::1\",\"priority\":7},"
					     "\"c\":{\"address\":\"fd00::2\",\"priority\":9}}}");
	const struct service *out = effective_service(s, NULL, false);
	struct standing standing = service_standing(s, NULL, false);

	ck_assert_uint_eq(out->backends[0].weight, 1);
	ck_assert_uint_eq(out->backends[1].weight, 1);
	ck_assert_uint_eq(out->backends[2].weight, 0);
	ck_assert_uint_eq(standing.of[1].priority, 7);
	ck_assert_uint_eq(standing.live_weight, 3);
	service_unref(s);
	service_unref(out);
}
END_TEST

/* The slots that the backends have; returns the size of the table. */
static uint32_t count_slots(const struct service *s, const struct backend_runtime *at,
			    uint32_t slots[N_MAX])
{
	const struct service *out = effective_service(s, at, false);
	struct slot_table t = { 0 };
	uint32_t size = slot_table_size(&t, out, AF_INET);

	slot_table_fill(&t, out, AF_INET, size);
	for (size_t i = 0; i < N_MAX; i++)
		slots[i] = 0;
	for (uint32_t i = 0; i < size; i++)
		slots[t.backend[t.slots[i]]]++;
	slot_table_fini(&t);
	service_unref(out);
	return size;
}

/* Every step of a slow start has the same table, and the share grows with it. */
static void check_warming(const char *scheduler)
{
	char text[512];
	const struct service *s;
	uint32_t slots[N_MAX], size = 0, last = 0;

	snprintf(text, sizeof(text),
		 "{" LISTENERS ",\"pool\":\"lan\",\"scheduler\":\"%s\",\"backends\":{" B(
			 "a", "1", ",\"weight\":3") "," B("b", "2", ",\"weight\":3") "}}",
		 scheduler);
	s = service_of("web", text);
	for (uint16_t permille = 10; permille < WARM_ALL; permille += 10) {
		struct backend_runtime at[2] = { { .warm_permille = permille }, { 0 } };
		uint32_t n = count_slots(s, at, slots);
		double ideal = n * permille / (permille + 1000.0);

		ck_assert(size == 0 || n == size);
		size = n;
		ck_assert_uint_ge(slots[0], last);
		ck_assert_msg(slots[0] > ideal - 1.01 && slots[0] < ideal + 1.01,
			      "%s at %u: %u of %u", scheduler, permille, slots[0], n);
		last = slots[0];
	}
	ck_assert_uint_ge(last, size / 2 - 1);
	service_unref(s);
}

START_TEST(test_slow_start_changes_slots_only)
{
	check_warming("rr");
	check_warming("wrr");
	check_warming("random");
}
END_TEST

/* fo would not go back to a backend that warms up before it is warm, and then at once. */
START_TEST(test_failover_does_not_warm)
{
	const struct service *s = service_of(
		"web", "{" LISTENERS ",\"pool\":\"lan\",\"scheduler\":\"fo\",\"backends\":{" B(
			       "a", "1", ",\"weight\":3") "," B("b", "2", "") "}}");
	struct backend_runtime at[2] = { { .warm_permille = 10 }, { 0 } };
	uint32_t slots[N_MAX];

	ck_assert_uint_eq(count_slots(s, at, slots), 1);
	ck_assert_uint_eq(slots[0], 1);
	service_unref(s);
}
END_TEST

START_TEST(test_shares)
{
	const struct service *s = service_of(
		"web",
		"{" LISTENERS ",\"pool\":\"lan\",\"scheduler\":\"wlc\",\"backends\":{" B(
			"a", "1", "") "," B("b", "2", ",\"weight\":2") "," B("c", "3", "") "}}");
	struct backend_runtime at[3] = { { .has_share = true, .share = 40 },
					 { .has_share = true, .share = 20 },
					 { 0 } };
	const struct service *out = effective_service(s, at, false);

	ck_assert_uint_eq(out->backends[0].weight, 40);
	ck_assert_uint_eq(out->backends[1].weight, 20);
	ck_assert_uint_eq(out->backends[2].weight, 20);
	service_unref(out);
	/* what is left has no share: not a reason to refuse */
	at[0].is_down = at[2].is_down = true;
	at[1].share = 0;
	out = effective_service(s, at, false);
	ck_assert_uint_eq(out->backends[1].weight, 2);
	service_unref(out);
	service_unref(s);
}
END_TEST

/* Before anything is known of load: lc is alike, ovf has its best, others go by weight. */
START_TEST(test_unshared)
{
	static const struct {
		const char *scheduler;
		uint32_t weights[3];
	} rows[] = { { "lc", { 1, 1, 0 } }, { "ovf", { 0, 2, 0 } }, { "wlc", { 1, 2, 0 } } };

	for (size_t i = 0; i < 3; i++) {
		char text[512];
		const struct service *s, *out;

		snprintf(text, sizeof(text),
			 "{" LISTENERS ",\"pool\":\"lan\",\"scheduler\":\"%s\",\"backends\":{" B(
				 "a", "1", "") "," B("b", "2",
						     ",\"weight\":2") "," B("c", "3",
									    ",\"weight\":0") "}}",
			 rows[i].scheduler);
		s = service_of("web", text);
		out = effective_service(s, NULL, false);
		for (size_t k = 0; k < 3; k++)
			ck_assert_uint_eq(out->backends[k].weight, rows[i].weights[k]);
		service_unref(s);
		service_unref(out);
	}
}
END_TEST

static unsigned int pick(unsigned int *seed, unsigned int n)
{
	return (unsigned int)rand_r(seed) % n;
}

static const struct service *random_service(unsigned int *seed, size_t n)
{
	static const char *const schedulers[] = { "rr", "wrr", "wlc", "sh", "ovf" };
	struct backend backends[N_MAX] = { { 0 } };
	char names[N_MAX][2] = { { 0 } };
	struct listener l = { .port = 80, .protocol = IPPROTO_TCP };
	struct service s = { .name = (char *)"web",
			     .pool = (char *)"lan",
			     .scheduler = scheduler_canonical(schedulers[pick(seed, 5)]),
			     .listeners = &l,
			     .n_listeners = 1,
			     .backends = backends,
			     .n_backends = n };

	l.address.family = AF_INET;
	s.control.quorum = pick(seed, 3) ? 0 : 1 + pick(seed, 6);
	s.control.all_down = (uint8_t)pick(seed, 2);
	for (size_t i = 0; i < n; i++) {
		struct backend *b = &backends[i];

		names[i][0] = (char)('a' + i);
		b->name = names[i];
		b->address.family = AF_INET;
		b->address.bytes[3] = (uint8_t)(i + 1);
		b->weight = pick(seed, 4);
		b->state = (uint8_t)(pick(seed, 3) ? 0 : pick(seed, 3));
		b->priority = (uint8_t)pick(seed, 3);
		b->is_sorry = pick(seed, 4) == 0;
	}
	return service_new(&s);
}

static void random_runtime(unsigned int *seed, struct backend_runtime *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (struct backend_runtime){
			.is_down = pick(seed, 3) == 0,
			.is_full = pick(seed, 4) == 0,
			.warm_permille = (uint16_t)(pick(seed, 2) ? 0 : pick(seed, WARM_ALL + 1)),
			.has_share = pick(seed, 3) == 0,
			.share = pick(seed, 100),
		};
}

static bool may_serve(const struct backend *b, const struct backend_runtime *at)
{
	return b->weight && b->state == BACKEND_ENABLED && !at->is_down && !at->is_full;
}

/* Whatever happens: nobody serves who must not, and nobody is refused while somebody may serve. */
static void check_step(const struct service *s, const struct backend_runtime *at)
{
	const struct service *out = effective_service(s, at, false);
	struct standing standing = service_standing(s, at, false);
	bool is_open = standing.of[0].serving == SERVING_OPEN;
	bool any_may = false, any_does = false;
	uint8_t lowest = UINT8_MAX;

	for (size_t i = 0; i < s->n_backends; i++) {
		any_may = any_may || may_serve(&s->backends[i], &at[i]);
		if (may_serve(&s->backends[i], &at[i]) && !s->backends[i].is_sorry &&
		    s->backends[i].priority < lowest)
			lowest = s->backends[i].priority;
	}
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		if (out->backends[i].weight == 0)
			continue;
		any_does = true;
		ck_assert(is_open || may_serve(b, &at[i]));
		ck_assert_uint_eq(b->is_sorry, standing.of[0].serving == SERVING_SORRY);
		ck_assert(is_open || b->is_sorry || b->priority == lowest);
	}
	ck_assert(any_does || !any_may);
	ck_assert(!is_open || !any_may);
	service_unref(out);
}

START_TEST(test_walk)
{
	unsigned int seed = (unsigned int)_i + 1;

	for (int i = 0; i < 500; i++) {
		size_t n = pick(&seed, N_MAX + 1);
		const struct service *s = random_service(&seed, n);
		struct backend_runtime at[N_MAX] = { { 0 } };

		for (int k = 0; k < 10; k++) {
			random_runtime(&seed, at, n);
			check_step(s, at);
		}
		service_unref(s);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("effective");
	TCase *tc = tcase_create("effective");

	tcase_add_test(tc, test_who_serves);
	tcase_add_test(tc, test_overflows);
	tcase_add_test(tc, test_waits);
	tcase_add_test(tc, test_states);
	tcase_add_test(tc, test_plain_services_are_the_same_value);
	tcase_add_test(tc, test_families);
	tcase_add_test(tc, test_slow_start_changes_slots_only);
	tcase_add_test(tc, test_failover_does_not_warm);
	tcase_add_test(tc, test_shares);
	tcase_add_test(tc, test_unshared);
	tcase_add_loop_test(tc, test_walk, 0, 8);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
