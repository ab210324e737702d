/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a test program begins and ends. */
#ifndef FNAT_TESTS_SUITE_H
#define FNAT_TESTS_SUITE_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_SKIP 77 /* automake's */

/* If not, it says so, and main() is to return EXIT_SKIP. */
static inline bool can_make_namespaces(void)
{
	if (geteuid() == 0 && system("unshare -n true >/dev/null 2>&1") == 0)
		return true;
	printf("SKIP: needs root and network namespaces\n");
	return false;
}

/* The exit status of main(): all passed, or not. The suite is freed. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
