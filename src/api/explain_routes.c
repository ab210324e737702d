/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/explain: what the ruleset decides, and beside it what conntrack has of that connection.
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

struct question {
	struct call *call;
	struct packet packet;
	struct origin *origin; /* until the engine has drained */
};

static json_t *end_to_json(const struct addr *address, uint16_t port)
{
	char text[ADDR_STRLEN];

	return json_pack("{s:s, s:i}", "address", addr_format(address, text), "port", port);
}

static json_t *chances_to_json(const struct explanation *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->n_chances; i++) {
		const struct chance *c = &e->chances[i];
		char text[ADDR_STRLEN];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:i, s:I}", "name", c->name, "address",
						addr_format(&c->address, text), "port", c->port,
						"slots", (json_int_t)c->slots));
	}
	return list;
}

static json_t *program_to_json(const struct explanation *e)
{
	char name[NFT_NAME_BYTES];

	if (!e->service)
		return json_null();
	return json_string(program_name(&e->program, name));
}

static json_t *local_to_json(const struct explanation *e)
{
	char text[ADDR_STRLEN];

	if (!e->pool)
		return json_null();
	return json_pack("{s:s, s:I, s:I, s:s, s:o, s:b}", "pool", e->pool, "index",
			 (json_int_t)e->local_index, "addresses", (json_int_t)e->n_locals,
			 "address", addr_format(&e->local, text), "port",
			 e->local_port ? json_integer(e->local_port) : json_null(), "detour",
			 e->is_detour);
}

static json_t *explanation_to_json(const struct explanation *e)
{
	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:I, s:o, s:o}", "by",
			 explained_by_name(e->by), "verdict", verdict_name(e->verdict), "service",
			 e->service, "program", program_to_json(e), "slot",
			 e->has_slot ? json_integer(e->slot) : json_null(), "slots",
			 (json_int_t)e->program.size, "backends", chances_to_json(e), "local",
			 local_to_json(e));
}

/* Is the connection as a new one would be? */
static bool agrees(const struct explanation *e, const struct flow *live)
{
	if (!addr_equal(&e->local, &live->local.address))
		return false;
	for (size_t i = 0; i < e->n_chances; i++) {
		if (e->chances[i].port == live->backend.port &&
		    addr_equal(&e->chances[i].address, &live->backend.address))
			return true;
	}
	return false;
}

static json_t *flow_to_json(const struct flow *f, const struct flow_owner *owner)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *value;

	if (!out)
		abort(); /* no memory */
	flow_put_json(f, owner, clock_real_ns(), out);
	fclose(out);
	value = json_loadb(text, len, 0, NULL);
	free(text);
	return value;
}

/* Adds "live" and "agrees"; both null when there is no such connection. */
static int add_live(const struct question *q, const struct explanation *e, json_t *out,
		    struct err *err)
{
	const struct flow_end client = { q->packet.saddr, q->packet.sport };
	const struct flow_end to = { q->packet.daddr, q->packet.dport };
	struct flow_owner owner;
	struct flow live;
	int code = origin_of_client(q->origin, engine_model(q->call->engine), q->packet.protocol,
				    &client, &to, &live, &owner, err);

	if (code < 0 && code != -ENOENT)
		return code;
	json_object_set_new(out, "live", code == 0 ? flow_to_json(&live, &owner) : json_null());
	json_object_set_new(out, "agrees",
			    code == 0 ? json_boolean(agrees(e, &live)) : json_null());
	return 0;
}

static void explained(const struct explanation *e, void *arg)
{
	struct question *q = arg;
	struct err err = ERR_INIT;
	json_t *out = json_pack("{s:s, s:o, s:o}", "protocol", protocol_name(q->packet.protocol),
				"client", end_to_json(&q->packet.saddr, q->packet.sport), "virtual",
				end_to_json(&q->packet.daddr, q->packet.dport));
	json_t *rest = explanation_to_json(e);

	json_object_update(out, rest);
	json_decref(rest);
	if (add_live(q, e, out, &err) == 0) {
		call_answer_json(q->call, 200, out);
	} else {
		call_answer_err(q->call, &err);
		json_decref(out);
	}
	err_fini(&err);
	free(q);
}

static bool refused_flushed(struct call *c)
{
	struct engine_status status;

	engine_status(c->engine, &status);
	if (status.is_flushed)
		call_answer_problem(c, 409,
				    "the table was removed from the kernel (flush): nothing is "
				    "balanced until `fnatctl verify` puts it back");
	return status.is_flushed;
}

void explain_get(struct call *c)
{
	struct flow_end client, to;
	struct question *q;
	uint8_t protocol;

	if (!query_protocol(c, &protocol) || !query_end(c, "client", &client) ||
	    !query_end(c, "virtual", &to))
		return;
	if (client.address.family != to.address.family) {
		call_answer_problem(c, 400, "client and virtual are of different families");
		return;
	}
	if (refused_flushed(c))
		return;
	q = mem_zalloc(sizeof(*q));
	q->call = c;
	q->origin = c->api->origin;
	q->packet = (struct packet){ client.address, to.address, client.port, to.port, protocol };
	engine_explain(c->engine, &q->packet, explained, q);
}
