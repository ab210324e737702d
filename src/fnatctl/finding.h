/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was found wrong with the machine, for a terminal. */
#ifndef FNAT_FNATCTL_FINDING_H
#define FNAT_FNATCTL_FINDING_H

#include "fnatctl/cli.h"

/* Findings as /v1/status and /v1/doctor have them: three lines each, after an empty one. */
void finding_print_all(const struct cli *cli, const json_t *findings);

#endif
