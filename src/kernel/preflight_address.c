/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of the addresses in the configuration against the routing tables and the sockets. The
 * kernel is asked for each address, so they are bounded; what is wrong with one address of a pool
 * or one backend is as a rule wrong with all, and is reported once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/preflight_check.h"
#include "kernel/sockets.h"
#include "kernel/sysctl.h"

/* --- addresses of one kind ----------------------------------------------------------------- */

struct spot {
	struct addr address;
	const struct service *service;
	const struct backend *backend; /* NULL: a virtual address */
};

struct spots {
	struct spot items[PREFLIGHT_ADDRESSES_MAX];
	size_t n;
};

static void spot_add(struct spots *spots, const struct addr *a, const struct service *s,
		     const struct backend *b)
{
	if (spots->n == PREFLIGHT_ADDRESSES_MAX)
		return;
	for (size_t i = 0; i < spots->n; i++)
		if (addr_equal(&spots->items[i].address, a))
			return;
	spots->items[spots->n++] = (struct spot){ *a, s, b };
}

static bool is_full(const struct spots *spots)
{
	return spots->n == PREFLIGHT_ADDRESSES_MAX;
}

/* fnatd assigns it by itself, or is about to. */
static bool is_taken_care_of(const char *interface)
{
	return interface && *interface && if_nametoindex(interface);
}

static void gather_virtual(const struct preflight *pf, struct spots *out)
{
	for (size_t i = 0; i < pf->in->n_services && !is_full(out); i++) {
		const struct service *s = pf->in->services[i];

		for (size_t j = 0; j < s->n_listeners; j++)
			if (!is_taken_care_of(service_interface(s, &s->listeners[j])))
				spot_add(out, &s->listeners[j].address, s, NULL);
	}
}

static void gather_backends(const struct preflight *pf, struct spots *out)
{
	for (size_t i = 0; i < pf->in->n_services && !is_full(out); i++) {
		const struct service *s = pf->in->services[i];

		for (size_t j = 0; j < s->n_backends; j++)
			spot_add(out, &s->backends[j].address, s, &s->backends[j]);
	}
}

/* --- virtual addresses --------------------------------------------------------------------- */

/*
 * A deprecated IPv6 address (preferred_lft 0) is not chosen as source of the machine's own
 * packets. verb: "add", or "change" for what is there already.
 */
static char *assign_remedy(const char *verb, const struct addr *a, const char *ifname)
{
	char text[ADDR_STRLEN];

	return mem_printf("ip addr %s %s/%zu dev %s%s", verb, addr_format(a, text),
			  8 * addr_len(a->family), *ifname ? ifname : "lo",
			  a->family == AF_INET6 ? " nodad preferred_lft 0" : "");
}

/* Addresses of one kind that have the same thing wrong with them: the first one is the example. */
struct affected {
	struct list names;
	struct addr first;
	char ifname[IFNAMSIZ];
};

static void affected_add(struct affected *a, const struct spot *s, const struct route_result *r)
{
	char text[ADDR_STRLEN];

	addr_format(&s->address, text);
	if (!a->names.n) {
		a->first = s->address;
		/* Behind a gateway nobody asks for it with ARP: any interface will do. */
		strcpy(a->ifname, r->gateway.family && !s->backend ? "lo" : r->ifname);
	}
	if (s->backend)
		list_add(&a->names, "%s/%s %s", s->service->name, s->backend->name, text);
	else
		list_add(&a->names, "%s (%s)", text, s->service->name);
}

/* Reports them, if there are any, with text before the names; the remedy is left to the caller. */
static struct finding *affected_find(struct preflight *pf, struct affected *a, const char *id,
				     enum severity severity, const char *text, const char *why)
{
	struct finding *f;
	char *names;

	if (!a->names.n)
		return NULL;
	names = list_take(&a->names);
	f = preflight_find(pf, id, severity);
	f->what = mem_printf("%s: %s", text, names);
	f->why = mem_strdup(why);
	free(names);
	return f;
}

void check_virtual_addresses(struct preflight *pf)
{
	struct affected elsewhere = { 0 }, nowhere = { 0 };
	struct spots *spots = mem_zalloc(sizeof(*spots));
	struct route_result r;
	struct finding *f;

	gather_virtual(pf, spots);
	for (size_t i = 0; i < spots->n && pf->route; i++) {
		if (route_lookup(pf->route, &spots->items[i].address, &r) < 0)
			continue;
		if (r.kind == ROUTE_NONE)
			affected_add(&nowhere, &spots->items[i], &r);
		else if (r.kind != ROUTE_LOCAL)
			affected_add(&elsewhere, &spots->items[i], &r);
	}
	f = affected_find(pf, &nowhere, "virtual-address-no-route", SEVERITY_WARNING,
			  "no route to virtual addresses",
			  "programs on this machine cannot connect to them, they do not answer "
			  "ping, and other hosts "
			  "reach them only where a router sends them here");
	if (f)
		f->remedy = assign_remedy("add", &nowhere.first, "lo");
	f = affected_find(pf, &elsewhere, "virtual-address-not-assigned", SEVERITY_WARNING,
			  "virtual addresses not assigned here",
			  "nobody answers ARP or ping for them; other hosts reach them only where "
			  "a router sends "
			  "them here");
	if (f)
		f->remedy = assign_remedy("add", &elsewhere.first, elsewhere.ifname);
	free(spots);
}

/* --- pools --------------------------------------------------------------------------------- */

/* Addresses that follow each other. */
struct run {
	struct addr lo, hi;
	size_t n;
};

/* Last byte (IPv4) or last group (IPv6) alone differ: what a shell loop can count through. */
static bool is_countable(const struct run *run)
{
	size_t len = addr_len(run->lo.family) - (run->lo.family == AF_INET ? 1 : 2);

	return !memcmp(run->lo.bytes, run->hi.bytes, len);
}

/* The command that assigns a run to an interface: one line, whatever its length. */
static char *run_remedy(const char *verb, const struct run *run, const char *ifname)
{
	const uint8_t *lo = run->lo.bytes, *hi = run->hi.bytes;
	char prefix[ADDR_STRLEN + 8] = "";

	if (addr_equal(&run->lo, &run->hi) || !is_countable(run))
		return assign_remedy(verb, &run->lo, ifname);
	if (run->lo.family == AF_INET)
		return mem_printf(
			"for i in $(seq %u %u); do ip addr %s %u.%u.%u.$i/32 dev %s; done", lo[3],
			hi[3], verb, lo[0], lo[1], lo[2], ifname);
	for (size_t i = 0, at = 0; i < 14; i += 2)
		at += (size_t)snprintf(prefix + at, sizeof(prefix) - at,
				       "%x:", lo[i] << 8 | lo[i + 1]);
	return mem_printf("for i in $(seq %u %u); do ip addr %s %s$(printf %%x $i)/128 dev %s "
			  "nodad preferred_lft 0; done",
			  lo[14] << 8 | lo[15], hi[14] << 8 | hi[15], verb, prefix, ifname);
}

/* The interface that leads to the backends of a service that uses the pool. */
static void pool_interface(struct preflight *pf, const struct pool *p, uint8_t family,
			   char ifname[IFNAMSIZ])
{
	struct route_result r;

	strcpy(ifname, "lo");
	for (size_t i = 0; i < pf->in->n_services && i < PREFLIGHT_ADDRESSES_MAX; i++) {
		const struct service *s = pf->in->services[i];

		for (size_t j = 0; j < s->n_backends && !strcmp(s->pool, p->name); j++) {
			if (s->backends[j].address.family != family ||
			    route_lookup(pf->route, &s->backends[j].address, &r) < 0 ||
			    r.kind != ROUTE_UNICAST || !r.ifname[0])
				continue;
			memcpy(ifname, r.ifname, IFNAMSIZ);
			return;
		}
	}
}

/* What was found among the addresses of one family of one pool. */
struct missing {
	struct run first;
	struct list names;
	size_t n, n_looked_at;
};

static void run_end(struct missing *m, struct run *run)
{
	struct addr_range range = { run->lo, run->hi };
	char text[2 * ADDR_STRLEN];

	if (!run->n)
		return;
	if (!m->names.n)
		m->first = *run;
	list_add(&m->names, "%s", addr_range_format(&range, text));
	m->n += run->n;
	run->n = 0;
}

static void look_for_missing(struct preflight *pf, const struct pool *p, uint8_t family,
			     size_t *budget, struct missing *m)
{
	uint32_t n = family == AF_INET ? p->n4 : p->n6;
	struct run run = { 0 };

	for (uint32_t i = 0; i<n && * budget> 0; i++, --*budget) {
		struct addr a = pool_address(p, family, i), next;
		struct route_result r;

		m->n_looked_at++;
		if (route_lookup(pf->route, &a, &r) < 0 || r.kind == ROUTE_LOCAL) {
			run_end(m, &run);
			continue;
		}
		next = addr_add(&run.hi, 1);
		if (run.n && !addr_equal(&next, &a))
			run_end(m, &run);
		if (!run.n)
			run.lo = a;
		run.hi = a;
		run.n++;
	}
	run_end(m, &run);
}

static void check_pool(struct preflight *pf, const struct pool *p, uint8_t family, size_t *budget)
{
	struct missing m = { 0 };
	char ifname[IFNAMSIZ], *names;
	struct finding *f;

	look_for_missing(pf, p, family, budget, &m);
	if (!m.n)
		return;
	names = list_take(&m.names);
	pool_interface(pf, p, family, ifname);
	f = preflight_find(pf, "pool-address-not-assigned", SEVERITY_WARNING);
	f->what =
		mem_printf("pool \"%s\": %zu of %zu addresses looked at are not assigned here: %s",
			   p->name, m.n, m.n_looked_at, names);
	f->why = mem_strdup("backends answer to these addresses; unless a router sends them here, "
			    "the answers are "
			    "lost and connections hang");
	f->remedy = run_remedy("add", &m.first, ifname);
	free(names);
}

void check_pools(struct preflight *pf)
{
	size_t budget = PREFLIGHT_ADDRESSES_MAX;

	for (size_t i = 0; i < pf->in->n_pools && pf->route; i++) {
		if (is_taken_care_of(pf->in->pools[i]->interface))
			continue;
		check_pool(pf, pf->in->pools[i], AF_INET, &budget);
		check_pool(pf, pf->in->pools[i], AF_INET6, &budget);
	}
}

const struct addr_range *preflight_range_of(const struct preflight *pf, const struct addr *a)
{
	size_t budget = PREFLIGHT_ADDRESSES_MAX;

	for (size_t i = 0; i < pf->in->n_pools; i++) {
		const struct pool *p = pf->in->pools[i];

		for (size_t j = 0; j < p->n_ranges && budget > 0; j++, budget--)
			if (addr_range_contains(&p->ranges[j], a))
				return &p->ranges[j];
	}
	return NULL;
}

/* --- backends ------------------------------------------------------------------------------ */

/* What one look at each backend found. */
struct backend_reach {
	struct affected no_route, here, loopback, source, no_forward;
};

static bool is_loopback(const struct addr *a)
{
	return a->family == AF_INET && a->bytes[0] == 127;
}

/* Forwarding is on, but not for what comes in on this interface. */
static bool is_deaf(const char *ifname)
{
	long all, one;

	return sysctl_read("net/ipv4/ip_forward", &all) == 0 && all != 0 &&
	       sysctl_read_interface("ipv4", ifname, "forwarding", &one) == 0 && one == 0;
}

static void look_at_backend(struct preflight *pf, const struct spot *s, struct backend_reach *st)
{
	struct route_result r;

	if (route_lookup(pf->route, &s->address, &r) < 0)
		return;
	if (r.kind == ROUTE_NONE || r.kind == ROUTE_OTHER)
		affected_add(&st->no_route, s, &r);
	else if (r.kind == ROUTE_LOCAL)
		affected_add(is_loopback(&s->address) ? &st->loopback : &st->here, s, &r);
	else if (r.source.family && preflight_range_of(pf, &r.source))
		affected_add(&st->source, &(struct spot){ r.source, s->service, s->backend }, &r);
	if (r.kind == ROUTE_UNICAST && s->address.family == AF_INET && is_deaf(r.ifname))
		affected_add(&st->no_forward, s, &r);
}

static char *source_remedy(const struct preflight *pf, const struct affected *a)
{
	const struct addr_range *range = preflight_range_of(pf, &a->first);
	char text[ADDR_STRLEN];

	if (a->first.family == AF_INET6)
		return run_remedy("change", &(struct run){ range->lo, range->hi, 0 }, a->ifname);
	return mem_printf(
		"give %s an address that is in no pool, before those of the pool: ip addr del "
		"and add %s/32 after it",
		a->ifname, addr_format(&a->first, text));
}

static void find_backends(struct preflight *pf, struct backend_reach *st)
{
	char text[ADDR_STRLEN], path[SYSCTL_NAME_BYTES], name[SYSCTL_NAME_BYTES];
	struct finding *f;

	f = affected_find(pf, &st->no_route, "backend-no-route", SEVERITY_ERROR,
			  "no route to backends",
			  "connections given to them fail: the network is unreachable");
	if (f)
		f->remedy = mem_printf("ip route add %s/%zu via GATEWAY, GATEWAY being the router "
				       "that leads there",
				       addr_format(&st->no_route.first, text),
				       8 * addr_len(st->no_route.first.family));
	f = affected_find(pf, &st->no_forward, "forwarding-off", SEVERITY_ERROR,
			  "forwarding is off on the interface that leads to backends",
			  "the kernel drops their answers to clients on other hosts");
	if (f) {
		snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", st->no_forward.ifname);
		f->remedy = mem_printf("sysctl -w %s=1", sysctl_name(path, name));
	}
	f = affected_find(pf, &st->loopback, "backend-loopback", SEVERITY_WARNING,
			  "backends on the loopback network",
			  "the kernel drops packets from other hosts to 127.0.0.0/8");
	if (f)
		f->remedy = mem_strdup(
			"fnatctl set backend SERVICE/NAME address=ADDRESS, with an address of "
			"this machine that is not on the loopback network");
	f = affected_find(
		pf, &st->here, "backend-local", SEVERITY_INFO, "backends on this machine itself",
		"a connection from another host to them keeps the client's address as its source");
	if (f)
		f->remedy = mem_strdup(
			"none is needed when that is meant; else run the backend in a network "
			"namespace or on a host of its own");
	f = affected_find(pf, &st->source, "pool-address-in-use", SEVERITY_WARNING,
			  "this machine's own packets to backends have a pool's address as source",
			  "a backend sees one client where there are two, and drops connections "
			  "that reuse a port "
			  "(TCP timestamps go backwards): they are delayed by a second");
	if (f)
		f->remedy = source_remedy(pf, &st->source);
}

void check_backends(struct preflight *pf)
{
	struct spots *spots = mem_zalloc(sizeof(*spots));
	struct backend_reach st = { 0 };

	gather_backends(pf, spots);
	for (size_t i = 0; i < spots->n && pf->route; i++)
		look_at_backend(pf, &spots->items[i], &st);
	find_backends(pf, &st);
	free(spots);
}

/* --- sockets ------------------------------------------------------------------------------- */

struct users {
	struct preflight *pf;
	struct list names;
	struct addr first;
};

static void socket_found(const struct socket_entry *s, void *arg)
{
	struct users *u = arg;
	char text[ADDR_STRLEN];

	if (!preflight_range_of(u->pf, &s->address))
		return;
	if (!u->names.n)
		u->first = s->address;
	list_add(&u->names, "%s port %u/%s", addr_format(&s->address, text), s->port,
		 protocol_name(s->protocol));
}

void check_sockets(struct preflight *pf)
{
	struct users u = { .pf = pf };
	char text[ADDR_STRLEN], *names;
	struct finding *f;

	(void)sockets_each(socket_found, &u);
	if (!u.names.n)
		return;
	names = list_take(&u.names);
	f = preflight_find(pf, "pool-address-in-use", SEVERITY_WARNING);
	f->what = mem_printf("programs of this machine use addresses of a pool: %s", names);
	f->why = mem_strdup(
		"a backend sees one client where there are two, and drops connections that reuse a "
		"port (TCP timestamps go backwards): they are delayed by a second");
	f->remedy =
		mem_printf("ss -tuanp src %s shows the program; give it another address to bind to",
			   addr_format(&u.first, text));
	free(names);
}
