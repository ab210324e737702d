/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From words to a command: options are taken out, the command is found, its arguments are counted,
 * it runs. What went wrong has been said by whoever found out; only the exit status is left.
 */
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fnatctl/commands.h"
#include "fnatctl/help.h"
#include "fnatctl/options.h"

static int check_arguments(const struct cli *cli, const struct command *c, char *const args[],
			   size_t n)
{
	size_t min, max;

	command_arity(c, &min, &max);
	if (cli->given & ~c->options) {
		cli_error("%s does not go with \"%s\"", options_name(cli->given & ~c->options),
			  c->words);
		return CLI_USAGE;
	}
	if ((cli->given & CLI_DRY_RUN) && (cli->given & CLI_CONFIRM)) {
		cli_error("--confirm does not go with --dry-run: there is nothing to confirm");
		return CLI_USAGE;
	}
	if (n < min)
		cli_error("\"%s\" needs %s", c->words, c->args);
	else if (n > max)
		cli_error("\"%s\": one argument too many for \"%s\"", args[max], c->words);
	else
		return CLI_OK;
	help_usage(c, stderr);
	return CLI_USAGE;
}

static int run(struct cli *cli, char *const words[], size_t n)
{
	const struct command *c;
	size_t n_words;
	int ret;

	if (cli->wants_version)
		return printf("fnatctl %s\n", PACKAGE_VERSION) < 0;
	if (cli->wants_help)
		return run_help(cli, words, n);
	if (n == 0) {
		help_all(stderr);
		return CLI_USAGE;
	}
	c = command_find(words, n, &n_words);
	if (!c)
		return CLI_USAGE;
	cli->command = c;
	ret = check_arguments(cli, c, words + n_words, n - n_words);
	return ret == CLI_OK ? c->run(cli, words + n_words, n - n_words) : ret;
}

int main(int argc, char *argv[])
{
	struct cli cli = {
		.socket_path = CLI_SOCKET,
		.timeout_s = CLI_TIMEOUT_S,
		.is_terminal = isatty(STDOUT_FILENO),
	};
	size_t n = (size_t)argc;
	int ret;

	setlocale(LC_CTYPE, "");
	ret = options_parse(&cli, argv, &n);
	if (ret == CLI_OK)
		ret = run(&cli, argv + 1, n - 1);
	client_free(cli.client);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cli_error("cannot write the result");
		ret = ret == CLI_OK ? CLI_REFUSED : ret;
	}
	return ret;
}
