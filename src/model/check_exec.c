/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of exec. Who may change the configuration must not be able to run anything on the
 * balancer for that: programs are named, not pathed, and lie in one directory that the
 * administrator of the machine fills.
 */
#include "model/check_exec.h"

#include <string.h>

#include "model/check_types.h"

#define AT(member) offsetof(struct check_exec, member)

static const struct check_field check_exec_fields[] = {
	{ "program", true, .kind = &check_text, .offset = AT(program), .min = 1, .max = 255 },
	{ "args", false, .kind = &check_texts, .offset = AT(args), .max = CHECK_EXEC_ARGS_MAX },
	{ "dynamic_weight", false, .kind = &check_flag, .offset = AT(has_dynamic_weight) },
};

static void exec_verify(struct reader *r, const struct at *at, void *options)
{
	const struct check_exec *e = options;
	struct at at_program = at_member(at, "program");
	char text[READER_TEXT_BYTES];

	if (strchr(e->program, '/') || *e->program == '.')
		problem_text(r, &at_program, quote(e->program, text),
			     "expected the name of a file in the directory of fnatd --programs");
}

const struct check_type check_type_exec = {
	.name = "exec",
	.options_bytes = sizeof(struct check_exec),
	.fields = check_exec_fields,
	.n_fields = sizeof(check_exec_fields) / sizeof(check_exec_fields[0]),
	.verify = exec_verify,
};
