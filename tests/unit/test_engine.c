/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine, its writer thread and the real plan over a kernel that is an image in memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/sweep.h"
#include "engine_helper.h"
#include "fake_kernel.h"
#include "suite.h"

#define POOLS "\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.50-10.1.0.53\"]}}"
#define SERVICE(address, weight)                                                                   \
	"{\"listeners\":[{\"address\":\"" address "\",\"protocol\":\"tcp\",\"port\":80}],"         \
	"\"pool\":\"lan\",\"scheduler\":\"wrr\",\"backends\":{"                                    \
	"\"a\":{\"address\":\"10.1.0.11\",\"port\":8080,\"weight\":" #weight "},"                  \
	"\"b\":{\"address\":\"10.1.0.12\",\"port\":8080,\"weight\":1}}}"
#define WEB SERVICE("192.0.2.10", 1)
/* WEB, with backend "a" at another port. */
#define WEB_8081                                                                                   \
	"{\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80}],"          \
	"\"pool\":\"lan\",\"scheduler\":\"wrr\",\"backends\":{"                                    \
	"\"a\":{\"address\":\"10.1.0.11\",\"port\":8081},"                                         \
	"\"b\":{\"address\":\"10.1.0.12\",\"port\":8080}}}"
#define WEB_3 SERVICE("192.0.2.10", 3)
#define ONE   "{" POOLS ",\"services\":{\"web\":" WEB "}}"

static const struct engine_options plain = { .table = "fnat", .plain_table = true, .lanes = 64 };
static const struct engine_options owned = { .table = "fnat", .lanes = 64 };
static struct lab lab;

static void setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	fake_init();
}

static void teardown(void)
{
	lab_stop(&lab);
	fake_fini();
}

START_TEST(test_cold_start_is_one_batch)
{
	lab_start(&lab, &owned, ONE);
	ck_assert_uint_eq(fake_batches(), 1);
	ck_assert_uint_eq(engine_generation(lab.engine), 1);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 1);
	ck_assert_uint_eq(fake_elements(MAP_POOL), 4);
	ck_assert_uint_eq(fake_swept(), 1);
	ck_assert_int_eq(lab_verify(&lab), 0);
	ck_assert_uint_eq(fake_batches(), 1);
}
END_TEST

START_TEST(test_restart_sends_nothing)
{
	lab_start(&lab, &owned, ONE);
	lab_put(&lab, "web", WEB_3);
	lab_put(&lab, "other", SERVICE("192.0.2.11", 2));
	lab_put(&lab, "web", WEB);
	lab_put(&lab, "other", NULL);
	lab_stop(&lab);
	unsigned int n = fake_batches();
	lab_start(&lab, &owned, ONE);
	ck_assert_uint_eq(fake_batches(), n);
	ck_assert_uint_eq(lab_status(&lab).garbage, 0);
}
END_TEST

START_TEST(test_restart_with_another_document)
{
	lab_start(&lab, &owned, ONE);
	lab_stop(&lab);
	fake_swept();
	lab_start(&lab, &owned,
		  "{" POOLS ",\"services\":{\"web\":" WEB_3
		  ",\"new\":" SERVICE("192.0.2.12", 1) "}}");
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 2);
	ck_assert_uint_eq(fake_swept(), 1);
	lab_wait_garbage(&lab);
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

START_TEST(test_change_is_one_batch_and_no_change_is_none)
{
	struct ask a;
	unsigned int n;

	lab_start(&lab, &owned, ONE);
	n = fake_batches();
	a = lab_put(&lab, "web", WEB_8081);
	ck_assert_int_eq(a.kind, ERR_NONE);
	ck_assert(a.result.is_changed);
	ck_assert_uint_eq(a.result.generation, 2);
	ck_assert_uint_eq(fake_batches(), n + 1);
	a = lab_put(&lab, "web", WEB_8081);
	ck_assert(!a.result.is_changed);
	ck_assert_uint_eq(a.result.generation, 2);
	ck_assert_uint_eq(fake_batches(), n + 1);
}
END_TEST

/* A packet that entered before the batch would find a chain without rules. */
START_TEST(test_new_chain_comes_before_what_leads_to_it)
{
	unsigned int n;

	lab_start(&lab, &owned, ONE);
	n = fake_batches();
	ck_assert_int_eq(lab_put(&lab, "web", WEB_3).kind, ERR_NONE);
	ck_assert(fake_has_chain("rr4-4-0"));
	lab_wait_garbage(&lab);
	ck_assert(!fake_has_chain("rr4-2-0"));
	/* The chain, what leads to it, and after a while what is not needed any more. */
	ck_assert_uint_eq(fake_batches(), n + 3);
	n = fake_batches();
	/* A listener that nothing served can have its chain at once. */
	ck_assert_int_eq(lab_put(&lab, "new", SERVICE("192.0.2.11", 1)).kind, ERR_NONE);
	ck_assert_uint_eq(fake_batches(), n + 1);
}
END_TEST

START_TEST(test_new_chain_goes_when_what_leads_to_it_is_refused)
{
	lab_start(&lab, &owned, ONE);
	fake_refuse("web/a");
	ck_assert_int_eq(lab_put(&lab, "web", WEB_3).kind, ERR_KERNEL);
	ck_assert(!fake_has_chain("rr4-4-0"));
	ck_assert_uint_eq(engine_generation(lab.engine), 1);
	ck_assert_int_eq(lab_verify(&lab), 0);
	fake_refuse(NULL);
	ck_assert_int_eq(lab_put(&lab, "web", WEB_3).kind, ERR_NONE);
	ck_assert(fake_has_chain("rr4-4-0"));
}
END_TEST

START_TEST(test_dry_run_changes_nothing)
{
	struct ask a = { .service = "web", .json = WEB_3, .is_dry_run = true };
	unsigned int n;

	lab_start(&lab, &owned, ONE);
	n = fake_batches();
	lab_ask(&lab, &a);
	lab_wait(&lab, &a, 1);
	ck_assert_uint_gt(a.n_ops, 0);
	ck_assert(!a.result.is_changed);
	ck_assert_uint_eq(a.result.generation, 1);
	ck_assert_uint_eq(engine_generation(lab.engine), 1);
	ck_assert_uint_eq(fake_batches(), n);
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

START_TEST(test_group_is_one_batch)
{
	struct ask a[20] = { 0 };
	char names[20][16], json[20][sizeof(WEB) + 16];
	unsigned int n;

	lab_start(&lab, &owned, ONE);
	n = fake_batches();
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "s%d", i);
		snprintf(json[i], sizeof(json[i]),
			 "{\"listeners\":[{\"address\":\"192.0.2.99\",\"protocol\":\"udp\","
			 "\"port\":%d}],\"pool\":\"lan\"}",
			 i + 1);
		a[i].service = names[i];
		a[i].json = json[i];
		lab_ask(&lab, &a[i]);
	}
	lab_wait(&lab, a, 20);
	ck_assert_uint_eq(engine_generation(lab.engine), 21);
	ck_assert_uint_eq(a[19].result.generation, 21);
	ck_assert_uint_eq(fake_batches(), n + 1);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 21);
}
END_TEST

/* Four go together, the kernel refuses one of them: the others are done, and readers saw no trace.
 */
START_TEST(test_refusal_of_one_in_a_group)
{
	struct ask a[4] = {
		{ .service = "one", .json = SERVICE("192.0.2.21", 1) },
		{ .service = "bad", .json = SERVICE("192.0.2.22", 1) },
		{ .service = "bad", .json = SERVICE("192.0.2.22", 2) },
		{ .service = "two", .json = SERVICE("192.0.2.23", 1) },
	};

	lab_start(&lab, &owned, ONE);
	fake_refuse("bad/a");
	for (size_t i = 0; i < 4; i++)
		lab_ask(&lab, &a[i]);
	lab_wait(&lab, a, 4);
	ck_assert_int_eq(a[0].kind, ERR_NONE);
	ck_assert_int_eq(a[1].kind, ERR_KERNEL);
	ck_assert_str_eq(a[1].message, "refused: bad/a");
	ck_assert_int_eq(a[2].kind, ERR_KERNEL);
	ck_assert_int_eq(a[3].kind, ERR_NONE);
	ck_assert_uint_eq(engine_generation(lab.engine), 3);
	ck_assert_ptr_null(model_service(engine_model(lab.engine), "bad"));
	ck_assert_ptr_nonnull(model_service(engine_model(lab.engine), "two"));
	ck_assert_int_eq(lab_verify(&lab), 0);
	fake_refuse(NULL);
	ck_assert_int_eq(lab_put(&lab, "bad", SERVICE("192.0.2.22", 1)).kind, ERR_NONE);
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

START_TEST(test_broken_socket_is_tried_once_more)
{
	lab_start(&lab, &owned, ONE);
	fake_foreign_delete_element(MAP_POOL); /* so that there is something to repair */
	fake_break(1);
	ck_assert_int_eq(lab_put(&lab, "web", WEB_3).kind, ERR_NONE);
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

START_TEST(test_drift_is_repaired)
{
	lab_start(&lab, &plain, ONE);
	fake_swept();
	fake_foreign_delete_element(MAP_SLOTS);
	fake_foreign_delete_element(MAP_SERVICES);
	ck_assert_int_eq(lab_verify(&lab), 2);
	ck_assert_uint_eq(fake_swept(), 1);
	ck_assert_uint_eq(lab_status(&lab).drift_repaired, 2);
	fake_foreign_add_chain("intruder");
	ck_assert_int_ge(lab_verify(&lab), 1);
	lab_wait_garbage(&lab);
	ck_assert(!fake_has_chain("intruder"));
	fake_foreign_delete_table();
	ck_assert_int_gt(lab_verify(&lab), 10);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 1);
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

START_TEST(test_drift_is_found_while_garbage_waits)
{
	lab_start(&lab, &plain, ONE);
	lab_put(&lab, "web", WEB_3);
	lab_put(&lab, "web", WEB);
	ck_assert_uint_gt(lab_status(&lab).garbage, 0);
	ck_assert_int_eq(lab_verify(&lab), 0);
	fake_foreign_delete_element(MAP_SERVICES);
	ck_assert_int_eq(lab_verify(&lab), 1);
	lab_wait_garbage(&lab);
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

START_TEST(test_watch_notices)
{
	struct engine_options opt = plain;

	opt.verify_interval_ms = 20;
	lab_start(&lab, &opt, ONE);
	fake_foreign_delete_element(MAP_SERVICES);
	while (lab_status(&lab).drift_repaired == 0)
		lab_turn(&lab);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 1);
}
END_TEST

START_TEST(test_change_after_foreign_removal)
{
	lab_start(&lab, &plain, ONE);
	fake_foreign_delete_table();
	ck_assert_int_eq(lab_put(&lab, "web", WEB_3).kind, ERR_NONE);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 1);
	ck_assert_int_eq(lab_verify(&lab), 0);
}
END_TEST

START_TEST(test_flush_lasts_until_the_next_change)
{
	struct ask dry = { .service = "web", .json = WEB_3, .is_dry_run = true };

	lab_start(&lab, &owned, ONE);
	lab_flush(&lab);
	ck_assert(lab_status(&lab).is_flushed);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 0);
	lab_ask(&lab, &dry);
	lab_wait(&lab, &dry, 1);
	ck_assert_uint_gt(dry.n_ops, 10);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 0);
	ck_assert_int_eq(lab_put(&lab, "web", WEB_3).kind, ERR_NONE);
	ck_assert(!lab_status(&lab).is_flushed);
	ck_assert_uint_eq(fake_elements(MAP_SERVICES), 1);
	ck_assert_int_eq(lab_verify(&lab), 0);
	lab_flush(&lab);
	ck_assert_int_gt(lab_verify(&lab), 10);
	ck_assert(!lab_status(&lab).is_flushed);
	ck_assert_uint_eq(lab_status(&lab).drift_repaired, 0);
}
END_TEST

START_TEST(test_free_answers_everything)
{
	struct ask a[3] = {
		{ .service = "one", .json = SERVICE("192.0.2.21", 1) },
		{ .service = "one", .json = NULL },
		{ .service = "late", .json = SERVICE("192.0.2.22", 1) },
	};

	lab_start(&lab, &owned, ONE);
	lab_ask(&lab, &a[0]);
	lab_ask(&lab, &a[1]);
	engine_drain(lab.engine);
	ck_assert(a[0].is_done && a[1].is_done);
	lab_ask(&lab, &a[2]);
	lab_wait(&lab, &a[2], 1);
	ck_assert_int_eq(a[2].kind, ERR_BUSY);
	lab_stop(&lab);
	lab_start(&lab, &owned, ONE);
	ck_assert_uint_eq(lab_status(&lab).garbage, 0); /* all of it went at the end */
}
END_TEST

static void random_document(char *text, size_t size, unsigned int *seed)
{
	static const char *const schedulers[] = { "rr", "wrr", "random", "sh" };
	size_t n = (size_t)snprintf(text, size, "{" POOLS ",\"services\":{");
	const char *comma = "";

	for (int i = 0; i < 6; i++) {
		if (rand_r(seed) % 3 == 0)
			continue;
		n += (size_t)snprintf(text + n, size - n,
				      "%s\"s%d\":{\"listeners\":[{\"address\":\"192.0.2.%d\","
				      "\"protocol\":\"udp\",\"port\":53}],\"pool\":\"lan\","
				      "\"scheduler\":\"%s\",\"backends\":{",
				      comma, i, rand_r(seed) % 2 * 100 + i,
				      schedulers[rand_r(seed) % 4]);
		comma = ",";
		for (int j = 0, first = 1; j < 4; j++) {
			if (rand_r(seed) % 3 == 0)
				continue;
			n += (size_t)snprintf(text + n, size - n,
					      "%s\"b%d\":{\"address\":\"10.1.0.%d\",\"weight\":%d}",
					      first ? "" : ",", j, 10 + j, rand_r(seed) % 4);
			first = 0;
		}
		n += (size_t)snprintf(text + n, size - n, "}}");
	}
	snprintf(text + n, size - n, "}}");
}

/* Any sequence of documents, some refused half-way, leaves kernel and plan equal. */
START_TEST(test_random_documents)
{
	unsigned int seed = (unsigned int)_i + 1;
	char text[8192];

	lab_start(&lab, _i % 2 ? &plain : &owned, "{" POOLS "}");
	for (int i = 0; i < 40; i++) {
		struct ask a;

		random_document(text, sizeof(text), &seed);
		fake_refuse(rand_r(&seed) % 4 == 0 ? "s1/b1" : NULL);
		a = lab_put_document(&lab, text);
		ck_assert(a.kind == ERR_NONE || a.kind == ERR_KERNEL);
		if (rand_r(&seed) % 16 == 0)
			lab_wait_garbage(&lab);
		if (rand_r(&seed) % 4 == 0) {
			fake_refuse(NULL);
			ck_assert_int_eq(lab_verify(&lab), 0);
		}
	}
	fake_refuse(NULL);
	lab_wait_garbage(&lab);
	ck_assert_int_eq(lab_verify(&lab), 0);
	ck_assert_uint_eq(lab_status(&lab).garbage, 0);
}
END_TEST

START_TEST(test_listeners_appeared)
{
	struct op ops[4] = { 0 };
	struct op_list stage = { .items = ops, .n = 4 };
	struct listener *appeared;
	size_t n;

	for (size_t i = 0; i < 4; i++) {
		ops[i].elem.map.kind = MAP_SERVICES;
		ops[i].elem.address = (struct addr){ .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
		ops[i].elem.protocol = IPPROTO_UDP;
	}
	ops[0].kind = OP_DEL_ELEM; /* another program */
	ops[0].elem.port = 80;
	ops[1].kind = OP_ADD_ELEM;
	ops[1].elem.port = 80;
	ops[2].kind = OP_ADD_ELEM; /* new */
	ops[2].elem.port = 53;
	ops[3].kind = OP_ADD_ELEM;
	ops[3].elem.map.kind = MAP_SNAT;
	appeared = listeners_appeared(&stage, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(appeared[0].port, 53);
	free(appeared);
	lab_start(&lab, &owned, ONE); /* for the fixture */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine");
	TCase *tc = tcase_create("engine");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_cold_start_is_one_batch);
	tcase_add_test(tc, test_restart_sends_nothing);
	tcase_add_test(tc, test_restart_with_another_document);
	tcase_add_test(tc, test_change_is_one_batch_and_no_change_is_none);
	tcase_add_test(tc, test_new_chain_comes_before_what_leads_to_it);
	tcase_add_test(tc, test_new_chain_goes_when_what_leads_to_it_is_refused);
	tcase_add_test(tc, test_dry_run_changes_nothing);
	tcase_add_test(tc, test_group_is_one_batch);
	tcase_add_test(tc, test_refusal_of_one_in_a_group);
	tcase_add_test(tc, test_broken_socket_is_tried_once_more);
	tcase_add_test(tc, test_drift_is_repaired);
	tcase_add_test(tc, test_drift_is_found_while_garbage_waits);
	tcase_add_test(tc, test_watch_notices);
	tcase_add_test(tc, test_change_after_foreign_removal);
	tcase_add_test(tc, test_flush_lasts_until_the_next_change);
	tcase_add_test(tc, test_free_answers_everything);
	tcase_add_loop_test(tc, test_random_documents, 0, 4);
	tcase_add_test(tc, test_listeners_appeared);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
