/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services and pools as values. Each is one block of memory: there may be a million backends, and
 * an allocation for each name and each array would cost more than what it holds. Nothing in a
 * block changes after it was made but the reference count, so any thread may read it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/control.h"
#include "model/model.h"

static const struct {
	uint8_t protocol;
	const char *name;
} protocols[] = {
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ IPPROTO_SCTP, "sctp" },
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	bool hashes, counts;
} schedulers[] = {
	{ .name = "rr" },
	{ .name = "wrr" },
	{ .name = "random" },
	{ .name = "sh", .hashes = true },
	{ .name = "mh", .hashes = true },
	{ .name = "fo" },
	{ .name = "lc", .counts = true },
	{ .name = "wlc", .counts = true },
	{ .name = "sed", .counts = true },
	{ .name = "nq", .counts = true },
	{ .name = "ovf", .counts = true },
	{ .name = "twos", .counts = true },
};

static const uint32_t hash_table_sizes[] = {
	251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521
};

const char *protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	}
	return NULL;
}

uint8_t protocol_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (strcmp(protocols[i].name, name) == 0)
			return protocols[i].protocol;
	}
	return 0;
}

const char *scheduler_name(size_t i)
{
	return i < ARRAY_SIZE(schedulers) ? schedulers[i].name : NULL;
}

const char *scheduler_canonical(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
		if (strcmp(schedulers[i].name, name) == 0)
			return schedulers[i].name;
	}
	return NULL;
}

bool scheduler_hashes(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
		if (strcmp(schedulers[i].name, name) == 0)
			return schedulers[i].hashes;
	}
	return false;
}

bool scheduler_counts(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
		if (strcmp(schedulers[i].name, name) == 0)
			return schedulers[i].counts;
	}
	return false;
}

uint32_t hash_table_size(size_t i)
{
	return i < ARRAY_SIZE(hash_table_sizes) ? hash_table_sizes[i] : 0;
}

int listener_cmp(const struct listener *a, const struct listener *b)
{
	int rc = addr_cmp(&a->address, &b->address);

	if (rc == 0)
		rc = (a->protocol > b->protocol) - (a->protocol < b->protocol);
	if (rc == 0)
		rc = (a->port > b->port) - (a->port < b->port);
	return rc;
}

const char *listener_format(const struct listener *l, char buf[LISTENER_STRLEN])
{
	const char *protocol = protocol_name(l->protocol);
	char address[ADDR_STRLEN];

	snprintf(buf, LISTENER_STRLEN, l->address.family == AF_INET6 ? "[%s]:%u/%s" : "%s:%u/%s",
		 addr_format(&l->address, address), l->port, protocol ? protocol : "?");
	return buf;
}

static int backend_name_cmp(const void *a, const void *b)
{
	return strcmp(((const struct backend *)a)->name, ((const struct backend *)b)->name);
}

static int pin_cmp(const void *a, const void *b)
{
	const struct pin *x = a, *y = b;
	int rc = addr_cmp(&x->client, &y->client);

	return rc ? rc : (x->bits > y->bits) - (x->bits < y->bits);
}

/* Copy a string to *at and move *at behind it. */
static char *string_put(char **at, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = memcpy(*at, s, size);

	*at += size;
	return copy;
}

_Static_assert(sizeof(struct service) % _Alignof(struct backend) == 0 &&
		       sizeof(struct backend) % _Alignof(struct pin) == 0 &&
		       sizeof(struct pin) % _Alignof(struct listener) == 0,
	       "service_new() lays them out one after the other");

const struct service *service_new(const struct service *from)
{
	size_t size = sizeof(*from) + from->n_backends * sizeof(*from->backends) +
		      from->n_pins * sizeof(*from->pins) +
		      from->n_listeners * sizeof(*from->listeners);
	struct service *s;
	char *strings;

	size += strlen(from->name) + 1 + strlen(from->pool) + 1 +
		from->n_interfaces * sizeof(*from->interfaces);
	for (size_t i = 0; i < from->n_backends; i++)
		size += strlen(from->backends[i].name) + 1;
	for (size_t i = 0; i < from->n_pins; i++)
		size += strlen(from->pins[i].backend) + 1;

	s = mem_alloc(size);
	*s = *from;
	s->refs = 1;
	s->text = NULL;
	check_ref(s->check);
	check_ref(s->agent);
	s->backends = (struct backend *)(s + 1);
	s->pins = (struct pin *)(s->backends + s->n_backends);
	s->listeners = (struct listener *)(s->pins + s->n_pins);
	strings = (char *)(s->listeners + s->n_listeners);
	if (s->n_backends) /* memcpy() from NULL is undefined even for nothing */
		memcpy(s->backends, from->backends, s->n_backends * sizeof(*s->backends));
	if (s->n_pins)
		memcpy(s->pins, from->pins, s->n_pins * sizeof(*s->pins));
	if (s->n_listeners)
		memcpy(s->listeners, from->listeners, s->n_listeners * sizeof(*s->listeners));
	s->interfaces = from->n_interfaces ? (void *)strings : NULL;
	if (from->n_interfaces)
		memcpy(strings, from->interfaces, from->n_interfaces * sizeof(*s->interfaces));
	strings += from->n_interfaces * sizeof(*s->interfaces);
	s->name = string_put(&strings, from->name);
	s->pool = string_put(&strings, from->pool);
	for (size_t i = 0; i < s->n_backends; i++)
		s->backends[i].name = string_put(&strings, s->backends[i].name);
	qsort(s->backends, s->n_backends, sizeof(*s->backends), backend_name_cmp);
	for (size_t i = 0; i < s->n_pins; i++)
		s->pins[i].backend = string_put(&strings, s->pins[i].backend);
	if (s->n_pins)
		qsort(s->pins, s->n_pins, sizeof(*s->pins), pin_cmp);
	s->has_control = control_matters(s);
	return s;
}

const struct pool *pool_new(const struct pool *from)
{
	size_t ranges_size = from->n_ranges * sizeof(*from->ranges);
	size_t before_size = from->n_ranges * sizeof(*from->before);
	size_t detours_size = from->n_detours * sizeof(*from->detours);
	size_t size = sizeof(*from) + ranges_size + before_size + detours_size;
	struct pool *p = mem_alloc(size + strlen(from->name) + 1);
	char *strings = (char *)p + size;

	*p = *from;
	p->refs = 1;
	p->n4 = p->n6 = 0;
	p->ranges = (struct addr_range *)(p + 1);
	p->before = (void *)(p->ranges + p->n_ranges);
	p->detours = (void *)(p->before + p->n_ranges);
	if (p->port_max == 0) {
		p->port_min = POOL_PORT_MIN;
		p->port_max = POOL_PORT_MAX;
	}
	if (p->n_ranges)
		memcpy(p->ranges, from->ranges, ranges_size);
	if (p->n_detours)
		memcpy(p->detours, from->detours, detours_size);
	p->name = string_put(&strings, from->name);
	for (size_t i = 0; i < p->n_ranges; i++) {
		uint32_t *n = p->ranges[i].lo.family == AF_INET ? &p->n4 : &p->n6;

		p->before[i].n4 = p->n4;
		p->before[i].n6 = p->n6;
		*n += (uint32_t)addr_range_count(&p->ranges[i]);
	}
	return p;
}

static void ref(const unsigned int *refs)
{
	__atomic_add_fetch((unsigned int *)refs, 1, __ATOMIC_RELAXED);
}

/* True: that was the last one. */
static bool unref(const unsigned int *refs)
{
	return __atomic_sub_fetch((unsigned int *)refs, 1, __ATOMIC_ACQ_REL) == 0;
}

const struct service *service_ref(const struct service *s)
{
	ref(&s->refs);
	return s;
}

void service_unref(const struct service *s)
{
	if (!s || !unref(&s->refs))
		return;
	check_unref(s->check);
	check_unref(s->agent);
	free(s->text);
	free((void *)s);
}

const struct pool *pool_ref(const struct pool *p)
{
	ref(&p->refs);
	return p;
}

void pool_unref(const struct pool *p)
{
	if (p && unref(&p->refs))
		free((void *)p);
}

static bool same_limits(const struct backend *a, const struct backend *b)
{
	return a->max_connections == b->max_connections &&
	       a->min_connections == b->min_connections && a->gate_of == b->gate_of &&
	       a->room == b->room && a->tokens == b->tokens && a->epoch == b->epoch &&
	       a->is_shut == b->is_shut && a->is_overflow == b->is_overflow;
}

static bool backend_equal(const struct backend *a, const struct backend *b)
{
	return a->port == b->port && a->weight == b->weight && a->state == b->state &&
	       a->priority == b->priority && a->is_sorry == b->is_sorry && a->known == b->known &&
	       same_limits(a, b) && addr_equal(&a->address, &b->address) &&
	       strcmp(a->name, b->name) == 0;
}

static bool hash_equal(const struct hash *a, const struct hash *b)
{
	return a->key == b->key && a->prefix4 == b->prefix4 && a->prefix6 == b->prefix6 &&
	       a->table_size == b->table_size;
}

const char *service_interface(const struct service *s, const struct listener *l)
{
	return l->interface ? s->interfaces[l->interface - 1] : NULL;
}

static bool interface_equal(const struct service *a, const struct listener *la,
			    const struct service *b, const struct listener *lb)
{
	const char *ia = service_interface(a, la), *ib = service_interface(b, lb);

	return ia && ib ? strcmp(ia, ib) == 0 : ia == ib;
}

bool service_equal(const struct service *a, const struct service *b)
{
	if (a == b)
		return true;
	if (a->refusal != b->refusal || a->udp_timeout_s != b->udp_timeout_s ||
	    a->is_one_packet != b->is_one_packet || a->counts_begun != b->counts_begun ||
	    a->n_listeners != b->n_listeners || a->n_backends != b->n_backends ||
	    strcmp(a->name, b->name) != 0 || strcmp(a->pool, b->pool) != 0 ||
	    strcmp(a->scheduler, b->scheduler) != 0 || !hash_equal(&a->hash, &b->hash) ||
	    !check_equal(a->check, b->check) || !check_equal(a->agent, b->agent) ||
	    !control_equal(&a->control, &b->control) || a->n_slots != b->n_slots ||
	    memcmp(a->overflows, b->overflows, sizeof(a->overflows)) != 0 ||
	    memcmp(a->waits, b->waits, sizeof(a->waits)) != 0 || !persistence_equal(a, b))
		return false;
	for (size_t i = 0; i < a->n_listeners; i++) {
		if (listener_cmp(&a->listeners[i], &b->listeners[i]) != 0 ||
		    !interface_equal(a, &a->listeners[i], b, &b->listeners[i]))
			return false;
	}
	for (size_t i = 0; i < a->n_backends; i++) {
		if (!backend_equal(&a->backends[i], &b->backends[i]))
			return false;
	}
	return true;
}

int detour_cmp(const void *one, const void *other)
{
	const struct detour *a = one, *b = other;
	int cmp = addr_cmp(&a->backend, &b->backend);

	if (cmp == 0)
		cmp = (a->port > b->port) - (a->port < b->port);
	if (cmp == 0)
		cmp = (a->protocol > b->protocol) - (a->protocol < b->protocol);
	return cmp ? cmp : addr_cmp(&a->local, &b->local);
}

bool pool_equal(const struct pool *a, const struct pool *b)
{
	if (a == b)
		return true;
	if (a->n_ranges != b->n_ranges || strcmp(a->name, b->name) != 0 ||
	    strcmp(a->interface, b->interface) != 0 || a->port_min != b->port_min ||
	    a->port_max != b->port_max || a->n_detours != b->n_detours)
		return false;
	for (size_t i = 0; i < a->n_detours; i++) {
		if (detour_cmp(&a->detours[i], &b->detours[i]) != 0)
			return false;
	}
	for (size_t i = 0; i < a->n_ranges; i++) {
		if (!addr_equal(&a->ranges[i].lo, &b->ranges[i].lo) ||
		    !addr_equal(&a->ranges[i].hi, &b->ranges[i].hi))
			return false;
	}
	return true;
}

const struct backend *service_backend(const struct service *s, const char *name)
{
	struct backend key = { .name = (char *)name };

	return bsearch(&key, s->backends, s->n_backends, sizeof(*s->backends), backend_name_cmp);
}

uint64_t service_max_connections(const struct service *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n_backends; i++)
		sum += s->backends[i].max_connections;
	return sum;
}

enum limit service_limit(const struct service *s)
{
	if (s->control.limit != LIMIT_AUTO)
		return (enum limit)s->control.limit;
	if (s->persistence.timeout_s > 0 || s->n_pins > 0)
		return LIMIT_FAST;
	return service_max_connections(s) <= LIMIT_EXACT_ADVISED ? LIMIT_EXACT : LIMIT_FAST;
}

bool service_has_gates(const struct service *s)
{
	return service_max_connections(s) > 0 && service_limit(s) != LIMIT_FAST;
}

bool service_has_limits(const struct service *s)
{
	bool has = s->control.max_connections > 0 || s->control.max_connections_per_client > 0 ||
		   strcmp(s->scheduler, "ovf") == 0;

	for (size_t i = 0; i < s->n_backends && !has; i++)
		has = s->backends[i].max_connections > 0;
	return has;
}

bool service_listens_on(const struct service *s, uint8_t family)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].address.family == family)
			return true;
	}
	return false;
}

struct addr pool_address(const struct pool *p, uint8_t family, uint32_t i)
{
	size_t lo = 0, hi = p->n_ranges;

	/* The last range with no more than i addresses of the family before it holds number i: a
	 * range of the other family has a successor with as few before it. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if ((family == AF_INET ? p->before[mid].n4 : p->before[mid].n6) <= i)
			lo = mid;
		else
			hi = mid;
	}
	return addr_add(&p->ranges[lo].lo,
			i - (family == AF_INET ? p->before[lo].n4 : p->before[lo].n6));
}
