/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer to a dry run, for people.
 */
#ifndef FNAT_FNATCTL_OPERATIONS_H
#define FNAT_FNATCTL_OPERATIONS_H

#include "fnatctl/cli.h"

/* What would be done to each map and chain, counted; with --verbose the commands of nft, too. */
void operations_print(const struct cli *cli, const json_t *answer);

#endif
