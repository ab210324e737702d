/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netlink socket that fails: send(2) and recv(2) are this file's own, and misbehave when told
 * to. What must hold: nothing is called committed unless it is, and one failure does not break
 * what comes after it. Needs root and a network namespace of its own.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/nft.h"
#include "suite.h"

/* What the next calls do. */
static struct {
	int send_errno; /* once */
	int recv_errno; /* once, after skip_recv good ones */
	int skip_recv;
	int lose_recv; /* so many messages are read and thrown away, and EAGAIN is reported */
} fault;

static struct err err = ERR_INIT;

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	if (fault.send_errno) {
		errno = fault.send_errno;
		fault.send_errno = 0;
		return -1;
	}
	return syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}

static bool fails_now(void)
{
	if (!fault.recv_errno || fault.skip_recv-- > 0)
		return false;
	errno = fault.recv_errno;
	fault.recv_errno = 0;
	return true;
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n;

	if (fails_now())
		return -1;
	n = syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
	while (n >= 0 && fault.lose_recv > 0) {
		fault.lose_recv--;
		n = syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
	}
	return n;
}

static struct nft *nft;
static struct image want;

/* The difference between the kernel and what is wanted, or a negative errno. */
static long differences(struct ops *ops)
{
	struct image have;
	int code;

	image_init(&have);
	ops_init(ops);
	code = nft_read(nft, &want, &have, &err);
	if (code == 0)
		image_diff(&have, &want, ops);
	image_fini(&have);
	return code < 0 ? code : (long)(ops->stage[0].n + ops->stage[1].n);
}

static void assert_same(void)
{
	struct ops ops;

	ck_assert_int_eq(differences(&ops), 0);
	ops_fini(&ops);
}

static void setup(void)
{
	struct nft_options opt = { .table = "fnat" };
	struct ops ops;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(nft_open(&opt, &nft, &err), 0);
	image_init(&want);
	image_add_base(&want);
	image_sort(&want);
	ck_assert_int_gt(differences(&ops), 0);
	ck_assert_int_eq(nft_commit(nft, &ops.stage[0], NULL, &err), 0);
	ops_fini(&ops);
	assert_same();
}

static void teardown(void)
{
	nft_close(nft);
	image_fini(&want);
	err_reset(&err);
	memset(&fault, 0, sizeof(fault));
}

/* Add one address to what is wanted, and commit it. */
static int commit_one(const char *text)
{
	struct op op = { .kind = OP_ADD_ELEM };
	struct op_list list = { .items = &op, .n = 1 };

	op.elem.map = (struct map_ref){ .kind = MAP_ADDRESSES, .family = AF_INET };
	ck_assert_int_eq(addr_parse(text, &op.elem.address), 0);
	*image_add_elem(&want) = op.elem;
	image_sort(&want);
	return nft_commit(nft, &list, NULL, &err);
}

START_TEST(test_interrupted_calls_are_repeated)
{
	fault.send_errno = EINTR;
	fault.recv_errno = EINTR;
	ck_assert_int_eq(commit_one("192.0.2.1"), 0);
	fault.recv_errno = EINTR;
	fault.skip_recv = 2;
	assert_same();
}
END_TEST

START_TEST(test_what_cannot_be_sent_changes_nothing)
{
	fault.send_errno = ENOBUFS;
	ck_assert_int_eq(commit_one("192.0.2.1"), -ENOBUFS);
	ck_assert_int_eq(err.kind, ERR_KERNEL);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
	want.n_elems = 0;
	assert_same();
	ck_assert_int_eq(commit_one("192.0.2.1"), 0);
	assert_same();
}
END_TEST

START_TEST(test_a_lost_answer_is_no_success)
{
	/* The number of the generation and the acknowledgement. */
	fault.lose_recv = 2;
	ck_assert_int_lt(commit_one("192.0.2.1"), 0);
	ck_assert_msg(strstr(err_text(&err), "not known"), "%s", err_text(&err));
	ck_assert_int_eq(nft_changed_elsewhere(nft), 1);
	/* The kernel has it, and reading tells. */
	assert_same();
	ck_assert_int_eq(nft_changed_elsewhere(nft), 0);
}
END_TEST

START_TEST(test_an_overrun_is_no_success)
{
	fault.recv_errno = ENOBUFS;
	ck_assert_int_lt(commit_one("192.0.2.1"), 0);
	ck_assert_int_eq(nft_changed_elsewhere(nft), 1);
	assert_same();
	ck_assert_int_eq(commit_one("192.0.2.2"), 0);
	assert_same();
}
END_TEST

/* At every call of the reading in turn. */
START_TEST(test_a_broken_dump_is_an_error_and_the_next_is_whole)
{
	struct ops ops;

	fault.recv_errno = ENOBUFS;
	fault.skip_recv = _i;
	ck_assert_int_lt(differences(&ops), 0);
	ops_fini(&ops);
	ck_assert(err_any(&err));
	err_reset(&err);
	assert_same();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("nft-faults");
	TCase *t = tcase_create("kernel");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_interrupted_calls_are_repeated);
	tcase_add_test(t, test_what_cannot_be_sent_changes_nothing);
	tcase_add_test(t, test_a_lost_answer_is_no_success);
	tcase_add_test(t, test_an_overrun_is_no_success);
	tcase_add_loop_test(t, test_a_broken_dump_is_an_error_and_the_next_is_whole, 0, 14);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	if (!can_make_namespaces())
		return EXIT_SKIP;
	return run_suite(suite());
}
