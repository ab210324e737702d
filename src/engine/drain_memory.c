/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that somebody damaged must not stop a start: what is no number is not there. */
#include "engine/drain_internal.h"

static json_t *drain_to_json(const struct drain *drain)
{
	const struct drain_status *s = &drain->status;
	char address[ADDR_STRLEN];

	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:b, s:b, s:I, s:I}", "address",
			 addr_format(&drain->address, address), "port", (json_int_t)drain->port,
			 "since_ms", (json_int_t)s->since_ms, "deadline_ms",
			 (json_int_t)s->deadline_ms, "on_timeout",
			 on_drain_timeout_name(s->on_timeout), "is_done", s->is_done,
			 "is_over_time", s->is_over_time, "is_cut", s->is_cut, "done_ms",
			 (json_int_t)s->done_ms, "connections", (json_int_t)s->connections);
}

json_t *drains_to_json(const struct drain *items, size_t n)
{
	json_t *all = json_object();

	for (size_t i = 0; i < n; i++) {
		json_t *backends = json_object_get(all, items[i].service);

		if (!backends) {
			backends = json_object();
			json_object_set_new(all, items[i].service, backends);
		}
		json_object_set_new(backends, items[i].backend, drain_to_json(&items[i]));
	}
	return all;
}

static bool flag(const json_t *from, const char *key)
{
	return json_is_true(json_object_get(from, key));
}

static int64_t number(const json_t *from, const char *key)
{
	return json_integer_value(json_object_get(from, key));
}

/* Files of before did not say where it was. */
static bool is_elsewhere(const json_t *from, const struct drain *drain)
{
	const char *text = json_string_value(json_object_get(from, "address"));
	struct addr address;

	return text && (addr_parse(text, &address) < 0 || !addr_equal(&address, &drain->address) ||
			number(from, "port") != drain->port);
}

bool drain_recall(const json_t *all, struct drain *drain)
{
	const json_t *backends = json_object_get(all, drain->service);
	const json_t *from = json_object_get(backends, drain->backend);
	const char *end = json_string_value(json_object_get(from, "on_timeout"));

	if (number(from, "since_ms") <= 0 || is_elsewhere(from, drain))
		return false;
	drain->status = (struct drain_status){
		.since_ms = number(from, "since_ms"),
		.deadline_ms = number(from, "deadline_ms"),
		.on_timeout = end && end[0] == 'c' ? ON_DRAIN_CUT : ON_DRAIN_KEEP,
		.is_done = flag(from, "is_done"),
		.is_over_time = flag(from, "is_over_time"),
		.is_cut = flag(from, "is_cut"),
		.done_ms = number(from, "done_ms"),
		.connections = (uint32_t)number(from, "connections"),
		.is_counted = flag(from, "is_done"),
	};
	return true;
}
