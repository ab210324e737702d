/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One change of one object, with what --dry-run, --if-match and --confirm ask for.
 */
#ifndef FNAT_FNATCTL_CHANGE_H
#define FNAT_FNATCTL_CHANGE_H

#include "fnatctl/cli.h"
#include "fnatctl/target.h"

/* value is the body, or NULL. Prints the outcome ("WHAT RESULT"), or why not. */
int change_object(struct cli *cli, const char *method, const struct target *t, const json_t *value,
		  const char *result);

#endif
