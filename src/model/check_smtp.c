/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of smtp.
 */
#include "model/check_smtp.h"

#include <stddef.h>
#include <string.h>

#include "model/check_host.h"
#include "model/check_types.h"

static const struct check_field check_smtp_fields[] = {
	{ "hostname", false, .kind = &check_text, .offset = offsetof(struct check_smtp, hostname),
	  .min = 1, .max = 253 },
};

static void smtp_verify(struct reader *r, const struct at *at, void *options)
{
	const struct check_smtp *s = options;
	struct at at_hostname = at_member(at, "hostname");
	char text[READER_TEXT_BYTES];

	if (s->hostname && !check_is_host_name(s->hostname, strlen(s->hostname)))
		problem_text(r, &at_hostname, quote(s->hostname, text), "expected a host name");
}

const struct check_type check_type_smtp = {
	.name = "smtp",
	.options_bytes = sizeof(struct check_smtp),
	.fields = check_smtp_fields,
	.n_fields = sizeof(check_smtp_fields) / sizeof(check_smtp_fields[0]),
	.verify = smtp_verify,
};
