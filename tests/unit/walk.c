/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walk.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "images.h"

#define BACKENDS_MAX  7
#define PINS_MAX_HERE 3

static struct addr address_of(const char *text)
{
	struct addr a = { 0 };
	int ret = addr_parse(text, &a);

	assert(ret == 0);
	return a;
}

void walk_change_service(struct changes *c, const struct service *before,
			 const struct service *after)
{
	struct change change = { .object = OBJECT_SERVICE };

	change.service.before = before ? service_ref(before) : NULL;
	change.service.after = after ? service_ref(after) : NULL;
	VEC_PUSH(c->items, c->n, c->cap) = change;
}

void walk_change_pool(struct changes *c, const struct pool *before, const struct pool *after)
{
	struct change change = { .object = OBJECT_POOL };

	change.pool.before = before ? pool_ref(before) : NULL;
	change.pool.after = after ? pool_ref(after) : NULL;
	VEC_PUSH(c->items, c->n, c->cap) = change;
}

const struct service *walk_service(const char *name, const char *scheduler, const char *pool,
				   const char *address, uint16_t port, const uint32_t *weights,
				   size_t n)
{
	struct listener l = { .address = address_of(address),
			      .port = port,
			      .protocol = IPPROTO_TCP };
	struct backend backends[16] = { 0 };
	char names[16][2] = { 0 };
	struct service s = { .name = (char *)name,
			     .pool = (char *)pool,
			     .scheduler = scheduler_canonical(scheduler),
			     .listeners = &l,
			     .n_listeners = 1,
			     .backends = backends,
			     .n_backends = n };
	bool is_v6 = l.address.family == AF_INET6;

	for (size_t i = 0; i < n; i++) {
		struct addr base = address_of(is_v6 ? "fd00::100" : "10.1.0.11");

		names[i][0] = (char)('a' + i);
		backends[i] = (struct backend){
			.name = names[i],
			.address = addr_add(&base, i),
			.port = 8080,
			.weight = weights[i],
		};
	}
	return service_new(&s);
}

const struct pool *walk_pool(const char *name, const char *first, uint32_t n)
{
	struct addr lo = address_of(first);
	struct addr_range range = { lo, addr_add(&lo, n - 1) };
	struct pool p = { .name = (char *)name, .ranges = &range, .n_ranges = 1 };

	return pool_new(&p);
}

/* Listener number i of all that the walk knows: some share an address, some differ only in
 * protocol. */
static struct listener nth_listener(uint32_t i)
{
	static const char *const addresses[] = { "192.0.2.10", "192.0.2.11", "10.9.0.2",
						 "2001:db8::1" };

	return (struct listener){ .address = address_of(addresses[i % 4]),
				  .port = (uint16_t)(80 + i / 8),
				  .protocol = i / 4 % 2 ? IPPROTO_UDP : IPPROTO_TCP };
}

static struct backend random_backend(size_t i, char *name)
{
	bool is_v6 = rnd(4) == 0;
	struct addr base = address_of(is_v6 ? "fd00::100" : "10.1.0.11");

	snprintf(name, 4, "b%zu", i);
	return (struct backend){
		.name = name,
		.address = addr_add(&base, i + 10 * (rnd(8) == 0)),
		.port = rnd(5) ? 8080 : 0,
		.weight = rnd(12) ? rnd(4) : rnd(1000),
	};
}

/* A service without slots has no number that a restart finds: nor are its gates then adopted. */
static void settle_limits(struct service *s)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		if (s->backends[i].weight > 0 &&
		    service_listens_on(s, s->backends[i].address.family))
			return;
	}
	s->control.limit = LIMIT_FAST;
	s->control.max_connections = s->control.max_connections_per_client = 0;
}

/* As plan/effective.h makes them. */
static void random_limits(struct service *s)
{
	s->control.limit = rnd(4) ? LIMIT_FAST : rnd(2) ? LIMIT_EXACT : LIMIT_BUDGET;
	s->control.max_connections = rnd(6) ? 0 : 1 + rnd(2);
	s->control.max_connections_per_client = rnd(6) ? 0 : 1 + rnd(2);
	for (size_t i = 0; i < s->n_backends; i++) {
		struct backend *b = &s->backends[i];

		b->max_connections = rnd(2) ? 0 : 1 + rnd(100);
		b->is_overflow = rnd(5) == 0;
		if (rnd(2) && b->max_connections) {
			b->gate_of = b->max_connections;
			b->tokens = rnd(2) ? rnd(b->max_connections) : 0;
			b->room = 1 + rnd(b->max_connections);
			b->epoch = (uint16_t)rnd(3);
		}
		b->is_shut = b->max_connections && !b->is_overflow && rnd(4) == 0;
		if (b->is_shut || b->is_overflow)
			b->weight = 0;
	}
	settle_limits(s);
}

static char *service_name(uint32_t i, char buf[16])
{
	snprintf(buf, 16, "s%u", i);
	return buf;
}

/* Present pools only. */
static const struct pool *random_pool(const struct walk *w)
{
	for (;;) {
		const struct pool *p = w->next_pools[rnd(WALK_POOLS)];

		if (p)
			return p;
	}
}

/* Small tables: a default one of mh is larger than all the rest. */
static struct hash random_hash(void)
{
	return (struct hash){
		.key = (enum hash_key)rnd(3),
		.prefix4 = rnd(2) ? HASH_PREFIX4_MAX : 24,
		.prefix6 = rnd(2) ? HASH_PREFIX6_MAX : 64,
		.table_size = hash_table_size(0),
	};
}

static struct persistence random_persistence(void)
{
	return (struct persistence){
		.timeout_s = rnd(3) ? 0 : 300 + rnd(2),
		.max_entries = rnd(3) ? PERSISTENCE_ENTRIES_DEFAULT : 100,
		.prefix4 = rnd(2) ? 32 : 24,
		.prefix6 = rnd(2) ? 128 : 64,
		.keep_draining = rnd(2),
	};
}

/* Of any backend and family, some of them without effect: the model would not let those through. */
static size_t random_pins(const struct service *s, struct pin pins[PINS_MAX_HERE])
{
	size_t n = s->n_backends && rnd(3) == 0 ? rnd(PINS_MAX_HERE) : 0;

	for (size_t i = 0; i < n; i++)
		pins[i] = (struct pin){
			.client = address_of(i % 2 ? "fd00:5::" : "198.51.0.0"),
			.bits = (uint8_t)(16 + 8 * i),
			.backend = s->backends[rnd((uint32_t)s->n_backends)].name,
		};
	return n;
}

static const struct service *random_service(const struct walk *w, uint32_t index,
					    struct listener *listeners, size_t n)
{
	struct backend backends[BACKENDS_MAX];
	char names[BACKENDS_MAX][4], name[16];
	struct pin pins[PINS_MAX_HERE];
	struct service s = {
		.name = service_name(index, name),
		.pool = random_pool(w)->name,
		.scheduler = scheduler_name(rnd(8) ? rnd(3) : 3 + rnd(3)),
		.hash = random_hash(),
		.refusal = rnd(4) ? REFUSAL_REJECT : REFUSAL_DROP,
		.listeners = listeners,
		.n_listeners = n,
		.backends = backends,
	};

	for (size_t i = 0; i < BACKENDS_MAX; i++)
		if (rnd(2)) {
			backends[s.n_backends] = random_backend(i, names[i]);
			s.n_backends++;
		}
	random_limits(&s);
	s.persistence = random_persistence();
	s.pins = pins;
	s.n_pins = random_pins(&s, pins);
	return service_new(&s);
}

/* Which service has the listener next? WALK_SERVICES: none. */
static uint32_t owner(const struct walk *w, const struct listener *l)
{
	for (uint32_t i = 0; i < WALK_SERVICES; i++)
		for (size_t k = 0; w->next_services[i] && k < w->next_services[i]->n_listeners; k++)
			if (listener_cmp(&w->next_services[i]->listeners[k], l) == 0)
				return i;
	return WALK_SERVICES;
}

static void set_service(struct walk *w, uint32_t index, const struct service *s)
{
	service_unref(w->next_services[index]);
	w->next_services[index] = s;
}

/* Another service loses the listener; with its last one, it goes. */
static void rob(struct walk *w, uint32_t victim, const struct listener *l)
{
	struct listener left[WALK_LISTENERS];
	struct service s = *w->next_services[victim];
	size_t n = 0;

	for (size_t i = 0; i < s.n_listeners; i++)
		if (listener_cmp(&s.listeners[i], l) != 0)
			left[n++] = s.listeners[i];
	s.listeners = left;
	s.n_listeners = n;
	settle_limits(&s);
	set_service(w, victim, n ? service_new(&s) : NULL);
}

static void mutate_service(struct walk *w)
{
	struct listener listeners[WALK_LISTENERS];
	uint32_t index = rnd(WALK_SERVICES);
	size_t n = 0;

	if (rnd(5) == 0) {
		set_service(w, index, NULL);
		return;
	}
	for (uint32_t i = 0; i < WALK_LISTENERS; i++) {
		struct listener l = nth_listener(i);
		uint32_t other = owner(w, &l);
		bool is_mine = other == index;

		if (rnd(is_mine ? 6 : 12) == 0)
			is_mine = !is_mine;
		if (is_mine && other != index && other != WALK_SERVICES)
			rob(w, other, &l);
		if (is_mine)
			listeners[n++] = l;
	}
	set_service(w, index, n ? random_service(w, index, listeners, n) : NULL);
}

/* As service_equal(), with another number of weights: what health checks will do most of the time.
 */
static void mutate_weight(struct walk *w)
{
	uint32_t index = rnd(WALK_SERVICES);
	struct backend backends[BACKENDS_MAX], *changed;
	struct service s;

	if (!w->next_services[index] || w->next_services[index]->n_backends == 0)
		return;
	s = *w->next_services[index];
	memcpy(backends, s.backends, s.n_backends * sizeof(*backends));
	changed = &backends[rnd((uint32_t)s.n_backends)];
	changed->weight = changed->is_shut || changed->is_overflow ? 0 : rnd(3);
	backends[rnd((uint32_t)s.n_backends)].known = (uint8_t)rnd(3);
	s.backends = backends;
	settle_limits(&s);
	set_service(w, index, service_new(&s));
}

static bool is_used(const struct walk *w, const char *pool)
{
	for (uint32_t i = 0; i < WALK_SERVICES; i++)
		if (w->next_services[i] && strcmp(w->next_services[i]->pool, pool) == 0)
			return true;
	return false;
}

/* Some local addresses that have no ports left towards some backend, sorted. */
static size_t random_detours(const struct addr *v4, const struct addr *v6, struct detour out[4])
{
	const struct addr backends[] = { address_of("10.1.0.11"), address_of("fd00::100") };
	size_t n = 0;

	for (uint32_t i = 0; i < 4; i++) {
		bool is_v6 = rnd(2);
		struct detour d = { .local = addr_add(is_v6 ? v6 : v4, rnd(6)),
				    .backend = backends[is_v6],
				    .port = (uint16_t)(8080 + rnd(2)),
				    .protocol = rnd(2) ? IPPROTO_TCP : IPPROTO_UDP };

		if (rnd(2))
			continue;
		if (!bsearch(&d, out, n, sizeof(d), detour_cmp))
			out[n++] = d;
		qsort(out, n, sizeof(d), detour_cmp);
	}
	return n;
}

static void mutate_pool(struct walk *w)
{
	static const char *const names[WALK_POOLS] = { "a", "lan", "lan4" };
	struct addr v4 = address_of("10.9.0.1"), v6 = address_of("fd00::1");
	uint32_t index = rnd(WALK_POOLS);
	struct addr_range ranges[2];
	struct detour detours[4];
	struct pool p = { .name = (char *)names[index], .ranges = ranges };
	bool is_needed = index == 0 || is_used(w, names[index]);

	v4 = addr_add(&v4, rnd(4));
	v6 = addr_add(&v6, rnd(4));
	if (rnd(4))
		ranges[p.n_ranges++] = (struct addr_range){ v4, addr_add(&v4, rnd(6)) };
	if (rnd(3) == 0 || p.n_ranges == 0)
		ranges[p.n_ranges++] = (struct addr_range){ v6, addr_add(&v6, rnd(6)) };
	if (rnd(3) == 0)
		p.n_detours = random_detours(&v4, &v6, detours);
	p.detours = detours;
	if (rnd(4) == 0)
		p.port_min = p.port_max = 2000;
	pool_unref(w->next_pools[index]);
	w->next_pools[index] = !is_needed && rnd(3) == 0 ? NULL : pool_new(&p);
}

static void next_is_now(struct walk *w)
{
	for (uint32_t i = 0; i < WALK_SERVICES; i++)
		w->next_services[i] = w->services[i] ? service_ref(w->services[i]) : NULL;
	for (uint32_t i = 0; i < WALK_POOLS; i++)
		w->next_pools[i] = w->pools[i] ? pool_ref(w->pools[i]) : NULL;
}

void walk_init(struct walk *w)
{
	*w = (struct walk){ 0 };
}

void walk_fini(struct walk *w)
{
	for (uint32_t i = 0; i < WALK_SERVICES; i++)
		service_unref(w->services[i]);
	for (uint32_t i = 0; i < WALK_POOLS; i++)
		pool_unref(w->pools[i]);
}

static void add_changes(const struct walk *from, const struct walk *to, struct changes *out)
{
	for (uint32_t i = 0; i < WALK_POOLS; i++)
		if (from->pools[i] != to->next_pools[i])
			walk_change_pool(out, from->pools[i], to->next_pools[i]);
	for (uint32_t i = 0; i < WALK_SERVICES; i++)
		if (from->services[i] != to->next_services[i])
			walk_change_service(out, from->services[i], to->next_services[i]);
}

void walk_step(struct walk *w, struct changes *out)
{
	*out = (struct changes){ 0 };
	next_is_now(w);
	for (uint32_t i = 0; i < WALK_POOLS && !w->pools[0]; i++)
		while (!w->next_pools[0])
			mutate_pool(w);
	for (uint32_t n = 1 + rnd(3); n > 0; n--) {
		uint32_t what = rnd(8);

		if (what == 0)
			mutate_pool(w);
		else if (what < 4)
			mutate_weight(w);
		else
			mutate_service(w);
	}
	add_changes(w, w, out);
}

void walk_accept(struct walk *w)
{
	walk_fini(w);
	memcpy(w->services, w->next_services, sizeof(w->services));
	memcpy(w->pools, w->next_pools, sizeof(w->pools));
}

void walk_reject(struct walk *w)
{
	for (uint32_t i = 0; i < WALK_SERVICES; i++)
		service_unref(w->next_services[i]);
	for (uint32_t i = 0; i < WALK_POOLS; i++)
		pool_unref(w->next_pools[i]);
}

void walk_all(const struct walk *w, struct changes *out)
{
	static const struct walk nothing;
	struct walk all = { 0 };

	*out = (struct changes){ 0 };
	memcpy(all.next_services, w->services, sizeof(w->services));
	memcpy(all.next_pools, w->pools, sizeof(w->pools));
	add_changes(&nothing, &all, out);
}
