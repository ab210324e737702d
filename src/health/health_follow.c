/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Following the configuration. What a backend is to health is its name in the service, where it is
 * asked, and how: while those are the same, its state and the time of its next check are, too,
 * whatever else changes in the service. Another way to ask (another check) keeps the state, because
 * a backend that was down does not become well by that; another address makes it another backend.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "health/health_internal.h"

/* What was known before the daemon started, until the service is made known. */
struct remembered {
	UT_hash_handle hh;
	bool is_down;
	char key[]; /* "service/backend" */
};

static struct remembered *remembered_find(const struct health *h, const char *service,
					  const char *backend)
{
	struct remembered *r = NULL;
	char key[2 * MODEL_NAME_MAX + 2];
	int len = snprintf(key, sizeof(key), "%s/%s", service, backend);

	if (h->remembered && (size_t)len < sizeof(key))
		HASH_FIND(hh, h->remembered, key, (size_t)len, r);
	return r;
}

static void remembered_drop(struct health *h, struct remembered *r)
{
	HASH_DEL(h->remembered, r);
	free(r);
}

void health_remember(struct health *h, const char *service, const char *backend, bool is_down)
{
	size_t len = strlen(service) + 1 + strlen(backend);
	struct remembered *r = remembered_find(h, service, backend);

	if (r)
		remembered_drop(h, r);
	r = mem_zalloc(sizeof(*r) + len + 1);
	r->is_down = is_down;
	snprintf(r->key, len + 1, "%s/%s", service, backend);
	HASH_ADD_KEYPTR(hh, h->remembered, r->key, len, r);
}

static struct addr target_address(const struct backend *b)
{
	return b->address;
}

static uint16_t target_port(const struct service *s, const struct backend *b)
{
	return b->port ? b->port : s->listeners[0].port;
}

static struct machine_rule rule_of(const struct service *s)
{
	return (struct machine_rule){
		.rise = s->check->rise,
		.fall = s->check->fall,
		.is_initially_down = s->check->initial == CHECK_INITIAL_DOWN,
	};
}

static void recall(struct health *h, struct checked *b, struct remembered *r)
{
	b->rule.is_initially_down = r->is_down;
	if (b->agent)
		b->agent->is_awaited = r->is_down;
	remembered_drop(h, r);
}

static struct checked *checked_new(struct health *h, struct checked_service *s,
				   const struct backend *value)
{
	struct checked *b = mem_zalloc(sizeof(*b));
	struct remembered *r = remembered_find(h, s->value->name, value->name);

	b->service = s;
	b->observed.owner = b->flapping.owner = b->asking.owner = b;
	b->name = value->name;
	b->address = target_address(value);
	b->port = target_port(s->value, value);
	b->is_draining = value->weight == 0 || value->state != BACKEND_ENABLED;
	b->configured_weight = value->weight;
	b->rule = rule_of(s->value);
	b->weight_percent = b->weight = b->told_weight = -1;
	b->since_ms = clock_real_ms();
	h->n_backends++;
	asking_begin(h, &b->asking, s->value->check, checked_done_cb);
	agent_follow(h, b, true);
	if (r)
		recall(h, b, r);
	b->told = checked_state(b);
	b->told_down = checked_is_down(b);
	h->by_state[b->told]++;
	return b;
}

static void checked_free(struct health *h, struct checked *b)
{
	hold_drop(h, &b->observed);
	hold_drop(h, &b->flapping);
	asking_stop(h, &b->asking);
	agent_drop(h, b);
	h->by_state[b->told]--;
	h->n_backends--;
	free(b);
}

static bool is_same_target(const struct checked *b, const struct service *s,
			   const struct backend *value)
{
	struct addr address = target_address(value);

	return addr_equal(&b->address, &address) && b->port == target_port(s, value);
}

/* It stays: from the old value of its service to the new one. */
static void checked_move(struct health *h, struct checked *b, const struct backend *value,
			 bool is_other_check, bool is_other_agent)
{
	bool is_initially_down = b->rule.is_initially_down;

	b->name = value->name;
	b->is_draining = value->weight == 0 || value->state != BACKEND_ENABLED;
	b->configured_weight = value->weight;
	asking_rename(&b->asking);
	if (is_other_check) {
		if (b->service->value->check->observe == CHECK_OBSERVE_OFF)
			hold_drop(h, &b->observed);
		if (b->service->value->check->flap_count == 0)
			hold_drop(h, &b->flapping);
		b->rule = rule_of(b->service->value);
		b->rule.is_initially_down = is_initially_down;
		b->machine.in_a_row = 0;
		b->order = PROBE_ORDER_NONE;
		b->weight_percent = b->weight = -1;
		asking_begin(h, &b->asking, b->service->value->check, checked_done_cb);
	}
	agent_follow(h, b, is_other_agent);
}

static void tell_gone(struct health *h, struct checked *b, const char *reason)
{
	struct health_backend now;
	struct health_change change = { .now = &now,
					.before = b->told,
					.was_down = b->told_down,
					.is_gone = true,
					.reason = reason };

	checked_view(h, b, &now);
	now.is_down = false;
	now.state = HEALTH_DISABLED;
	if (h->changed)
		h->changed(&change, h->arg);
}

static void service_free(struct health *h, struct checked_service *s, const char *reason)
{
	HASH_DEL(h->services, s);
	for (size_t i = 0; i < s->value->n_backends; i++) {
		if (reason)
			tell_gone(h, s->backends[i], reason);
		checked_free(h, s->backends[i]);
	}
	service_unref(s->value);
	free(s->backends);
	free(s);
}

void health_forget_all(struct health *h)
{
	struct checked_service *s, *next;
	struct remembered *r, *next_r;

	HASH_ITER (hh, h->services, s, next)
		service_free(h, s, NULL);
	HASH_ITER (hh, h->remembered, r, next_r)
		remembered_drop(h, r);
}

static void service_start(struct health *h, const struct service *value)
{
	struct checked_service *s = mem_zalloc(sizeof(*s));

	s->health = h;
	s->value = service_ref(value);
	s->backends = mem_calloc(value->n_backends, sizeof(struct checked *));
	for (size_t i = 0; i < value->n_backends; i++)
		s->backends[i] = checked_new(h, s, &value->backends[i]);
	HASH_ADD_KEYPTR(hh, h->services, s->value->name, strlen(s->value->name), s);
}

/* The old backend of this name, both lists being sorted; *at moves on. Those that are passed over
 * are gone. */
static struct checked *take_old(struct health *h, struct checked **old, size_t n, size_t *at,
				const char *name)
{
	while (*at < n && strcmp(old[*at]->name, name) < 0) {
		tell_gone(h, old[*at], "removed");
		checked_free(h, old[(*at)++]);
	}
	return *at < n && strcmp(old[*at]->name, name) == 0 ? old[(*at)++] : NULL;
}

static void service_change(struct health *h, struct checked_service *s, const struct service *value)
{
	const struct service *before = s->value;
	struct checked **old = s->backends, *b;
	bool is_other_check = !check_equal(before->check, value->check);
	bool is_other_agent = !check_equal(before->agent, value->agent);
	size_t at = 0;

	HASH_DEL(h->services, s); /* its key is the old value's name */
	s->value = service_ref(value);
	s->backends = mem_calloc(value->n_backends, sizeof(struct checked *));
	for (size_t i = 0; i < value->n_backends; i++) {
		const struct backend *backend = &value->backends[i];

		b = take_old(h, old, before->n_backends, &at, backend->name);
		if (b && !is_same_target(b, value, backend)) {
			tell_gone(h, b, "another address");
			checked_free(h, b);
			b = NULL;
		}
		if (b)
			checked_move(h, b, backend, is_other_check, is_other_agent);
		s->backends[i] = b ? b : checked_new(h, s, backend);
		checked_tell(h, s->backends[i], "configured", 0);
	}
	while (at < before->n_backends) {
		tell_gone(h, old[at], "removed");
		checked_free(h, old[at++]);
	}
	HASH_ADD_KEYPTR(hh, h->services, s->value->name, strlen(s->value->name), s);
	free(old);
	service_unref(before);
}

void health_service(struct health *h, const struct service *before, const struct service *after)
{
	const char *name = after ? after->name : before->name;
	struct checked_service *s = NULL;

	HASH_FIND(hh, h->services, name, strlen(name), s);
	if (s && after && after->check)
		service_change(h, s, after);
	else if (s)
		service_free(h, s, after ? "not checked any more" : "removed");
	else if (after && after->check)
		service_start(h, after);
	health_arm(h);
}
