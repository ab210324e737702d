/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of fnatctl, before or after the command's words.
 */
#ifndef FNAT_FNATCTL_OPTIONS_H
#define FNAT_FNATCTL_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "fnatctl/cli.h"

struct option_row {
	const char *name;     /* with its dashes */
	const char *letter;   /* "-j", or NULL */
	const char *argument; /* NULL: takes none */
	unsigned int bit;     /* CLI_DRY_RUN ...; 0: general */
	/* 0, or -EINVAL: not as `expected` says */
	int (*set)(struct cli *cli, const char *value);
	const char *expected;
	const char *help;
};

/* The table's rows, i from 0; NULL after the last. */
const struct option_row *options_at(size_t i);

/* The row of "--name", "--name=value", "-x" or "-xVALUE"; *value is what is attached, or NULL. */
const struct option_row *options_find(char *arg, char **value);

/* Takes the options out of argv (argv[0] included), sets them in *cli and leaves the *n other
 * words. CLI_OK, or CLI_USAGE with a message. */
int options_parse(struct cli *cli, char *argv[], size_t *n);

/* Lines of help for the general options (of = 0) or for those in `of` (CLI_DRY_RUN ...). */
void options_help(unsigned int of, FILE *out);

/* The name ("--dry-run") of one option of those in `of`. Static. */
const char *options_name(unsigned int of);

#endif
