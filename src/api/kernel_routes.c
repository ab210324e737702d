/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel has: its listing, where services are placed, and putting it right.
 */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/handlers.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/balancer.h"

static json_t *placement_to_json(const struct placement *p)
{
	char address[ADDR_STRLEN], program[NFT_NAME_BYTES];

	return json_pack("{s:{s:s, s:s, s:i}, s:s, s:I, s:I}",
			 /* listener */
			 "listener", "address", addr_format(&p->listener.address, address),
			 "protocol", protocol_name(p->listener.protocol), "port", p->listener.port,
			 /* where it is */
			 "program", program_name(&p->program, program), "slots",
			 (json_int_t)p->program.size, "error_ppm", (json_int_t)p->error_ppm);
}

/* What a load-aware scheduler makes of it; absent for others. */
static json_t *balance_to_json(const struct call *c)
{
	struct balancer_status status;

	if (!c->balancer || !balancer_status(c->balancer, c->names[0], &status))
		return NULL;
	return json_pack("{s:I,s:I,s:I,s:I}", "error_ppm", (json_int_t)status.error_ppm, "steps",
			 (json_int_t)status.n_steps, "changes", (json_int_t)status.n_changes,
			 "slots_moved", (json_int_t)status.n_moved);
}

static void placements_done(const struct placement *p, size_t n, void *arg)
{
	struct call *c = arg;
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, placement_to_json(&p[i]));
	call_answer_json(
		c, 200, json_pack("{s:o,s:o*}", "placements", list, "balance", balance_to_json(c)));
}

void placements_get(struct call *c)
{
	if (!model_service(engine_model(c->engine), c->names[0])) {
		call_answer_problem(c, 404, "service \"%s\": no such service", c->names[0]);
		return;
	}
	engine_placements(c->engine, c->names[0], placements_done, c);
}

static void ruleset_done(char *text, size_t len, const struct err *err, void *arg)
{
	char *copy;

	if (err) {
		call_answer_err(arg, err);
		return;
	}
	copy = mem_alloc(len + 1);
	memcpy(copy, text, len);
	call_answer_text(arg, 200, "text/plain; charset=utf-8", copy, len);
}

void ruleset_get(struct call *c)
{
	engine_ruleset(c->engine, ruleset_done, c);
}

static void log_done(const struct call *c, long n_ops)
{
	char what[CALL_WHAT_BYTES];
	long uid, pid;

	http_peer(c->req, &uid, &pid);
	log_info("api", "uid %ld pid %ld: %s -> 200 (%ld operations)", uid, pid, call_what(c, what),
		 n_ops);
}

static void verify_done(long n_ops, const struct err *err, void *arg)
{
	struct call *c = arg;

	if (err) {
		call_answer_err(c, err);
		return;
	}
	log_done(c, n_ops);
	call_answer_json(c, 200, json_pack("{s:I}", "operations", (json_int_t)n_ops));
}

/* Who asks for it is at work on the machine: the preflight is done first, and its findings are
 * those of /v1/status when the answer comes. */
void verify_post(struct call *c)
{
	engine_preflight(c->engine);
	engine_verify(c->engine, verify_done, c);
}

static void flush_done(long n_ops, const struct err *err, void *arg)
{
	struct call *c = arg;

	if (err) {
		call_answer_err(c, err);
		return;
	}
	log_done(c, n_ops);
	call_answer_json(c, 200, json_pack("{s:b}", "flushed", 1));
}

void flush_post(struct call *c)
{
	engine_flush(c->engine, flush_done, c);
}
