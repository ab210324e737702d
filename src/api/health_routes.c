/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/health, /v1/services/{service}/health
 */
#include "api/call.h"
#include "api/handlers.h"
#include "api/health_json.h"
#include "api/listing.h"

static json_t *result_to_json(const struct result *r)
{
	return json_pack("{s:I, s:s, s:I, s:s}", "time_ms", (json_int_t)r->time_ms, "result",
			 probe_result_name(r->result), "duration_us", (json_int_t)r->duration_us,
			 "reason", r->reason);
}

/* "++-+": ok and failed, the newest at the end. */
static json_t *history_to_json(const struct results *r)
{
	char text[RESULTS_BITMAP];
	unsigned int n = results_n_bits(r);

	for (unsigned int i = 0; i < n; i++)
		text[n - 1 - i] = r->bitmap >> i & 1 ? '+' : '-';
	return json_stringn(text, n);
}

static json_t *results_to_json(const struct results *results)
{
	json_t *list = json_array();
	const struct result *r;

	for (size_t i = 0; (r = results_get(results, i)); i++)
		json_array_append_new(list, result_to_json(r));
	return list;
}

static void put_unless(json_t *object, bool is_absent, const char *key, json_t *value)
{
	if (is_absent)
		json_decref(value);
	else
		json_object_set_new(object, key, value);
}

static json_t *replies_to_json(const struct health_replies *r)
{
	return json_pack("{s:I, s:I, s:I, s:b}", "connections", (json_int_t)r->n, "mean_us",
			 (json_int_t)(r->n ? r->sum_s / (double)r->n * 1e6 : 0), "smoothed_us",
			 (json_int_t)(r->smoothed_s * 1e6), "exact", r->is_exact);
}

static void put_results(json_t *object, const struct results *r)
{
	json_object_set_new(object, "ok", json_integer((json_int_t)r->n_ok));
	json_object_set_new(object, "failed", json_integer((json_int_t)r->n_failed));
	json_object_set_new(object, "undone", json_integer((json_int_t)r->n_undone));
	json_object_set_new(object, "history", history_to_json(r));
	json_object_set_new(object, "results", results_to_json(r));
}

static json_t *agent_to_json_health(const struct health_agent *a)
{
	static const char *const orders[] = { [PROBE_ORDER_READY] = "ready",
					      [PROBE_ORDER_DRAIN] = "drain",
					      [PROBE_ORDER_MAINT] = "maint" };
	json_t *object = json_pack("{s:b}", "down", a->is_down);

	put_unless(object, a->weight_percent < 0, "weight_percent",
		   json_integer(a->weight_percent));
	if (a->order != PROBE_ORDER_NONE)
		json_object_set_new(object, "order", json_string(orders[a->order]));
	put_results(object, a->results);
	put_unless(object, !*a->warning, "warning", json_string(a->warning));
	return object;
}

static json_t *backend_to_json_health(const struct health_backend *b)
{
	char address[ADDR_STRLEN];
	json_t *object =
		json_pack("{s:s, s:b, s:I, s:s, s:I}", "state", health_state_name(b->state), "down",
			  b->is_down, "since_ms", (json_int_t)b->since_ms, "address",
			  addr_format(&b->address, address), "port", (json_int_t)b->port);

	put_results(object, b->results);
	put_unless(object, b->needed == 0, "needed", json_integer(b->needed));
	put_unless(object, b->inhibited_ms == 0, "inhibited_ms", json_integer(b->inhibited_ms));
	put_unless(object, b->next_in_ms < 0, "next_in_ms", json_integer(b->next_in_ms));
	put_unless(object, !*b->warning, "warning", json_string(b->warning));
	put_unless(object, b->replies->n == 0, "replies", replies_to_json(b->replies));
	put_unless(object, b->weight < 0, "weight", json_integer(b->weight));
	if (b->agent)
		json_object_set_new(object, "agent", agent_to_json_health(b->agent));
	return object;
}

json_t *health_to_json(const struct health *h, const struct service *s)
{
	json_t *backends = json_object();
	json_t *object =
		json_pack("{s:s, s:o}", "check", s->check ? check_name_of_type(s->check) : "none",
			  "backends", backends);

	for (size_t i = 0; s->check && i < s->n_backends; i++) {
		struct health_backend b;

		/* A service that came just now is taken over within the next rounds of the loop. */
		if (health_get(h, s->name, s->backends[i].name, &b))
			json_object_set_new(backends, s->backends[i].name,
					    backend_to_json_health(&b));
	}
	return object;
}

void health_get_all(struct call *c)
{
	listing_answer(c, LISTING_HEALTH);
}

void health_get_service(struct call *c)
{
	const struct service *s = model_service(engine_model(c->engine), c->names[0]);

	if (!s)
		call_answer_problem(c, 404, "service \"%s\": no such service", c->names[0]);
	else
		call_answer_json(c, 200, health_to_json(c->health, s));
}
