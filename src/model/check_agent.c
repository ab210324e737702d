/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of agent.
 */
#include "model/check_agent.h"

#include <stddef.h>

#include "model/check_types.h"

static const struct check_field check_agent_fields[] = {
	{ "send", false, .kind = &check_text, .offset = offsetof(struct check_agent, send),
	  .min = 1, .max = CHECK_AGENT_SEND_BYTES },
};

const struct check_type check_type_agent = {
	.name = "agent",
	.options_bytes = sizeof(struct check_agent),
	.fields = check_agent_fields,
	.n_fields = sizeof(check_agent_fields) / sizeof(check_agent_fields[0]),
};
