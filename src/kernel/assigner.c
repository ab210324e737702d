/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After each change, and whenever the kernel tells of a link or an address, the machine is looked
 * at as a whole and brought to what is wanted: an interface that appears late, an address that
 * somebody took away and one that a crash left behind need no code of their own. What was sent to
 * the kernel comes back as a notification, and the look that follows finds nothing to do.
 *
 * The kernel walks the addresses of an interface for each IPv4 address that is added: 2,000 take
 * 0.1 s, 8,000 3.5 s (6.18). So the thread looks up between them, and nobody waits for it.
 *
 * What was just added is announced, and a few times again: a switch that is still learning, or a
 * link that has just come up, loses the first.
 */
#include "kernel/assigner.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "kernel/address.h"
#include "kernel/announce.h"
#include "kernel/assign_set.h"
#include "kernel/route.h"

#define ANNOUNCEMENTS     5    /* of each address ... */
#define ANNOUNCE_EVERY_MS 1000 /* ... as keepalived's garp_master_repeat */
#define SETTLE_MS         20   /* notifications come in bursts */
#define NAMED_MAX         16   /* addresses that are logged one by one */
#define WARNED_MAX        64   /* interfaces whose absence is remembered */

/* To the thread: changes, with references; n = 0: end. */
struct message {
	size_t n;
	bool is_end;
	struct change items[];
};

struct announced {
	struct addr address;
	unsigned int ifindex;
	unsigned int n_left;
};

struct assigner {
	pthread_t thread;
	struct mailbox *mailbox;
	bool has_begun; /* the main loop's: the first changes were sent */
	bool is_ending; /* atomic: the main loop waits for the end */
	uint8_t protocol;

	/* the thread's own */
	struct netlink netlink, events;
	struct route *route;
	struct assign_set wanted;
	struct link *links; /* of the present look */
	size_t n_links;
	struct announced *announced;
	size_t n_announced, cap_announced;
	int announce_fd;    /* negative: none */
	bool is_announcing; /* tried to open it */
	char warned[WARNED_MAX][INTERFACE_NAME_BYTES];
	size_t n_warned;
	size_t n_added, n_removed, n_failed; /* in the present look */
	bool is_proven; /* looked already whether the kernel remembers who added */
};

/* --- links --------------------------------------------------------------------------------- */

static const struct link *link_named(const struct assigner *a, const char *name)
{
	for (size_t i = 0; i < a->n_links; i++)
		if (!strcmp(a->links[i].name, name))
			return &a->links[i];
	return NULL;
}

static const struct link *link_number(const struct assigner *a, unsigned int index)
{
	for (size_t i = 0; i < a->n_links; i++)
		if (a->links[i].index == index)
			return &a->links[i];
	return NULL;
}

/* Once for each, until it is there again. */
static void warn_absent(struct assigner *a, const char *ifname, const char *why)
{
	for (size_t i = 0; i < a->n_warned; i++)
		if (!strcmp(a->warned[i], ifname))
			return;
	if (a->n_warned < WARNED_MAX)
		memcpy(a->warned[a->n_warned++], ifname, INTERFACE_NAME_BYTES);
	log_warn("addresses", "interface %s %s; its addresses are assigned when it is up", ifname,
		 why);
}

static void forget_warnings(struct assigner *a)
{
	for (size_t i = 0; i < a->n_warned;) {
		const struct link *l = link_named(a, a->warned[i]);

		if (l && l->flags & IFF_UP)
			memcpy(a->warned[i], a->warned[--a->n_warned], INTERFACE_NAME_BYTES);
		else
			i++;
	}
}

/* --- announcements ------------------------------------------------------------------------- */

static void announce_all(struct assigner *a)
{
	size_t n_left = 0;

	for (size_t i = 0; i < a->n_announced; i++) {
		struct announced *x = &a->announced[i];
		const struct link *l = link_number(a, x->ifindex);

		if (l && l->has_mac)
			(void)announce_send(a->announce_fd, &x->address, l); /* one of several */
		if (--x->n_left > 0)
			a->announced[n_left++] = *x;
	}
	a->n_announced = n_left;
}

/* When it is needed first: most daemons need no CAP_NET_RAW. */
static void announce_init(struct assigner *a)
{
	a->is_announcing = true;
	a->announce_fd = announce_open();
	if (a->announce_fd < 0)
		log_warn("addresses",
			 "addresses are not announced: %s (CAP_NET_RAW and AF_PACKET are needed)",
			 strerror(-a->announce_fd));
}

static void announce_later(struct assigner *a, const struct addr *address, const struct link *l)
{
	if (!l->has_mac)
		return;
	if (!a->is_announcing)
		announce_init(a);
	if (a->announce_fd >= 0)
		VEC_PUSH(a->announced, a->n_announced, a->cap_announced) =
			(struct announced){ *address, l->index, ANNOUNCEMENTS };
}

/* --- a look at the machine ----------------------------------------------------------------- */

static void log_change(size_t n, const char *what, const struct addr *address, const char *ifname)
{
	char text[ADDR_STRLEN];

	if (n <= NAMED_MAX)
		log_info("addresses", "%s on %s: %s", addr_format(address, text), ifname, what);
}

/* Once, with the first address that was added. */
static void prove_memory(struct assigner *a, const struct addr *address, unsigned int ifindex)
{
	struct interface_address *items = NULL;
	size_t n = 0;

	a->is_proven = true;
	if (address_list(&a->netlink, &items, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (items[i].ifindex == ifindex && addr_equal(&items[i].address, address) &&
		    items[i].protocol != a->protocol)
			log_warn("addresses",
				 "the kernel (before 5.18) does not remember who added an address: "
				 "those that fnatd adds are not removed by it");
	free(items);
}

static bool is_ending(const struct assigner *a)
{
	return __atomic_load_n(&a->is_ending, __ATOMIC_RELAXED);
}

static void log_failure(struct assigner *a, const struct addr *address, const char *ifname,
			const char *what, int code)
{
	char text[ADDR_STRLEN];

	if (++a->n_failed <= NAMED_MAX)
		log_error("addresses", "%s on %s cannot be %s: %s", addr_format(address, text),
			  ifname, what, strerror(-code));
}

static void add_missing(const struct addr *address, const char *ifname, void *arg)
{
	struct assigner *a = arg;
	const struct link *l = link_named(a, ifname);
	int code;

	if (is_ending(a))
		return;

	if (!l || !(l->flags & IFF_UP)) {
		warn_absent(a, ifname, l ? "is down" : "is not there");
		return;
	}
	code = address_add(&a->netlink, address, l->index, a->protocol);
	if (code < 0) {
		log_failure(a, address, ifname, "added", code);
		return;
	}
	log_change(++a->n_added, "added", address, ifname);
	if (!a->is_proven)
		prove_memory(a, address, l->index);
	announce_later(a, address, l);
}

static void remove_one(struct assigner *a, const struct interface_address *x, const char *ifname)
{
	int code = address_delete(&a->netlink, x);

	if (code < 0 && code != -EADDRNOTAVAIL)
		log_failure(a, &x->address, ifname, "removed", code);
	else
		log_change(++a->n_removed, "removed", &x->address, ifname);
}

static void compare(struct assigner *a, const struct interface_address *items, size_t n)
{
	a->n_added = a->n_removed = a->n_failed = 0;
	assign_begin(&a->wanted);
	for (size_t i = 0; i < n && !is_ending(a); i++) {
		const struct link *l = link_number(a, items[i].ifindex);
		bool is_ours = items[i].protocol == a->protocol;

		if (l &&
		    assign_see(&a->wanted, &items[i].address, l->name, is_ours) == ASSIGN_REMOVE)
			remove_one(a, &items[i], l->name);
	}
	assign_missing(&a->wanted, add_missing, a);
	if (a->n_added > NAMED_MAX || a->n_removed > NAMED_MAX || a->n_failed > NAMED_MAX)
		log_info("addresses", "%zu added, %zu removed, %zu failed", a->n_added,
			 a->n_removed, a->n_failed);
	forget_warnings(a);
}

static void look(struct assigner *a)
{
	struct interface_address *items = NULL;
	size_t n = 0;
	int code;

	free(a->links);
	a->links = NULL;
	a->n_links = 0;
	code = route_links(a->route, &a->links, &a->n_links);
	if (code == 0)
		code = address_list(&a->netlink, &items, &n);
	if (code < 0) {
		log_error("addresses", "the kernel does not tell its addresses: %s",
			  strerror(-code));
		return;
	}
	compare(a, items, n);
	free(items);
	announce_all(a);
}

/* --- the thread ---------------------------------------------------------------------------- */

static void message_free(struct message *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->items[i].object == OBJECT_SERVICE) {
			service_unref(m->items[i].service.before);
			service_unref(m->items[i].service.after);
		} else {
			pool_unref(m->items[i].pool.before);
			pool_unref(m->items[i].pool.after);
		}
	}
	free(m);
}

/* False: the end. */
static bool take_messages(struct assigner *a, bool *is_due)
{
	struct message *m;
	bool is_end = false;

	while (!is_end && (m = mailbox_try_take(a->mailbox))) {
		for (size_t i = 0; i < m->n; i++)
			assign_change(&a->wanted, &m->items[i]);
		is_end = m->is_end;
		*is_due = true;
		message_free(m);
	}
	return !is_end;
}

/* Notifications say only that it is time to look: lost ones (ENOBUFS) do, too. */
static bool drain_events(struct assigner *a)
{
	char buf[8192];
	bool is_any = false;
	ssize_t n;

	do {
		n = recv(mnl_socket_get_fd(a->events.socket), buf, sizeof(buf), MSG_DONTWAIT);
		is_any |= n > 0 || (n < 0 && errno == ENOBUFS);
	} while (n > 0 || (n < 0 && errno == ENOBUFS));
	return is_any;
}

/* Waits for a message, a notification, or until timeout_ms. */
static void wait_for_work(struct assigner *a, int timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = mailbox_fd(a->mailbox), .events = POLLIN },
		{ .fd = mnl_socket_get_fd(a->events.socket), .events = POLLIN },
	};

	(void)poll(fds, 2, timeout_ms);
}

static void *assigner_main(void *arg)
{
	struct assigner *a = arg;
	int64_t next_ms = 0; /* of the next announcements */
	bool has_begun = false;

	for (;;) {
		int64_t left_ms = next_ms - (int64_t)clock_mono_ms();
		bool is_due = false;

		wait_for_work(a, !a->n_announced ? -1 : left_ms > 0 ? (int)left_ms : 0);
		if (!take_messages(a, &is_due))
			return NULL;
		has_begun |= is_due;
		if (!has_begun)
			continue;
		if (!is_due && drain_events(a)) {
			poll(NULL, 0, SETTLE_MS);
			is_due = true;
		}
		if (is_due) {
			(void)drain_events(a);
			look(a);
			next_ms = (int64_t)clock_mono_ms() + ANNOUNCE_EVERY_MS;
		} else if (a->n_announced && (int64_t)clock_mono_ms() >= next_ms) {
			announce_all(a);
			next_ms = (int64_t)clock_mono_ms() + ANNOUNCE_EVERY_MS;
		}
	}
}

/* --- the main loop's side ------------------------------------------------------------------ */

static int open_events(struct netlink *nl)
{
	nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->socket ||
	    mnl_socket_bind(nl->socket, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			    MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return 0;
}

static void assigner_close(struct assigner *a)
{
	netlink_close(&a->netlink);
	netlink_close(&a->events);
	route_close(a->route);
	if (a->announce_fd >= 0)
		close(a->announce_fd);
	assign_set_fini(&a->wanted);
	mailbox_free(a->mailbox);
	free(a->links);
	free(a->announced);
	free(a);
}

int assigner_new(const char *table, struct assigner **out, struct err *err)
{
	struct assigner *a = mem_zalloc(sizeof(*a));
	int code;

	a->protocol = address_protocol(table);
	a->announce_fd = -1;
	a->mailbox = mailbox_new();
	code = netlink_open(&a->netlink, NETLINK_ROUTE);
	if (code == 0)
		code = open_events(&a->events);
	if (code == 0)
		code = route_open(&a->route, err);
	if (code == 0)
		code = -pthread_create(&a->thread, NULL, assigner_main, a);
	if (code < 0) {
		assigner_close(a);
		return err_any(err) ? code
				    : err_add(err, ERR_SYSTEM, code, NULL,
					      "addresses of interfaces: %s", strerror(-code));
	}
	pthread_setname_np(a->thread, "addresses");
	*out = a;
	return 0;
}

void assigner_free(struct assigner *a)
{
	struct message *m;

	if (!a)
		return;
	m = mem_zalloc(sizeof(*m));
	m->is_end = true;
	__atomic_store_n(&a->is_ending, true, __ATOMIC_RELAXED);
	mailbox_put(a->mailbox, m);
	pthread_join(a->thread, NULL);
	while ((m = mailbox_try_take(a->mailbox)))
		message_free(m);
	assigner_close(a);
}

static struct change change_ref(const struct change *c)
{
	struct change copy = *c;

	if (c->object == OBJECT_SERVICE) {
		copy.service.before = c->service.before ? service_ref(c->service.before) : NULL;
		copy.service.after = c->service.after ? service_ref(c->service.after) : NULL;
	} else {
		copy.pool.before = c->pool.before ? pool_ref(c->pool.before) : NULL;
		copy.pool.after = c->pool.after ? pool_ref(c->pool.after) : NULL;
	}
	return copy;
}

void assigner_follow(struct assigner *a, const struct changes *c)
{
	struct message *m;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += assign_concerns(&c->items[i]);
	if (n == 0 && a->has_begun)
		return;
	a->has_begun = true;
	m = mem_zalloc(sizeof(*m) + n * sizeof(m->items[0]));
	for (size_t i = 0; i < c->n; i++)
		if (assign_concerns(&c->items[i]))
			m->items[m->n++] = change_ref(&c->items[i]);
	mailbox_put(a->mailbox, m);
}

int assigner_flush(const char *table, struct err *err)
{
	uint8_t protocol = address_protocol(table);
	struct interface_address *items = NULL;
	struct netlink nl = { 0 };
	size_t n = 0;
	int code = netlink_open(&nl, NETLINK_ROUTE);

	if (code == 0)
		code = address_list(&nl, &items, &n);
	for (size_t i = 0; i < n && code == 0; i++)
		if (items[i].protocol == protocol)
			code = address_delete(&nl, &items[i]);
	netlink_close(&nl);
	free(items);
	return code < 0 ? err_add(err, ERR_SYSTEM, code, NULL, "addresses of interfaces: %s",
				  strerror(-code))
			: 0;
}
