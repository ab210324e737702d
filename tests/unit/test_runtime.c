/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known at run time: how it changes weights, and its way to the kernel. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/events.h"
#include "engine_helper.h"
#include "fake_kernel.h"
#include "plan/effective.h"
#include "suite.h"

#define POOLS "\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.50-10.1.0.53\"]}}"
#define WEB(a, b)                                                                                  \
	"{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80}],"          \
	"\"pool\":\"lan\",\"scheduler\":\"wrr\",\"backends\":{"                                    \
	"\"a\":{\"address\":\"10.1.0.11\",\"port\":8080,\"weight\":" #a "},"                       \
	"\"b\":{\"address\":\"10.1.0.12\",\"port\":8080,\"weight\":" #b "}}}"
#define ONE "{" POOLS ",\"services\":{\"web\":" WEB(1, 2) "}}"

static const struct engine_options owned = { .table = "fnat", .lanes = 64 };
static const struct backend_runtime down = { .is_down = true }, nothing;
static struct lab lab;

static void setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	fake_init();
	lab_start(&lab, &owned, ONE);
}

static void teardown(void)
{
	lab_stop(&lab);
	fake_fini();
}

/* Until the kernel has so many slots of the backend. */
static void wait_slots(const char *comment, size_t n)
{
	for (int i = 0; fake_commented(comment) != n; i++) {
		ck_assert_msg(i < 1000, "%s has %zu slots, not %zu", comment,
			      fake_commented(comment), n);
		lab_turn(&lab);
	}
}

/* Weights that the plan would see for backends of weight 4 and 0. */
static void check_weights(const struct backend_runtime at[2], uint32_t a, uint32_t b)
{
	struct backend backends[] = {
		{ .name = (char *)"a", .weight = 4 },
		{ .name = (char *)"b", .weight = 0 },
	};
	const struct service s = {
		.name = (char *)"web",
		.pool = (char *)"lan",
		.scheduler = "wrr",
		.backends = backends,
		.n_backends = 2,
	};
	const struct service *from = service_new(&s), *out = effective_service(from, at, false);

	ck_assert_uint_eq(out->backends[0].weight, a);
	ck_assert_uint_eq(out->backends[1].weight, b);
	service_unref(from);
	service_unref(out);
}

START_TEST(test_weights)
{
	check_weights(NULL, 4, 0);
	check_weights((struct backend_runtime[]){ { 0 }, { 0 } }, 4, 0);
	check_weights((struct backend_runtime[]){ { .is_down = true },
						  { .has_share = true, .share = 9 } },
		      0, 0);
	check_weights((struct backend_runtime[]){ { .is_full = true }, { 0 } }, 0, 0);
	check_weights((struct backend_runtime[]){ { .warm_permille = 250 }, { 0 } }, 1000, 0);
	check_weights((struct backend_runtime[]){ { .warm_permille = WARM_ALL }, { 0 } }, 4, 0);
}
END_TEST

#define WLC                                                                                        \
	"{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80}],"          \
	"\"pool\":\"lan\",\"scheduler\":\"wlc\",\"backends\":{"                                    \
	"\"a\":{\"address\":\"10.1.0.11\"},\"b\":{\"address\":\"10.1.0.12\",\"weight\":3}}}"

START_TEST(test_one_round_is_one_batch)
{
	const struct backend_runtime two = { .has_share = true, .share = 2 };
	const struct backend_runtime one = { .has_share = true, .share = 1 };
	unsigned int batches;

	lab_put(&lab, "web", WLC);
	lab_wait_garbage(&lab);
	ck_assert_uint_eq(fake_commented("web/a"), 32);
	batches = fake_batches();
	engine_set_runtime(lab.engine, "web", "a", &down);
	engine_set_runtime(lab.engine, "web", "a", &two);
	engine_set_runtime(lab.engine, "web", "b", &one);
	wait_slots("web/a", 85);
	ck_assert_uint_eq(fake_batches() - batches, 1); /* the same table with other slots */
	ck_assert_uint_eq(fake_commented("web/b"), 43);
	ck_assert_uint_eq(engine_generation(lab.engine), 2);
	ck_assert_uint_eq(engine_runtime(lab.engine, "web", "a").share, 2);

	engine_set_runtime(lab.engine, "web", "b", &nothing);
	engine_set_runtime(lab.engine, "web", "a", &nothing);
	wait_slots("web/a", 32);
	lab_wait_garbage(&lab);
	batches = fake_batches();
	engine_set_runtime(lab.engine, "web", "a", &nothing);
	engine_set_runtime(lab.engine, "other", "a", &down);
	lab_turn(&lab);
	lab_turn(&lab);
	ck_assert_uint_eq(fake_batches(), batches);
}
END_TEST

START_TEST(test_changes_keep_what_is_known)
{
	engine_set_runtime(lab.engine, "web", "a", &down);
	ck_assert_int_eq(lab_put(&lab, "web", WEB(5, 1)).kind, ERR_NONE);
	wait_slots("web/a", 0);
	lab_wait_garbage(&lab);
	ck_assert_int_eq(lab_verify(&lab), 0);
	ck_assert_uint_eq(fake_commented("web/a"), 0);
	lab_flush(&lab);
	ck_assert_int_gt(lab_verify(&lab), 0);
	ck_assert_uint_eq(fake_commented("web/a"), 0);
}
END_TEST

START_TEST(test_removal_forgets)
{
	engine_set_runtime(lab.engine, "web", "a", &down);
	wait_slots("web/a", 0);
	lab_put(&lab, "web", NULL);
	ck_assert(!engine_runtime(lab.engine, "web", "a").is_down);
	lab_put(&lab, "web", WEB(1, 2));
	ck_assert_uint_eq(fake_commented("web/a"), 1);
}
END_TEST

START_TEST(test_refused_is_tried_again)
{
	engine_set_runtime(lab.engine, "web", "a", &down);
	wait_slots("web/a", 0);
	fake_refuse("web/a");
	engine_set_runtime(lab.engine, "web", "a", &nothing);
	while (lab_status(&lab).batch_failures == 0)
		lab_turn(&lab);
	ck_assert_uint_eq(fake_commented("web/a"), 0);
	fake_refuse(NULL);
	wait_slots("web/a", 1);
}
END_TEST

/* JSON of the newest event of a type, or NULL. */
static const char *last_event(const char *type)
{
	const char *found = NULL;
	struct event_line line;
	uint64_t after = 0;

	while (events_next(engine_events(lab.engine), after, &line)) {
		after = line.number;
		if (strcmp(line.type, type) == 0)
			found = line.json;
	}
	return found;
}

static void ck_event(const char *type, const char *part)
{
	const char *json = last_event(type);

	ck_assert_msg(json && strstr(json, part), "%s: %s", type, json ? json : "none");
}

#define BACKUP(more)                                                                               \
	"{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80}],"          \
	"\"pool\":\"lan\",\"scheduler\":\"rr\"" more ",\"backends\":{"                             \
	"\"a\":{\"address\":\"10.1.0.11\"},"                                                       \
	"\"b\":{\"address\":\"10.1.0.12\",\"priority\":1},"                                        \
	"\"s\":{\"address\":\"10.1.0.13\",\"sorry\":true}}}"

START_TEST(test_events_tell_who_serves)
{
	lab_put(&lab, "web", BACKUP(""));
	ck_assert_ptr_null(last_event("serving"));
	wait_slots("web/a", 1);
	wait_slots("web/b", 0);
	engine_set_runtime(lab.engine, "web", "a", &down);
	wait_slots("web/b", 1);
	ck_event("serving", "\"from\":\"normal\",\"to\":\"normal\",\"priority\":1");
	engine_set_runtime(lab.engine, "web", "b", &down);
	wait_slots("web/s", 1);
	ck_event("serving", "\"to\":\"sorry\"");
	engine_set_runtime(lab.engine, "web", "a", &nothing);
	wait_slots("web/a", 1);
	wait_slots("web/s", 0);
	ck_event("serving", "\"to\":\"normal\",\"priority\":0");
}
END_TEST

/* Lost by a check and found again by the operator: the hysteresis is kept over both. */
START_TEST(test_quorum)
{
	lab_put(&lab, "web", BACKUP(",\"quorum\":2"));
	lab_wait_garbage(&lab);
	engine_set_runtime(lab.engine, "web", "b", &down);
	wait_slots("web/s", 1);
	ck_event("quorum_lost", "\"quorum\":2,\"live_weight\":1");
	engine_set_runtime(lab.engine, "web", "b", &nothing);
	wait_slots("web/a", 1);
	ck_event("quorum_reached", "\"live_weight\":2");
	lab_put(&lab, "web", BACKUP(",\"quorum\":4,\"quorum_hysteresis\":1"));
	wait_slots("web/s", 1);
	lab_put(&lab, "web", BACKUP(",\"quorum\":2,\"quorum_hysteresis\":1"));
	wait_slots("web/s", 1);
	lab_put(&lab, "web", BACKUP(",\"quorum\":1"));
	wait_slots("web/a", 1);
}
END_TEST

#define SLOW                                                                                       \
	"{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80}],"          \
	"\"pool\":\"lan\",\"slow_start_s\":1,\"backends\":{"                                       \
	"\"a\":{\"address\":\"10.1.0.11\"},\"b\":{\"address\":\"10.1.0.12\"%s}}}"

static void put_slow(const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), SLOW, more);
	ck_assert_int_eq(lab_put(&lab, "web", text).kind, ERR_NONE);
}

START_TEST(test_slow_start)
{
	lab_put(&lab, "web", NULL);
	put_slow("");
	ck_assert_uint_eq(fake_commented("web/b"), 1); /* a service that is new is not slow */
	engine_set_runtime(lab.engine, "web", "b", &down);
	wait_slots("web/b", 0);
	engine_set_runtime(lab.engine, "web", "b", &nothing);
	ck_assert_uint_eq(engine_runtime(lab.engine, "web", "b").warm_permille, 10);
	while (fake_commented("web/b") < 8) /* of 128: on its way up */
		lab_turn(&lab);
	wait_slots("web/b", 1);
	ck_assert_uint_eq(fake_commented("web/a"), 1);
}
END_TEST

START_TEST(test_slow_start_of_what_is_enabled)
{
	put_slow(",\"state\":\"disabled\"");
	wait_slots("web/b", 0);
	put_slow("");
	ck_assert_uint_eq(engine_runtime(lab.engine, "web", "b").warm_permille, 10);
	put_slow(",\"weight\":0"); /* ends it */
	ck_assert_uint_eq(engine_runtime(lab.engine, "web", "b").warm_permille, 0);
	put_slow("");
	ck_assert_uint_eq(engine_runtime(lab.engine, "web", "b").warm_permille, 10);
	engine_set_runtime(lab.engine, "web", "b", &down);
	ck_assert_uint_eq(engine_runtime(lab.engine, "web", "b").warm_permille, 0);
}
END_TEST

#define DNS(backends, more)                                                                        \
	"{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"udp\",\"port\":53}],"          \
	"\"pool\":\"lan\"" more ",\"backends\":{" backends "}}"
#define DNS_A "\"a\":{\"address\":\"10.1.0.11\"}"
#define DNS_B "\"b\":{\"address\":\"10.1.0.12\"}"

/* The backends whose connections this change deletes. */
static size_t departed_by(const char *name, const char *json)
{
	fake_departed();
	ck_assert_int_eq(lab_put(&lab, name, json).kind, ERR_NONE);
	return fake_departed();
}

START_TEST(test_what_departs)
{
	ck_assert_uint_eq(departed_by("dns", DNS(DNS_A "," DNS_B, "")), 0);
	ck_assert_uint_eq(departed_by("dns", DNS(DNS_A, "")), 1);
	/* renamed; drained; disabled; back */
	ck_assert_uint_eq(departed_by("dns", DNS("\"c\":{\"address\":\"10.1.0.11\"}", "")), 0);
	ck_assert_uint_eq(departed_by("dns", DNS("\"c\":{\"address\":\"10.1.0.11\","
						 "\"state\":\"draining\"}",
						 "")),
			  0);
	ck_assert_uint_eq(departed_by("dns", DNS("\"c\":{\"address\":\"10.1.0.11\","
						 "\"state\":\"disabled\"}",
						 "")),
			  1);
	ck_assert_uint_eq(departed_by("dns", DNS(DNS_A, "")), 0);
	/* another address; the service */
	ck_assert_uint_eq(departed_by("dns", DNS("\"a\":{\"address\":\"10.1.0.13\"}", "")), 1);
	ck_assert_uint_eq(departed_by("dns", NULL), 1);
	/* TCP as configured */
	ck_assert_uint_eq(departed_by("web", WEB(1, 0)), 0);
	ck_assert_uint_eq(departed_by("web", BACKUP(",\"on_remove\":\"cut\"")), 2);
	ck_assert_uint_eq(departed_by("web", NULL), 3);
}
END_TEST

static void wait_departed(void)
{
	for (int i = 0; fake_departed() == 0; i++) {
		ck_assert_int_lt(i, 1000);
		lab_turn(&lab);
	}
}

/* And of TCP what was never answered. */
START_TEST(test_down_deletes_datagrams)
{
	lab_put(&lab, "dns", DNS(DNS_A "," DNS_B, ""));
	fake_departed();
	engine_set_runtime(lab.engine, "web", "a", &down);
	wait_departed();
	wait_slots("web/a", 0);
	fake_refuse("dns/b");
	engine_set_runtime(lab.engine, "dns", "a", &down);
	while (lab_status(&lab).batch_failures == 0)
		lab_turn(&lab);
	ck_assert_uint_eq(fake_departed(), 0); /* the kernel would send them there again */
	fake_refuse(NULL);
	wait_slots("dns/a", 0);
	wait_departed();
}
END_TEST

struct seen {
	size_t n_calls, n_changes;
	bool has_web;
};

static void observe(const struct changes *c, void *arg)
{
	struct seen *seen = arg;

	seen->n_calls++;
	seen->n_changes += c->n;
	seen->has_web = model_service(engine_model(lab.engine), "web") != NULL;
}

START_TEST(test_observers_see_accepted_changes)
{
	struct seen seen = { 0 };

	engine_observe(lab.engine, observe, &seen);
	lab_put(&lab, "web", WEB(1, 3));
	lab_put(&lab, "web", WEB(1, 3));
	ck_assert_uint_eq(seen.n_calls, 1);
	ck_assert(seen.has_web);
	fake_refuse("web/b");
	lab_put(&lab, "web", WEB(1, 4));
	fake_refuse(NULL);
	ck_assert_uint_eq(seen.n_calls, 1);
	lab_put(&lab, "web", NULL);
	ck_assert_uint_eq(seen.n_changes, 2);
	ck_assert(!seen.has_web);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("runtime");
	TCase *tc = tcase_create("runtime");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_weights);
	tcase_add_test(tc, test_one_round_is_one_batch);
	tcase_add_test(tc, test_changes_keep_what_is_known);
	tcase_add_test(tc, test_removal_forgets);
	tcase_add_test(tc, test_refused_is_tried_again);
	tcase_add_test(tc, test_observers_see_accepted_changes);
	tcase_add_test(tc, test_events_tell_who_serves);
	tcase_add_test(tc, test_quorum);
	tcase_add_test(tc, test_what_departs);
	tcase_add_test(tc, test_down_deletes_datagrams);
	tcase_add_test(tc, test_slow_start);
	tcase_add_test(tc, test_slow_start_of_what_is_enabled);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
