/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shells' scripts, as contrib/completions has them: for who did not install fnat from a
 * package.
 */
#include <stdio.h>
#include <string.h>

#include "fnatctl/commands.h"
#include "fnatctl/scripts.h" /* made of contrib/completions */

int run_completion(struct cli *cli, char *const args[], size_t n)
{
	(void)args;
	(void)n;
	fputs(!strcmp(cli->command->object, "bash") ? fnatctl_bash : fnatctl_zsh, stdout);
	return CLI_OK;
}
