/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fnatctl is used, out of the tables of commands and options.
 */
#ifndef FNAT_FNATCTL_HELP_H
#define FNAT_FNATCTL_HELP_H

#include <stdio.h>

#include "fnatctl/commands.h"

/* The list of all commands. */
void help_all(FILE *out);
/* One command: usage, details, options, example. */
void help_command(const struct command *c, FILE *out);
/* "usage: fnatctl set pool POOL KEY=VALUE..." and the example, for a mistake. */
void help_usage(const struct command *c, FILE *out);

#endif
