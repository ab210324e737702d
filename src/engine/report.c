/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same happenings go to the log, for people, and to the event stream, for
 * programs; both are worded here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_internal.h"
#include "engine/events.h"

/* An event names no more objects than this; `n_objects` has their number. */
#define EVENT_OBJECTS_MAX 100

static const char *object_name(const struct change *c)
{
	return c->object == OBJECT_SERVICE ? "service" : "pool";
}

static const char *change_word(const struct change *c)
{
	bool is_new = c->object == OBJECT_SERVICE ? !c->service.before : !c->pool.before;
	bool is_gone = c->object == OBJECT_SERVICE ? !c->service.after : !c->pool.after;

	return is_gone ? "removed" : is_new ? "added" : "changed";
}

/* Who asks over the API is in its log, with the outcome. */
static void request_log(const struct pending *r, uint64_t took_ns)
{
	unsigned long long generation = r->generation, took_us = took_ns / 1000;
	void (*log)(const char *, const char *, ...) __attribute__((format(printf, 2, 3))) =
		r->who.uid < 0 ? log_info : log_debug;
	const struct change *c = r->changes.items;

	if (r->changes.n == 1)
		log("engine", "generation %llu: %s %s %s (%llu us)", generation, object_name(c),
		    change_name(c), change_word(c), took_us);
	else
		log("engine", "generation %llu: %zu objects changed: %s (%llu us)", generation,
		    r->changes.n, r->who.what ? r->who.what : "several", took_us);
}

void report_request(struct engine *e, const struct pending *r, uint64_t took_ns)
{
	json_t *objects;

	if (r->changes.n == 0)
		return;
	request_log(r, took_ns);
	objects = json_array();
	for (size_t i = 0; i < r->changes.n && i < EVENT_OBJECTS_MAX; i++) {
		const struct change *c = &r->changes.items[i];

		json_array_append_new(objects,
				      json_pack("{s:s,s:s,s:s}", "object", object_name(c), "name",
						change_name(c), "change", change_word(c)));
	}
	events_add(e->events, "generation", clock_real_ms(),
		   json_pack("{s:I,s:I,s:I,s:s,s:I,s:o}", "generation", (json_int_t)r->generation,
			     "uid", (json_int_t)r->who.uid, "pid", (json_int_t)r->who.pid, "what",
			     r->who.what ? r->who.what : "", "n_objects", (json_int_t)r->changes.n,
			     "objects", objects));
}

/* The kernel writer has logged what it found. */
void report_drift(struct engine *e, uint64_t n_ops)
{
	events_add(e->events, "drift", clock_real_ms(),
		   json_pack("{s:I}", "operations", (json_int_t)n_ops));
}

static void report_serving(struct engine *e, const struct service *s, const struct standing *was,
			   const struct standing *is, int f)
{
	const char *family = f ? "ipv6" : "ipv4", *from = serving_name(was->of[f].serving);
	const char *to = serving_name(is->of[f].serving);
	void (*log)(const char *, const char *, ...) __attribute__((format(printf, 2, 3))) =
		is->of[f].serving == SERVING_NORMAL ? log_info : log_warn;

	if (was->of[f].serving == is->of[f].serving && was->of[f].priority == is->of[f].priority)
		return;
	log("engine", "%s: %s backends serving: %s, priority %u -> %s, priority %u", s->name,
	    family, from, was->of[f].priority, to, is->of[f].priority);
	events_add(e->events, "serving", clock_real_ms(),
		   json_pack("{s:s,s:s,s:s,s:s,s:i}", "service", s->name, "family", family, "from",
			     from, "to", to, "priority", (int)is->of[f].priority));
}

void report_standing(const struct service *s, const struct standing *was, const struct standing *is,
		     void *arg)
{
	struct engine *e = arg;

	if (standing_overflows(was) != standing_overflows(is) && e->on_overflow)
		e->on_overflow(e->on_overflow_arg);
	if (was->is_below_quorum != is->is_below_quorum) {
		log_warn("engine", "%s: quorum %u %s: weight %llu is up", s->name,
			 s->control.quorum, is->is_below_quorum ? "lost" : "reached",
			 (unsigned long long)is->live_weight);
		events_add(e->events, is->is_below_quorum ? "quorum_lost" : "quorum_reached",
			   clock_real_ms(),
			   json_pack("{s:s,s:I,s:I}", "service", s->name, "quorum",
				     (json_int_t)s->control.quorum, "live_weight",
				     (json_int_t)is->live_weight));
	}
	for (int f = 0; f < 2; f++)
		report_serving(e, s, was, is, f);
}

static bool findings_has(const struct findings *f, const struct finding *item)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->items[i].id, item->id) == 0 &&
		    strcmp(f->items[i].what, item->what) == 0)
			return true;
	}
	return false;
}

static void report_finding(struct engine *e, const struct finding *f)
{
	switch (f->severity) {
	case SEVERITY_INFO:
		log_info("preflight", "%s: %s; %s", f->what, f->why, f->remedy);
		return;
	case SEVERITY_WARNING:
		log_warn("preflight", "%s: %s; %s", f->what, f->why, f->remedy);
		break;
	case SEVERITY_ERROR:
		log_error("preflight", "%s: %s; %s", f->what, f->why, f->remedy);
		break;
	}
	events_add(e->events, "warning", clock_real_ms(),
		   json_pack("{s:s,s:s,s:s,s:s,s:s}", "id", f->id, "severity",
			     severity_name(f->severity), "what", f->what, "why", f->why, "remedy",
			     f->remedy));
}

void report_findings(struct engine *e, struct findings *now)
{
	for (size_t i = 0; i < now->n; i++) {
		if (!findings_has(&e->findings, &now->items[i]))
			report_finding(e, &now->items[i]);
	}
	for (size_t i = 0; i < e->findings.n; i++) {
		if (!findings_has(now, &e->findings.items[i]))
			log_info("preflight", "no longer: %s", e->findings.items[i].what);
	}
	findings_fini(&e->findings);
	e->findings = *now;
	*now = (struct findings){ 0 };
}
