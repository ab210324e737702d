/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sentences are too long for columns; what, why and remedy stand under each other, so that the
 * remedy can be copied.
 */
#include "fnatctl/finding.h"

#include <stdlib.h>
#include <string.h>

#include "fnatctl/text.h"
#include "fnatctl/view.h"

static const char *colour_of(const char *severity)
{
	return !strcmp(severity, "error")     ? "\033[31m"
	       : !strcmp(severity, "warning") ? "\033[33m"
					      : "";
}

static void print(const struct cli *cli, const json_t *f)
{
	const char *severity = view_string(f, "severity");
	bool is_coloured = cli_is_coloured(cli) && *colour_of(severity);
	char *what = text_safe(view_string(f, "what")), *why = text_safe(view_string(f, "why"));
	char *remedy = text_safe(view_string(f, "remedy"));

	printf("\n%s%s%s  %s: %s\n", is_coloured ? colour_of(severity) : "", severity,
	       is_coloured ? "\033[0m" : "", view_string(f, "id"), what);
	printf("  why     %s\n  remedy  %s\n", why, remedy);
	free(what);
	free(why);
	free(remedy);
}

void finding_print_all(const struct cli *cli, const json_t *findings)
{
	json_t *f;
	size_t i;

	json_array_foreach (findings, i, f) {
		print(cli, f);
	}
}
