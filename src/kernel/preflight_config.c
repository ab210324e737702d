/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of the configuration against itself: what is valid, and hardly meant. Nothing of the
 * machine is looked at. As many addresses as elsewhere, so that it takes no time.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/preflight_check.h"

/* A finding about things that are named. All static. */
struct kind {
	const char *id;
	enum severity severity;
	const char *what, *why, *remedy;
};

/* Reports what is in the list, if anything is. */
static void report(struct preflight *pf, struct list *names, const struct kind *kind)
{
	struct finding *f;
	char *all;

	if (names->n == 0)
		return;
	all = list_take(names);
	f = preflight_find(pf, kind->id, kind->severity);
	f->what = mem_printf("%s: %s", kind->what, all);
	f->why = mem_strdup(kind->why);
	f->remedy = mem_strdup(kind->remedy);
	free(all);
}

/* --- backends that are listeners ----------------------------------------------------------- */

static bool is_listener(const struct listener *l, const struct listener *from,
			const struct backend *b)
{
	uint16_t port = b->port ? b->port : from->port;

	return l->protocol == from->protocol && l->port == port &&
	       addr_equal(&l->address, &b->address);
}

/* Where a connection goes that comes to one of the service's listeners and gets that backend. */
static bool comes_to_listener(const struct preflight *pf, const struct service *s,
			      const struct backend *b)
{
	size_t budget = PREFLIGHT_ADDRESSES_MAX;

	for (size_t i = 0; i < pf->in->n_services; i++) {
		const struct service *other = pf->in->services[i];

		for (size_t k = 0; k < other->n_listeners; k++) {
			if (budget-- == 0)
				return false;
			for (size_t j = 0; j < s->n_listeners; j++)
				if (is_listener(&other->listeners[k], &s->listeners[j], b))
					return true;
		}
	}
	return false;
}

static void look_at_backends(struct preflight *pf, struct list *listeners, struct list *in_pool)
{
	size_t budget = PREFLIGHT_ADDRESSES_MAX;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < pf->in->n_services; i++) {
		const struct service *s = pf->in->services[i];

		for (size_t k = 0; k < s->n_backends; k++) {
			const struct backend *b = &s->backends[k];

			if (budget-- == 0)
				return;
			addr_format(&b->address, text);
			if (comes_to_listener(pf, s, b))
				list_add(listeners, "%s/%s %s", s->name, b->name, text);
			if (preflight_range_of(pf, &b->address))
				list_add(in_pool, "%s/%s %s", s->name, b->name, text);
		}
	}
}

static const struct kind is_listener_kind = {
	"backend-is-listener",
	SEVERITY_WARNING,
	"backends whose address and port are a listener of fnat",
	"a connection is balanced once: it reaches this machine's own programs, if "
	"any listen there, and none of the other service's backends",
	"fnatctl backend set SERVICE/NAME address=ADDRESS, with a backend of that "
	"service",
};

static const struct kind in_pool_kind = {
	"backend-in-pool",
	SEVERITY_WARNING,
	"backends with an address of a pool",
	"a connection that gets this local address comes to the backend from its own "
	"address, and its answers never leave there",
	"fnatctl pool set NAME addresses=RANGE,... without the address, or give the "
	"backend another one",
};

static void check_own_backends(struct preflight *pf)
{
	struct list listeners = { 0 }, in_pool = { 0 };

	look_at_backends(pf, &listeners, &in_pool);
	report(pf, &listeners, &is_listener_kind);
	report(pf, &in_pool, &in_pool_kind);
}

/* --- pools --------------------------------------------------------------------------------- */

struct owned_range {
	const struct pool *pool;
	const struct addr_range *range;
};

static size_t gather_ranges(const struct preflight *pf, struct owned_range *out)
{
	size_t n = 0;

	for (size_t i = 0; i < pf->in->n_pools; i++) {
		const struct pool *p = pf->in->pools[i];

		for (size_t k = 0; k < p->n_ranges && n < PREFLIGHT_ADDRESSES_MAX; k++)
			out[n++] = (struct owned_range){ p, &p->ranges[k] };
	}
	return n;
}

/* Ranges of one pool never overlap; pools may share addresses if they share no ports. */
static bool is_shared(const struct owned_range *a, const struct owned_range *b)
{
	return a->pool != b->pool && a->pool->port_min <= b->pool->port_max &&
	       b->pool->port_min <= a->pool->port_max &&
	       (addr_range_contains(a->range, &b->range->lo) ||
		addr_range_contains(b->range, &a->range->lo));
}

static const struct kind overlap_kind = {
	"pools-overlap",
	SEVERITY_WARNING,
	"pools with the same addresses and ports",
	"ports in use are counted for each pool alone: fnat goes around a local "
	"address that runs out of ports too late",
	"fnatctl pool set NAME addresses=RANGE,... so that each address is in one "
	"pool, or ports=FIRST-LAST so that each pool has its own",
};

static void check_overlaps(struct preflight *pf)
{
	struct owned_range ranges[PREFLIGHT_ADDRESSES_MAX];
	size_t n = gather_ranges(pf, ranges);
	struct list names = { 0 };
	char text[2 * ADDR_STRLEN];

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++)
			if (is_shared(&ranges[k], &ranges[i]))
				list_add(&names, "%s and %s (%s)", ranges[k].pool->name,
					 ranges[i].pool->name,
					 addr_range_format(ranges[i].range, text));
	}
	report(pf, &names, &overlap_kind);
}

/* --- listeners ----------------------------------------------------------------------------- */

static bool listens_on_udp(const struct service *s)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		if (s->listeners[i].protocol == IPPROTO_UDP)
			return true;
	return false;
}

static const struct kind udp_option_kind = {
	"udp-option-without-udp",
	SEVERITY_INFO,
	"services without a UDP listener that have an option for UDP",
	"the option says something about UDP flows only",
	"fnatctl service set NAME OPTION= removes the option",
};

static void check_udp_options(struct preflight *pf)
{
	struct list names = { 0 };

	for (size_t i = 0; i < pf->in->n_services && i < PREFLIGHT_ADDRESSES_MAX; i++) {
		const struct service *s = pf->in->services[i];

		if ((s->is_one_packet || s->udp_timeout_s > 0) && !listens_on_udp(s))
			list_add(&names, "%s (%s)", s->name,
				 s->is_one_packet ? "one_packet" : "udp_timeout_s");
	}
	report(pf, &names, &udp_option_kind);
}

void check_configuration(struct preflight *pf)
{
	check_own_backends(pf);
	check_overlaps(pf);
	check_udp_options(pf);
}
