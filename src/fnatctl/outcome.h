/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said after a change.
 */
#ifndef FNAT_FNATCTL_OUTCOME_H
#define FNAT_FNATCTL_OUTCOME_H

#include "fnatctl/cli.h"

/*
 * "WHAT RESULT (generation 18)", or {"generation":18,"result":RESULT}; the operations after a dry
 * run; what happens without a confirmation. Takes what is in the reply. Returns the exit status.
 */
int outcome_print(struct cli *cli, const char *what, const char *result, struct reply *r);

#endif
