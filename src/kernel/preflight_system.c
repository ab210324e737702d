/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of the machine as a whole: kernel, settings, other people's rules. Where a setting alone
 * decides, the check is a row of a table.
 */
#include <netinet/in.h> /* before linux/in.h, which would define the same */

#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "kernel/foreign.h"
#include "kernel/preflight_check.h"
#include "kernel/sysctl.h"

/* reject in prerouting, which every program ends in, came with 5.9; tables that have an owner and
 * outlive it with 6.9. */
#define KERNEL_OLDEST 509
#define KERNEL_OWNER  609

static int kernel_version(char release[65])
{
	struct utsname u;
	int major, minor;

	if (uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return INT_MAX;
	snprintf(release, 65, "%s", u.release);
	return major * 100 + minor;
}

void check_kernel(struct preflight *pf)
{
	char release[65] = "";
	int version = kernel_version(release);
	struct finding *f;
	uint32_t flags;

	if (version < KERNEL_OLDEST) {
		f = preflight_find(pf, "kernel-too-old", SEVERITY_ERROR);
		f->what = mem_printf("the kernel is %s", release);
		f->why = mem_strdup("fnat's programs need nftables as of Linux 5.9");
		f->remedy = mem_strdup(
			"boot Linux 5.9 or newer, better 6.9: apt install linux-image-amd64");
	}
	if (foreign_table_flags(pf->in->own_table, &flags) < 0 || flags & NFT_TABLE_F_OWNER)
		return;
	f = preflight_find(pf, "table-not-owned", SEVERITY_INFO);
	f->what = mem_printf("table inet %s belongs to nobody", pf->in->own_table);
	f->why = mem_strdup(
		"`nft flush ruleset` by another tool cuts the service until fnatd repairs it");
	f->remedy =
		mem_strdup(version < KERNEL_OWNER
				   ? "boot Linux 6.9 or newer: apt install -t bookworm-backports "
				     "linux-image-amd64"
				   : "start fnatd without --plain-table");
}

/* --- settings ------------------------------------------------------------------------------ */

/* A setting is bad when its value is in [bad_lo, bad_hi]. */
static const struct setting {
	const char *id;
	enum severity severity;
	uint8_t family; /* checked when listeners of this family exist; AF_UNSPEC: always */
	const char *path;
	long bad_lo, bad_hi, good;
	const char *why;
} settings[] = {
	{ "forwarding-off", SEVERITY_ERROR, AF_INET, "net/ipv4/ip_forward", 0, 0, 1,
	  "the kernel drops what clients on other hosts send to a service over IPv4" },
	{ "forwarding-off", SEVERITY_ERROR, AF_INET6, "net/ipv6/conf/all/forwarding", 0, 0, 1,
	  "the kernel drops what clients on other hosts send to a service over IPv6" },
	{ "conntrack-table-small", SEVERITY_WARNING, AF_UNSPEC, "net/netfilter/nf_conntrack_max", 1,
	  65535, 262144,
	  "each connection takes an entry until 2 minutes after its end; when the table is full, "
	  "new "
	  "connections are dropped" },
	{ "conntrack-accounting-off", SEVERITY_WARNING, AF_UNSPEC,
	  "net/netfilter/nf_conntrack_acct", 0, 0, 1,
	  "packets and bytes of connections are not counted, statistics stay at zero" },
	{ "conntrack-events-off", SEVERITY_WARNING, AF_UNSPEC, "net/netfilter/nf_conntrack_events",
	  0, 0, 1, "fnatd does not learn of connections that end, statistics stay at zero" },
	{ "conntrack-events-auto", SEVERITY_INFO, AF_UNSPEC, "net/netfilter/nf_conntrack_events", 2,
	  2, 1,
	  "connections that begin while fnatd restarts are never reported and are missing from the "
	  "statistics" },
	{ "conntrack-timeout-short", SEVERITY_WARNING, AF_UNSPEC,
	  "net/netfilter/nf_conntrack_tcp_timeout_time_wait", 1, 59, 120,
	  "a backend remembers a closed connection for 60 seconds and ignores another one from the "
	  "same port: it is delayed by a second" },
	{ "conntrack-timeout-short", SEVERITY_WARNING, AF_UNSPEC,
	  "net/netfilter/nf_conntrack_tcp_timeout_established", 1, 7199, 10800,
	  "a connection that is idle for longer is forgotten and then cut; TCP keepalive begins "
	  "after "
	  "two hours" },
	{ "conntrack-timeout-long", SEVERITY_INFO, AF_UNSPEC,
	  "net/netfilter/nf_conntrack_tcp_timeout_established", 86400, INT_MAX, 10800,
	  "connections whose ends are gone without a word fill the connection table for so many "
	  "seconds" },
};

static bool is_needed(const struct preflight *pf, uint8_t family)
{
	return family == AF_INET ? pf->needs4 : family == AF_INET6 ? pf->needs6 : true;
}

static void find_setting(struct preflight *pf, const struct setting *s, const char *path,
			 long value)
{
	struct finding *f = preflight_find(pf, s->id, s->severity);
	char name[SYSCTL_NAME_BYTES];

	sysctl_name(path, name);
	f->what = mem_printf("%s is %ld", name, value);
	f->why = mem_strdup(s->why);
	f->remedy = mem_printf("sysctl -w %s=%ld", name, s->good);
}

void check_settings(struct preflight *pf)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		const struct setting *s = &settings[i];
		long value;

		if (is_needed(pf, s->family) && sysctl_read(s->path, &value) == 0 &&
		    value >= s->bad_lo && value <= s->bad_hi)
			find_setting(pf, s, s->path, value);
	}
}

void check_conntrack_table(struct preflight *pf)
{
	struct finding *f;
	long count, max;

	if (sysctl_read("net/netfilter/nf_conntrack_max", &max) == -ENOENT) {
		f = preflight_find(pf, "conntrack-missing", SEVERITY_ERROR);
		f->what = mem_strdup(
			"the kernel does not track connections (nf_conntrack is not there)");
		f->why = mem_strdup("without it nothing can be translated");
		f->remedy = mem_strdup("modprobe nf_conntrack");
		return;
	}
	if (sysctl_read("net/netfilter/nf_conntrack_max", &max) < 0 || max <= 0 ||
	    sysctl_read("net/netfilter/nf_conntrack_count", &count) < 0 || count < max / 5 * 4)
		return;
	f = preflight_find(pf, "conntrack-table-filling", SEVERITY_WARNING);
	f->what = mem_printf("the connection table holds %ld of %ld entries", count, max);
	f->why = mem_strdup("when it is full, new connections are dropped");
	f->remedy = mem_printf("sysctl -w net.netfilter.nf_conntrack_max=%ld", 4 * max);
}

/* --- reverse path filter ------------------------------------------------------------------- */

/* The kernel takes the larger of the two (Documentation/networking/ip-sysctl.rst). */
static long effective_rp_filter(const char *ifname)
{
	long all = 0, one = 0;

	(void)sysctl_read("net/ipv4/conf/all/rp_filter", &all);
	(void)sysctl_read_interface("ipv4", ifname, "rp_filter", &one);
	return all > one ? all : one;
}

static char *loosen(const struct link *links, size_t n)
{
	char path[SYSCTL_NAME_BYTES], name[SYSCTL_NAME_BYTES];
	char *text = mem_strdup("sysctl -w");

	for (size_t i = 0; i < n; i++) {
		char *old = text;

		snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", links[i].name);
		text = mem_printf("%s %s=2", old, sysctl_name(path, name));
		free(old);
	}
	return text;
}

/* With one interface every packet comes from where the answer goes. */
void check_rp_filter(struct preflight *pf)
{
	struct link *links = NULL;
	struct list names = { 0 };
	size_t n = 0, n_up = 0, n_strict = 0;
	struct finding *f;

	if (!pf->needs4 || !pf->route || route_links(pf->route, &links, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!(links[i].flags & IFF_UP) || links[i].flags & IFF_LOOPBACK || links[i].is_port)
			continue;
		n_up++;
		if (effective_rp_filter(links[i].name) != 1 || n_strict == PREFLIGHT_ADDRESSES_MAX)
			continue;
		list_add(&names, "%s", links[i].name);
		links[n_strict++] = links[i];
	}
	if (n_up > 1 && n_strict) {
		f = preflight_find(pf, "rp-filter-strict", SEVERITY_WARNING);
		f->what = mem_printf("rp_filter is strict on %s", names.text);
		f->why = mem_strdup(
			"packets of clients and backends that come in on another interface than "
			"the one that leads back to them are dropped without a trace");
		f->remedy = loosen(links, n_strict);
	}
	free(list_take(&names));
	free(links);
}

/* --- other people's rules ------------------------------------------------------------------ */

static bool concerns(const struct preflight *pf, const struct foreign_chain *c)
{
	return c->family == NFPROTO_IPV4   ? pf->needs4
	       : c->family == NFPROTO_IPV6 ? pf->needs6
					   : pf->needs4 || pf->needs6;
}

/* In iptables' own chain a rule of nft's kind would make iptables refuse to list the table. */
static char *accept_remedy(const struct foreign_chain *c)
{
	if (c->family != NFPROTO_INET && !strcmp(c->table, "filter") && !strcmp(c->name, "FORWARD"))
		return mem_printf("%s -I %s -m conntrack --ctstate DNAT -j ACCEPT",
				  c->family == NFPROTO_IPV4 ? "iptables" : "ip6tables",
				  c->has_docker_user ? "DOCKER-USER" : "FORWARD");
	return mem_printf("nft insert rule %s %s %s ct status dnat accept",
			  foreign_family_name(c->family), c->table, c->name);
}

void check_firewalls(struct preflight *pf)
{
	struct foreign_chains chains = { 0 };

	(void)foreign_read(pf->in->own_table, &chains);
	for (size_t i = 0; i < chains.n; i++) {
		const struct foreign_chain *c = &chains.items[i];
		struct finding *f;

		if (c->effect == FOREIGN_PASSES || !concerns(pf, c))
			continue;
		f = preflight_find(pf, "forward-dropped",
				   c->effect == FOREIGN_DROPS ? SEVERITY_ERROR : SEVERITY_WARNING);
		f->what = mem_printf(
			"chain %s %s %s drops forwarded connections%s",
			foreign_family_name(c->family), c->table, c->name,
			c->effect == FOREIGN_DROPS ? "" : " that none of its rules accepts");
		f->why = mem_strdup("a connection to a service is forwarded to its backend, and "
				    "every table must "
				    "let it pass");
		f->remedy = accept_remedy(c);
	}
	foreign_chains_fini(&chains);
}

static bool translates_before_us(const struct foreign_chain *c)
{
	if (!c->is_nat)
		return false;
	if (c->hook == NF_INET_PRE_ROUTING || c->hook == NF_INET_LOCAL_OUT)
		return c->priority <= NF_IP_PRI_NAT_DST;
	return c->hook == NF_INET_POST_ROUTING && c->priority <= NF_IP_PRI_NAT_SRC;
}

void check_foreign_nat(struct preflight *pf)
{
	struct foreign_chains chains = { 0 };
	const struct foreign_chain *first = NULL;
	struct list names = { 0 };
	struct finding *f;
	char *text;

	(void)foreign_read(pf->in->own_table, &chains);
	for (size_t i = 0; i < chains.n; i++) {
		const struct foreign_chain *c = &chains.items[i];

		if (!translates_before_us(c) || !concerns(pf, c))
			continue;
		list_add(&names, "%s %s %s", foreign_family_name(c->family), c->table, c->name);
		first = first ? first : c;
	}
	if (first) {
		f = preflight_find(pf, "foreign-nat", SEVERITY_INFO);
		f->remedy = mem_printf(
			"nft list chain %s %s %s: see that no rule there means a listener's "
			"or a backend's address",
			foreign_family_name(first->family), first->table, first->name);
		text = list_take(&names);
		f->what = mem_printf("other tables translate addresses as well: %s", text);
		free(text);
		f->why = mem_strdup(
			"these chains may translate a connection before fnat's do; the first to "
			"translate decides");
	}
	foreign_chains_fini(&chains);
}

/* --- rules of the old kind ------------------------------------------------------------------ */

/* Tables that ip_tables (not nf_tables) has in this namespace, separated by blanks. False: none. */
static bool read_legacy_tables(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(out, 1, size - 1, f) : 0;

	if (f)
		fclose(f);
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	for (char *c = out; *c; c++)
		*c = (char)(*c == '\n' ? ' ' : *c);
	return n > 0;
}

/* nftables' own interface does not show them. */
void check_legacy_tables(struct preflight *pf)
{
	static const struct {
		const char *path, *command;
	} families[] = { { "/proc/net/ip_tables_names", "iptables-legacy" },
			 { "/proc/net/ip6_tables_names", "ip6tables-legacy" } };
	struct finding *f;
	char names[128];

	for (size_t i = 0; i < 2; i++) {
		if (!(i == 0 ? pf->needs4 : pf->needs6) ||
		    !read_legacy_tables(families[i].path, names, sizeof(names)))
			continue;
		f = preflight_find(pf, "legacy-tables", SEVERITY_INFO);
		f->what = mem_printf("there are tables of %s: %s", families[i].command, names);
		f->why = mem_strdup("what their rules drop or translate is not looked at here");
		f->remedy =
			mem_printf("%s-save shows them; what drops forwarded connections: %s -I "
				   "FORWARD -m conntrack --ctstate DNAT -j ACCEPT",
				   families[i].command, families[i].command);
	}
}
