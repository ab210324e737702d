/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the links make of our addresses. An address that is assigned need not be answered for: the
 * kernel answers neighbour solicitations (IPv6) only on the interface that has the address, and ARP
 * as arp_ignore says (Documentation/networking/ip-sysctl.rst). Hosts ask for it on a link when a
 * network of that link contains it; where no network does, a router sends it here, and nobody asks.
 */
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/address.h"
#include "kernel/preflight_check.h"
#include "kernel/sysctl.h"

/* Addresses reserved for documentation (RFC 5737, RFC 3849): they go where everything goes that is
 * not known, which is where clients are. */
static const char *const elsewhere[] = { "203.0.113.254", "2001:db8:ffff::1" };

struct machine {
	struct preflight *pf;
	struct interface_address *addresses;
	struct link *links;
	size_t n_addresses, n_links;
};

static bool machine_read(struct preflight *pf, struct machine *m)
{
	struct netlink nl = { 0 };
	int code = netlink_open(&nl, NETLINK_ROUTE);

	*m = (struct machine){ .pf = pf };
	if (code == 0)
		code = address_list(&nl, &m->addresses, &m->n_addresses);
	netlink_close(&nl);
	return code == 0 && pf->route && route_links(pf->route, &m->links, &m->n_links) == 0;
}

static void machine_fini(struct machine *m)
{
	free(m->addresses);
	free(m->links);
}

static const struct link *find_link(const struct machine *m, unsigned int index)
{
	for (size_t i = 0; i < m->n_links; i++)
		if (m->links[i].index == index)
			return &m->links[i];
	return NULL;
}

/* The entry of an address on one interface, or (0) on any; NULL: not there. */
static const struct interface_address *find_address(const struct machine *m, const struct addr *a,
						    unsigned int index)
{
	for (size_t i = 0; i < m->n_addresses; i++)
		if (addr_equal(&m->addresses[i].address, a) &&
		    (index == 0 || m->addresses[i].ifindex == index))
			return &m->addresses[i];
	return NULL;
}

/* --- is it answered for? ------------------------------------------------------------------- */

struct unanswered {
	struct list names;
	struct addr first;
	char ifname[IFNAMSIZ]; /* where it is asked for */
	size_t n_duplicates;
	struct list duplicates;
	struct addr first_duplicate;
	uint8_t prefix;
	char on[IFNAMSIZ];
};

static bool answers_arp(const struct machine *m, const struct addr *a, const struct link *l)
{
	long all = 0, one = 0;

	(void)sysctl_read("net/ipv4/conf/all/arp_ignore", &all);
	(void)sysctl_read_interface("ipv4", l->name, "arp_ignore", &one);
	one = all > one ? all : one;
	return one == 0 || (one < 8 && find_address(m, a, l->index));
}

static bool answers_nd(const struct machine *m, const struct addr *a, const struct link *l)
{
	long proxy = 0;

	(void)sysctl_read_interface("ipv6", l->name, "proxy_ndp", &proxy);
	return proxy || find_address(m, a, l->index);
}

/* The interface where hosts ask for the address in vain, or NULL. */
static const struct link *asked_in_vain(const struct machine *m, const struct addr *a)
{
	for (size_t i = 0; i < m->n_addresses; i++) {
		const struct interface_address *net = &m->addresses[i];
		const struct link *l = find_link(m, net->ifindex);

		if (!l || !(l->flags & IFF_UP) || l->flags & (IFF_LOOPBACK | IFF_NOARP) ||
		    net->prefix == 8 * addr_len(net->address.family) ||
		    !address_shares(&net->address, a, net->prefix))
			continue;
		if (!(a->family == AF_INET ? answers_arp(m, a, l) : answers_nd(m, a, l)))
			return l;
	}
	return NULL;
}

static void look_at(const struct machine *m, const struct addr *a, struct unanswered *u)
{
	const struct interface_address *entry = find_address(m, a, 0);
	char text[ADDR_STRLEN];
	const struct link *l;

	if (!entry)
		return; /* another check says so */
	addr_format(a, text);
	l = find_link(m, entry->ifindex);
	if (entry->flags & IFA_F_DADFAILED) {
		if (!u->duplicates.n) {
			u->first_duplicate = *a;
			u->prefix = entry->prefix;
			strcpy(u->on, l ? l->name : "lo");
		}
		list_add(&u->duplicates, "%s on %s", text, l ? l->name : "?");
		return;
	}
	l = asked_in_vain(m, a);
	if (!l)
		return;
	if (!u->names.n) {
		u->first = *a;
		strcpy(u->ifname, l->name);
	}
	list_add(&u->names, "%s on %s", text, l->name);
}

static void look_at_all(const struct machine *m, struct unanswered *u)
{
	const struct preflight_input *in = m->pf->in;
	size_t left = PREFLIGHT_ADDRESSES_MAX;

	for (size_t i = 0; i < in->n_services && left > 0; i++)
		for (size_t j = 0; j < in->services[i]->n_listeners && left > 0; j++, left--)
			look_at(m, &in->services[i]->listeners[j].address, u);
	left = PREFLIGHT_ADDRESSES_MAX;
	for (size_t i = 0; i < in->n_pools; i++) {
		const struct pool *p = in->pools[i];

		for (uint32_t k = 0; k < p->n4 + p->n6 && left > 0; k++, left--) {
			struct addr a = k < p->n4 ? pool_address(p, AF_INET, k)
						  : pool_address(p, AF_INET6, k - p->n4);

			look_at(m, &a, u);
		}
	}
}

static char *answer_remedy(const struct unanswered *u)
{
	char path[SYSCTL_NAME_BYTES], name[SYSCTL_NAME_BYTES], text[ADDR_STRLEN];

	if (u->first.family == AF_INET6)
		return mem_printf("ip addr add %s/128 dev %s nodad preferred_lft 0",
				  addr_format(&u->first, text), u->ifname);
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/arp_ignore", u->ifname);
	return mem_printf("sysctl -w %s=0 net.ipv4.conf.all.arp_ignore=0", sysctl_name(path, name));
}

static void find_unanswered(struct preflight *pf, struct unanswered *u)
{
	char text[ADDR_STRLEN], *names;
	struct finding *f;

	if (u->names.n) {
		names = list_take(&u->names);
		f = preflight_find(pf, "address-not-answered", SEVERITY_WARNING);
		f->what = mem_printf("nobody answers %s for addresses of fnat: %s",
				     u->first.family == AF_INET ? "ARP" : "ND", names);
		f->why = mem_strdup("hosts on that link ask for the address and hear nothing: "
				    "they cannot reach it");
		f->remedy = answer_remedy(u);
		free(names);
	}
	if (u->duplicates.n) {
		names = list_take(&u->duplicates);
		f = preflight_find(pf, "address-duplicate", SEVERITY_ERROR);
		f->what = mem_printf("another host has addresses of fnat: %s", names);
		f->why = mem_strdup("the kernel does not use an address that duplicate address "
				    "detection found elsewhere");
		addr_format(&u->first_duplicate, text);
		f->remedy = mem_printf("take it off the other host, then: ip addr del %s/%u dev "
				       "%s; ip addr add %s/%u dev %s preferred_lft 0",
				       text, u->prefix, u->on, text, u->prefix, u->on);
		free(names);
	}
}

void check_answers(struct preflight *pf)
{
	struct unanswered u = { 0 };
	struct machine m;

	if (machine_read(pf, &m)) {
		look_at_all(&m, &u);
		find_unanswered(pf, &u);
	}
	machine_fini(&m);
}

/* --- sizes of packets ---------------------------------------------------------------------- */

/* What fits on the way to an address, and the interface; 0: nobody knows. */
static uint32_t mtu_to(const struct machine *m, const struct addr *a, char ifname[IFNAMSIZ])
{
	struct route_result r;

	if (route_lookup(m->pf->route, a, &r) < 0 || r.kind != ROUTE_UNICAST)
		return 0;
	memcpy(ifname, r.ifname, IFNAMSIZ);
	for (size_t i = 0; i < m->n_links && !r.mtu; i++)
		if (!strcmp(m->links[i].name, r.ifname))
			r.mtu = m->links[i].mtu;
	return r.mtu;
}

/* The first backend that gets less than what comes in. */
static bool find_narrow(const struct machine *m, const uint32_t in_mtu[2], struct list *names,
			char ifname[IFNAMSIZ], uint32_t *mtu, uint32_t *wanted)
{
	const struct preflight_input *in = m->pf->in;
	size_t left = PREFLIGHT_ADDRESSES_MAX;

	for (size_t i = 0; i < in->n_services; i++)
		for (size_t j = 0; j < in->services[i]->n_backends && left > 0; j++, left--) {
			const struct backend *b = &in->services[i]->backends[j];
			uint32_t comes = in_mtu[b->address.family == AF_INET6], fits;
			char on[IFNAMSIZ];

			fits = mtu_to(m, &b->address, on);
			if (!fits || fits >= comes)
				continue;
			if (!names->n) {
				memcpy(ifname, on, IFNAMSIZ);
				*mtu = fits;
				*wanted = comes;
			}
			list_add(names, "%s/%s", in->services[i]->name, b->name);
		}
	return names->n > 0;
}

void check_mtu(struct preflight *pf)
{
	uint32_t in_mtu[2] = { 0 }, mtu = 0, wanted = 0;
	char ifname[IFNAMSIZ] = "", in_ifname[IFNAMSIZ], *text;
	struct list names = { 0 };
	struct machine m;
	struct finding *f;
	struct addr a;

	if (machine_read(pf, &m)) {
		for (size_t i = 0; i < 2; i++)
			if (addr_parse(elsewhere[i], &a) == 0)
				in_mtu[i] = mtu_to(&m, &a, in_ifname);
		if (find_narrow(&m, in_mtu, &names, ifname, &mtu, &wanted)) {
			text = list_take(&names);
			f = preflight_find(pf, "mtu-smaller", SEVERITY_WARNING);
			f->what = mem_printf(
				"packets of up to %u bytes come in and %u fit on %s, to: %s",
				wanted, mtu, ifname, text);
			f->why = mem_strdup(
				"larger ones depend on ICMP reaching the client, which firewalls "
				"like to drop: such connections hang");
			f->remedy = mem_printf(
				"ip link set dev %s mtu %u; where the link cannot do that: nft add "
				"rule TABLE FORWARD-CHAIN oifname %s tcp flags syn tcp option "
				"maxseg size set rt mtu",
				ifname, wanted, ifname);
			free(text);
		}
	}
	machine_fini(&m);
}
