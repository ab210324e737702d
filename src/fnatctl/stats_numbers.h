/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns of `fnatctl stats` and `fnatctl top`, in the order and the words of ipvsadm --stats
 * and --rate.
 */
#ifndef FNAT_FNATCTL_STATS_NUMBERS_H
#define FNAT_FNATCTL_STATS_NUMBERS_H

/* A column: its heading (as in columns.h), and the member of the API's objects. */
struct number {
	const char *heading, *key;
};

/* Ended by a row of NULLs. */
extern const struct number stats_totals[], stats_rates[];
/* Beside the totals where a service has it. */
extern const struct number stats_begun;

#define STATS_NUMBERS_MAX 16

#endif
