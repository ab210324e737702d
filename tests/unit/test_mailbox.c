/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mailbox.h"
#include "model_testing.h"

#define SENDERS  4
#define MESSAGES 20000 /* a sender */

static bool is_readable(struct mailbox *mb)
{
	struct pollfd p = { .fd = mailbox_fd(mb), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

START_TEST(test_first_in_first_out)
{
	struct mailbox *mb = mailbox_new();
	int messages[100];

	ck_assert_ptr_null(mailbox_try_take(mb));
	for (int i = 0; i < 100; i++) /* the ring grows while it is wound */
		mailbox_put(mb, &messages[i]);
	for (int i = 0; i < 50; i++)
		ck_assert_ptr_eq(mailbox_try_take(mb), &messages[i]);
	for (int i = 0; i < 50; i++)
		mailbox_put(mb, &messages[i]);
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_eq(mailbox_try_take(mb), &messages[(50 + i) % 100]);
	ck_assert_ptr_null(mailbox_try_take(mb));
	mailbox_free(mb);
}
END_TEST

START_TEST(test_fd_says_whether_messages_wait)
{
	struct mailbox *mb = mailbox_new();
	int a, b;

	ck_assert(!is_readable(mb));
	mailbox_put(mb, &a);
	mailbox_put(mb, &b);
	ck_assert(is_readable(mb));
	mailbox_try_take(mb);
	ck_assert(is_readable(mb));
	mailbox_take(mb, 0);
	ck_assert(!is_readable(mb));
	ck_assert_ptr_null(mailbox_try_take(mb));
	mailbox_put(mb, &a);
	ck_assert(is_readable(mb));
	mailbox_free(mb);
}
END_TEST

START_TEST(test_fd_may_be_asked_for_late)
{
	struct mailbox *mb = mailbox_new();
	int a;

	mailbox_put(mb, &a);
	ck_assert_ptr_eq(mailbox_take(mb, -1), &a);
	mailbox_put(mb, &a);
	mailbox_put(mb, &a);
	ck_assert(is_readable(mb));
	mailbox_take(mb, -1);
	mailbox_take(mb, -1);
	ck_assert(!is_readable(mb));
	mailbox_free(mb);
}
END_TEST

START_TEST(test_take_waits_as_long_as_told)
{
	struct mailbox *mb = mailbox_new();
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	ck_assert_ptr_null(mailbox_take(mb, 0));
	ck_assert_ptr_null(mailbox_take(mb, 60));
	ck_assert_int_ge(elapsed_ms(&start), 60);
	mailbox_free(mb);
}
END_TEST

struct sender {
	struct mailbox *mb;
	uintptr_t id;
	pthread_t thread;
};

static void *send_cb(void *arg)
{
	struct sender *s = arg;

	for (uintptr_t i = 1; i <= MESSAGES; i++)
		mailbox_put(s->mb, (void *)(s->id << 24 | i));
	return NULL;
}

static void receive_all(struct mailbox *mb, void *(*receive)(struct mailbox *mb))
{
	struct sender senders[SENDERS];
	uintptr_t last[SENDERS] = { 0 };

	for (uintptr_t i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .mb = mb, .id = i };
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_cb, &senders[i]), 0);
	}
	for (int i = 0; i < SENDERS * MESSAGES; i++) {
		uintptr_t message = (uintptr_t)receive(mb);

		/* Each sender's messages come whole and in order. */
		ck_assert_uint_lt(message >> 24, SENDERS);
		ck_assert_uint_eq(message & 0xffffff, ++last[message >> 24]);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	ck_assert_ptr_null(mailbox_try_take(mb));
	ck_assert(!is_readable(mb));
}

static void *receive_blocking(struct mailbox *mb)
{
	return mailbox_take(mb, -1);
}

static void *receive_polling(struct mailbox *mb)
{
	struct pollfd p = { .fd = mailbox_fd(mb), .events = POLLIN };
	void *message;

	while (!(message = mailbox_try_take(mb)))
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
	return message;
}

START_TEST(test_many_senders_one_blocked_receiver)
{
	struct mailbox *mb = mailbox_new();

	receive_all(mb, receive_blocking);
	mailbox_free(mb);
}
END_TEST

START_TEST(test_many_senders_one_polling_receiver)
{
	struct mailbox *mb = mailbox_new();

	receive_all(mb, receive_polling);
	mailbox_free(mb);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mailbox");
	TCase *tc = tcase_create("mailbox");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_first_in_first_out);
	tcase_add_test(tc, test_fd_says_whether_messages_wait);
	tcase_add_test(tc, test_fd_may_be_asked_for_late);
	tcase_add_test(tc, test_take_waits_as_long_as_told);
	tcase_add_test(tc, test_many_senders_one_blocked_receiver);
	tcase_add_test(tc, test_many_senders_one_polling_receiver);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
