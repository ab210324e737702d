/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/doctor looks at the machine now; /v1/status says what was seen last.
 */
#include "api/call.h"
#include "api/handlers.h"

static void look_done(const struct findings *findings, void *arg)
{
	call_answer_json(arg, 200,
			 json_pack("{s:o, s:o}", "findings", findings_to_json(findings), "checked",
				   findings_checked_to_json(findings)));
}

void doctor_get(struct call *c)
{
	engine_look(c->engine, look_done, c);
}
