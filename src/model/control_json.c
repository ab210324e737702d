/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * None of these fields is in a document unless it says something: nearly no service needs them, and
 * a document with 100,000 services is long enough.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/control.h"
#include "model/json.h"
#include "model/put.h"

static const char *const states[] = {
	[BACKEND_ENABLED] = "enabled",
	[BACKEND_DRAINING] = "draining",
	[BACKEND_DISABLED] = "disabled",
};

static const char *const all_downs[] = {
	[ALL_DOWN_CLOSED] = "closed",
	[ALL_DOWN_OPEN] = "open",
};

static const char *const on_drain_timeouts[] = {
	[ON_DRAIN_KEEP] = "keep",
	[ON_DRAIN_CUT] = "cut",
};

static const char *const on_removes[] = {
	[ON_REMOVE_KEEP] = "keep",
	[ON_REMOVE_CUT] = "cut",
};

static const char *const limits[] = {
	[LIMIT_AUTO] = "auto",
	[LIMIT_EXACT] = "exact",
	[LIMIT_BUDGET] = "budget",
	[LIMIT_FAST] = "fast",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const char *backend_state_name(size_t state)
{
	return state < ARRAY_SIZE(states) ? states[state] : NULL;
}

const char *limit_name(size_t limit)
{
	return limit < ARRAY_SIZE(limits) ? limits[limit] : NULL;
}

/* One of a few words, as a number. */
static void read_word(struct reader *r, const struct at *at, const json_t *value,
		      const char *const words[], size_t n, const char *expected, uint8_t *out)
{
	const char *text;

	if (!read_string(r, at, value, expected, &text))
		return;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = (uint8_t)i;
			return;
		}
	}
	problem(r, at, value, "expected %s", expected);
}

void read_backend_state(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_word(r, at, value, states, ARRAY_SIZE(states),
		  "\"enabled\", \"draining\" or \"disabled\"", &((struct backend *)out)->state);
}

void read_backend_priority(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t priority;

	if (read_integer(r, at, value, 0, CONTROL_PRIORITY_MAX, &priority))
		((struct backend *)out)->priority = (uint8_t)priority;
}

void read_backend_sorry(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_boolean(r, at, value, &((struct backend *)out)->is_sorry);
}

static void read_connections(struct reader *r, const struct at *at, const json_t *value,
			     uint32_t *out)
{
	json_int_t n;

	if (read_integer(r, at, value, 0, MODEL_CONNECTIONS_MAX, &n))
		*out = (uint32_t)n;
}

void read_backend_max_connections(struct reader *r, const struct at *at, const json_t *value,
				  void *out)
{
	read_connections(r, at, value, &((struct backend *)out)->max_connections);
}

void read_backend_min_connections(struct reader *r, const struct at *at, const json_t *value,
				  void *out)
{
	read_connections(r, at, value, &((struct backend *)out)->min_connections);
}

void read_slow_start(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t seconds;

	if (read_integer(r, at, value, 0, CONTROL_SLOW_START_MAX_S, &seconds))
		((struct service *)out)->control.slow_start_s = (uint16_t)seconds;
}

void read_quorum(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t weight;

	if (read_integer(r, at, value, 0, CONTROL_QUORUM_MAX, &weight))
		((struct service *)out)->control.quorum = (uint32_t)weight;
}

void read_quorum_hysteresis(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	json_int_t weight;

	if (read_integer(r, at, value, 0, CONTROL_QUORUM_MAX, &weight))
		((struct service *)out)->control.quorum_hysteresis = (uint32_t)weight;
}

void read_all_down(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_word(r, at, value, all_downs, ARRAY_SIZE(all_downs), "\"closed\" or \"open\"",
		  &((struct service *)out)->control.all_down);
}

void read_on_down(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_word(r, at, value, on_removes, ARRAY_SIZE(on_removes), "\"keep\" or \"cut\"",
		  &((struct service *)out)->control.on_down);
}

void read_on_remove(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_word(r, at, value, on_removes, ARRAY_SIZE(on_removes), "\"keep\" or \"cut\"",
		  &((struct service *)out)->control.on_remove);
}

void read_max_connections(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_connections(r, at, value, &((struct service *)out)->control.max_connections);
}

void read_max_connections_per_client(struct reader *r, const struct at *at, const json_t *value,
				     void *out)
{
	read_connections(r, at, value,
			 &((struct service *)out)->control.max_connections_per_client);
}

void read_count_begun(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_boolean(r, at, value, &((struct service *)out)->counts_begun);
}

void read_limit(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_word(r, at, value, limits, ARRAY_SIZE(limits),
		  "\"auto\", \"exact\", \"budget\" or \"fast\"",
		  &((struct service *)out)->control.limit);
}

/* Clients that are known go to their backend without being counted. */
static void check_limit(struct reader *r, const struct at *at, const struct service *s)
{
	struct at at_limit = at_member(at, "limit");

	if (service_has_gates(s) && (s->persistence.timeout_s > 0 || s->n_pins > 0))
		problem_text(r, &at_limit,
			     service_limit(s) == LIMIT_EXACT ? "\"exact\"" : "\"budget\"",
			     "expected \"fast\": with persistence and pins, clients go to their "
			     "backend without being counted");
}

static void check_thresholds(struct reader *r, const struct at *at, const struct backend *b)
{
	struct at at_backends = at_member(at, "backends");
	struct at at_backend = at_object(&at_backends, "backend", b->name);
	struct at at_min = at_member(&at_backend, "min_connections");
	char found[16];

	if (b->min_connections <= b->max_connections)
		return;
	snprintf(found, sizeof(found), "%" PRIu32, b->min_connections);
	problem_text(r, &at_min, found, "expected no more than max_connections, %" PRIu32,
		     b->max_connections);
}

static void read_seconds_to_drain(struct reader *r, const struct at *at, const json_t *value,
				  uint32_t *out)
{
	json_int_t seconds;

	if (read_integer(r, at, value, 0, CONTROL_DRAIN_MAX_S, &seconds))
		*out = (uint32_t)seconds;
}

static void read_keep_or_cut(struct reader *r, const struct at *at, const json_t *value,
			     uint8_t *out)
{
	read_word(r, at, value, on_drain_timeouts, ARRAY_SIZE(on_drain_timeouts),
		  "\"keep\" or \"cut\"", out);
}

void read_drain_timeout(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_seconds_to_drain(r, at, value, &((struct service *)out)->control.drain_timeout_s);
}

void read_on_drain_timeout(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	read_keep_or_cut(r, at, value, &((struct service *)out)->control.on_drain_timeout);
}

/* --- a state that is asked for ------------------------------------------------------------- */

static void read_wish_state(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct backend b = { 0 };

	read_backend_state(r, at, value, &b);
	((struct state_wish *)out)->state = b.state;
}

static void read_wish_timeout(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct state_wish *wish = out;

	wish->has_timeout = true;
	read_seconds_to_drain(r, at, value, &wish->drain_timeout_s);
}

static void read_wish_end(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct state_wish *wish = out;

	wish->has_end = true;
	read_keep_or_cut(r, at, value, &wish->on_drain_timeout);
}

static const struct field of_wish[] = {
	{ "state", true, read_wish_state },
	{ "drain_timeout_s", false, read_wish_timeout },
	{ "on_drain_timeout", false, read_wish_end },
};

int state_wish_from_json(const json_t *value, struct state_wish *out, struct err *err)
{
	struct reader r = { .err = err };
	struct at at = { .pointer = "" }, at_state = at_member(&at, "state");

	*out = (struct state_wish){ 0 };
	read_object(&r, &at, value, of_wish, ARRAY_SIZE(of_wish), out);
	if (r.n_problems == 0 && out->state != BACKEND_DRAINING &&
	    (out->has_timeout || out->has_end))
		problem(&r, &at_state, json_object_get(value, "state"),
			"expected \"draining\" beside \"%s\"",
			out->has_timeout ? "drain_timeout_s" : "on_drain_timeout");
	return r.n_problems ? -EINVAL : 0;
}

const char *on_drain_timeout_name(enum on_drain_timeout what)
{
	return on_drain_timeouts[what];
}

void check_control(struct reader *r, const struct at *at, const struct service *s)
{
	struct at at_hysteresis = at_member(at, "quorum_hysteresis");
	const struct control *c = &s->control;
	char found[16];

	for (size_t i = 0; i < s->n_backends; i++)
		check_thresholds(r, at, &s->backends[i]);
	check_limit(r, at, s);
	if (c->quorum_hysteresis == 0 || c->quorum_hysteresis < c->quorum)
		return;
	snprintf(found, sizeof(found), "%" PRIu32, c->quorum_hysteresis);
	/* As much as the quorum, and it would never be lost. */
	problem_text(r, &at_hysteresis, found, "expected less than the quorum, %" PRIu32,
		     c->quorum);
}

void put_backend_control(json_t *object, const struct backend *b)
{
	if (b->state != BACKEND_ENABLED)
		put(object, "state", json_string_nocheck(states[b->state]));
	if (b->priority)
		put(object, "priority", json_integer(b->priority));
	if (b->is_sorry)
		put(object, "sorry", json_true());
	if (b->max_connections)
		put(object, "max_connections", json_integer(b->max_connections));
	if (b->min_connections)
		put(object, "min_connections", json_integer(b->min_connections));
}

void put_control(json_t *object, const struct service *s)
{
	const struct control *c = &s->control;

	if (c->slow_start_s)
		put(object, "slow_start_s", json_integer(c->slow_start_s));
	if (c->quorum)
		put(object, "quorum", json_integer(c->quorum));
	if (c->quorum_hysteresis)
		put(object, "quorum_hysteresis", json_integer(c->quorum_hysteresis));
	if (c->all_down != ALL_DOWN_CLOSED)
		put(object, "all_down", json_string_nocheck(all_downs[c->all_down]));
	if (c->on_down != ON_REMOVE_KEEP)
		put(object, "on_down", json_string_nocheck(on_removes[c->on_down]));
	if (c->on_remove != ON_REMOVE_KEEP)
		put(object, "on_remove", json_string_nocheck(on_removes[c->on_remove]));
	if (c->drain_timeout_s)
		put(object, "drain_timeout_s", json_integer(c->drain_timeout_s));
	if (c->on_drain_timeout != ON_DRAIN_KEEP)
		put(object, "on_drain_timeout",
		    json_string_nocheck(on_drain_timeouts[c->on_drain_timeout]));
	if (c->max_connections)
		put(object, "max_connections", json_integer(c->max_connections));
	if (c->max_connections_per_client)
		put(object, "max_connections_per_client",
		    json_integer(c->max_connections_per_client));
	if (c->limit != LIMIT_AUTO)
		put(object, "limit", json_string_nocheck(limits[c->limit]));
	if (s->counts_begun)
		put(object, "count_begun", json_true());
}

bool control_equal(const struct control *a, const struct control *b)
{
	return a->max_connections == b->max_connections &&
	       a->max_connections_per_client == b->max_connections_per_client &&
	       a->limit == b->limit && a->quorum == b->quorum &&
	       a->quorum_hysteresis == b->quorum_hysteresis && a->slow_start_s == b->slow_start_s &&
	       a->all_down == b->all_down && a->on_down == b->on_down &&
	       a->on_remove == b->on_remove && a->drain_timeout_s == b->drain_timeout_s &&
	       a->on_drain_timeout == b->on_drain_timeout;
}

bool control_matters(const struct service *s)
{
	bool matters = s->control.quorum > 0 || scheduler_counts(s->scheduler);

	for (size_t i = 0; i < s->n_backends && !matters; i++) {
		const struct backend *b = &s->backends[i];

		matters = b->state != BACKEND_ENABLED || b->priority || b->is_sorry;
	}
	return matters;
}
