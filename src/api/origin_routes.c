/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/origin
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/origin.h"
#include "api/query.h"
#include "base/clock.h"
#include "base/mem.h"

static void answer_flow(struct call *c, const struct flow *f, const struct flow_owner *owner)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* no memory */
	flow_put_json(f, owner, clock_real_ns(), out);
	fclose(out);
	call_answer_text(c, 200, JSON_TYPE, text, len);
}

void origin_get(struct call *c)
{
	struct err err = ERR_INIT;
	struct flow_end backend, local;
	struct flow_owner owner;
	struct flow flow;
	uint8_t protocol;
	int code;

	if (!query_protocol(c, &protocol) || !query_end(c, "local", &local) ||
	    !query_end(c, "backend", &backend))
		return;
	if (local.address.family != backend.address.family) {
		call_answer_problem(c, 400, "local and backend are of different families");
		return;
	}
	code = origin_of_local(c->api->origin, engine_model(c->engine), protocol, &backend, &local,
			       &flow, &owner, &err);
	if (code == 0)
		answer_flow(c, &flow, &owner);
	else if (code == -ENOENT)
		call_answer_problem(c, 404,
				    "no service has a connection over %s from %.80s to %.80s: "
				    "none that lasts",
				    http_query(c->req, "protocol"), http_query(c->req, "local"),
				    http_query(c->req, "backend"));
	else
		call_answer_err(c, &err);
	err_fini(&err);
}
