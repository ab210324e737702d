/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual servers of keepalived.conf(5). A statement that has no row in the tables here is a
 * note, so nothing is lost silently, whatever a newer keepalived adds. What the other blocks do
 * (VRRP, for one) remains keepalived's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/import_keepalived_check.h"
#include "fnatctl/import_tree.h"
#include "model/model.h"

/* A virtual_server while it is read. */
struct reading {
	struct import *im;
	const struct import_node *root;                 /* where the groups are */
	const struct import_node *server, *real_server; /* the blocks that are read */
	size_t n_checks;                                /* of the real server */
	struct import_service *s;
	const char *scheduler, *method;
	struct import_place at_scheduler;
	char flags[64];  /* of the scheduler, separated by commas */
	uint32_t weight; /* of servers that name none */
};

/* What is done with a statement of a block. NULL: it is of no matter here. */
struct statement {
	const char *name;
	void (*read)(struct reading *r, const struct import_node *n);
};

static bool parse_port(const char *text, uint16_t *port)
{
	uint32_t n = 0;
	bool is_good = !*text || import_number(text, UINT16_MAX, &n);

	*port = (uint16_t)n;
	return is_good;
}

static void note_statement(struct reading *r, const struct import_node *n, const char *why)
{
	import_note_service(r->im, n->at, r->s, "%s%s%s: %s", import_word(n, 0),
			    n->n_words > 1 ? " " : "", import_word(n, 1), why);
}

static void read_statements(struct reading *r, const struct import_node *block,
			    const struct statement *table, size_t n)
{
	for (size_t i = 0; i < block->n_children; i++) {
		const struct import_node *child = &block->children[i];
		size_t row = 0;

		while (row < n && strcmp(table[row].name, import_word(child, 0)) != 0)
			row++;
		if (row == n)
			note_statement(r, child, "not carried over");
		else if (table[row].read)
			table[row].read(r, child);
	}
}

/* --- settings of a virtual server ---------------------------------------------------------- */

static void read_scheduler(struct reading *r, const struct import_node *n)
{
	r->scheduler = import_word(n, 1);
	r->at_scheduler = n->at;
}

static void read_flag(struct reading *r, const struct import_node *n)
{
	size_t len = strlen(r->flags);

	snprintf(r->flags + len, sizeof(r->flags) - len, "%s%s", len ? "," : "", import_word(n, 0));
}

static void read_method(struct reading *r, const struct import_node *n)
{
	r->method = import_word(n, 1);
	if (strcmp(r->method, "NAT") != 0)
		import_rerouted(r->im, n->at, r->s,
				!strcmp(r->method, "TUN") ? "a tunnel" : "direct routing");
}

static void read_default_weight(struct reading *r, const struct import_node *n)
{
	if (!import_number(import_word(n, 1), MODEL_WEIGHT_MAX, &r->weight))
		note_statement(r, n, "expected a weight");
}

/* 360 s when no number is given; 0: none. */
static void read_persistence(struct reading *r, const struct import_node *n)
{
	const struct import_node *mask = import_child(r->server, "persistence_granularity");
	const char *timeout = n->n_words > 1 ? import_word(n, 1) : "360";

	if (strcmp(timeout, "0") != 0)
		import_persistence(r->im, n->at, r->s, timeout, mask ? import_word(mask, 1) : NULL);
}

/* One is keepalived's default, and lost only when no backend is up. */
static void read_quorum(struct reading *r, const struct import_node *n)
{
	const struct import_node *h = import_child(r->server, "hysteresis");
	uint32_t quorum, hysteresis = 0;

	if (!strcmp(import_word(n, 1), "1"))
		return;
	if (!import_number(import_word(n, 1), CONTROL_QUORUM_MAX, &quorum)) {
		note_statement(r, n, "expected a weight");
		return;
	}
	import_set(r->s, "quorum", json_integer(quorum));
	if (h && (!import_number(import_word(h, 1), CONTROL_QUORUM_MAX, &hysteresis) ||
		  hysteresis >= quorum))
		note_statement(r, h, "expected a weight less than the quorum");
	else if (h)
		import_set(r->s, "quorum_hysteresis", json_integer(hysteresis));
}

static void read_hook(struct reading *r, const struct import_node *n)
{
	note_statement(r, n, "not carried over: fnatd --on-change calls one program for all");
}

static void read_sorry_server(struct reading *r, const struct import_node *n)
{
	struct import_backend b = { .weight = MODEL_WEIGHT_DEFAULT,
				    .name = "sorry",
				    .is_sorry = true };

	if (addr_parse(import_word(n, 1), &b.address) < 0 ||
	    !parse_port(import_word(n, 2), &b.port))
		note_statement(r, n, "expected an address and a port");
	else
		import_backend(r->im, n->at, r->s, &b);
}

/* --- real servers -------------------------------------------------------------------------- */

static void read_server_method(struct reading *r, const struct import_node *n)
{
	const char *method = r->method;

	read_method(r, n);
	r->method = method;
}

static void read_check(struct reading *r, const struct import_node *n)
{
	struct keepalived_scope scope = { n, r->real_server, r->server };

	if (import_keepalived_check(r->im, r->s, &scope))
		r->n_checks++;
}

static const struct statement server_statements[] = {
	{ "TCP_CHECK", read_check },
	{ "PING_CHECK", read_check },
	{ "HTTP_GET", read_check },
	{ "SSL_GET", read_check },
	{ "SMTP_CHECK", read_check },
	{ "DNS_CHECK", read_check },
	{ "MISC_CHECK", read_check },
	{ "UDP_CHECK", read_check },
	{ "inhibit_on_failure", NULL }, /* connections go on in any case */
	{ "notify_up", read_hook },
	{ "notify_down", read_hook },
	{ "alpha", NULL }, /* of the checks, which look here */
	{ "connect_timeout", NULL },
	{ "retry", NULL },
	{ "delay_before_retry", NULL },
	{ "delay_loop", NULL },
	{ "virtualhost", NULL },
	{ "warmup", NULL },
	{ "snmp_name", NULL },
	{ "weight", NULL }, /* was read before */
	{ "lvs_method", read_server_method },
	{ "lb_kind", read_server_method },
	{ "uthreshold", NULL }, /* likewise */
	{ "lthreshold", NULL },
};

/* 0, or none: no limit. */
static void read_threshold(struct reading *r, const struct import_node *server, const char *name,
			   uint32_t *out)
{
	const struct import_node *n = import_child(server, name);

	if (n && !import_number(import_word(n, 1), MODEL_CONNECTIONS_MAX, out))
		note_statement(r, n, "expected a number of connections");
}

static void read_server(struct reading *r, const struct import_node *n)
{
	const struct import_node *weight = import_child(n, "weight");
	struct import_backend b = { .weight = r->weight };

	if (addr_parse(import_word(n, 1), &b.address) < 0 ||
	    !parse_port(import_word(n, 2), &b.port)) {
		note_statement(r, n, "expected an address and a port");
		return;
	}
	if (weight && !import_number(import_word(weight, 1), MODEL_WEIGHT_MAX, &b.weight))
		note_statement(r, weight, "expected a weight from 0 to 65535");
	read_threshold(r, n, "uthreshold", &b.max_connections);
	read_threshold(r, n, "lthreshold", &b.min_connections);
	if (b.max_connections > 0 && b.min_connections > b.max_connections) {
		note_statement(r, import_child(n, "lthreshold"),
			       "expected no more than uthreshold");
		b.min_connections = 0;
	}
	if (!import_backend(r->im, n->at, r->s, &b))
		return;
	r->real_server = n;
	r->n_checks = 0;
	read_statements(r, n, server_statements,
			sizeof(server_statements) / sizeof(*server_statements));
	if (r->n_checks == 0 && json_object_get(r->s->value, "check"))
		note_statement(r, n, "has no check, but is checked as the others are");
}

static const struct statement statements[] = {
	{ "lb_algo", read_scheduler },
	{ "lvs_sched", read_scheduler },
	{ "lb_kind", read_method },
	{ "lvs_method", read_method },
	{ "weight", read_default_weight },
	{ "persistence_timeout", read_persistence },
	{ "persistence_granularity", NULL }, /* goes with the timeout */
	{ "quorum", read_quorum },
	{ "hysteresis", NULL }, /* goes with the quorum */
	{ "quorum_up", read_hook },
	{ "quorum_down", read_hook },
	{ "sorry_server", NULL },         /* is read afterwards */
	{ "sorry_server_inhibit", NULL }, /* connections go on in any case */
	{ "inhibit_on_failure", NULL },
	{ "alpha", NULL }, /* of the checks, which look here */
	{ "connect_timeout", NULL },
	{ "retry", NULL },
	{ "delay_before_retry", NULL },
	{ "delay_loop", NULL },
	{ "virtualhost", NULL },
	{ "warmup", NULL }, /* fnat's checks never begin together */
	{ "snmp_name", NULL },
	{ "sh-port", read_flag },
	{ "sh-fallback", read_flag },
	{ "mh-port", read_flag },
	{ "mh-fallback", read_flag },
	{ "flag-1", read_flag },
	{ "flag-2", read_flag },
	{ "flag-3", read_flag },
	{ "protocol", NULL },    /* was read before */
	{ "real_server", NULL }, /* is read afterwards */
	{ "ip_family", NULL },
};

/* --- what it listens on -------------------------------------------------------------------- */

/* The address that is n after a, by its last byte (IPv4) or group (IPv6). */
static bool parse_range(const char *text, struct addr *lo, uint32_t *n)
{
	char first[ADDR_STRLEN], *end;
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	unsigned long last, from;

	if (len >= sizeof(first))
		return false;
	memcpy(first, text, len);
	first[len] = '\0';
	if (addr_parse(first, lo) < 0)
		return false;
	*n = 1;
	if (!dash)
		return true;
	last = strtoul(dash + 1, &end, lo->family == AF_INET ? 10 : 16);
	from = lo->family == AF_INET ? lo->bytes[3]
				     : (unsigned long)lo->bytes[14] << 8 | lo->bytes[15];
	if (end == dash + 1 || *end || last < from || last > (lo->family == AF_INET ? 255 : 65535))
		return false;
	*n = (uint32_t)(last - from) + 1;
	return true;
}

/* "ADDRESS PORT", "ADDRESS-LAST PORT", "fwmark N": words from i on. */
static void read_listeners(struct reading *r, const struct import_node *n, size_t i,
			   uint8_t protocol)
{
	struct addr a;
	uint16_t port;
	uint32_t count;

	if (!strcmp(import_word(n, i), "fwmark")) {
		import_note_service(r->im, n->at, r->s, "firewall mark %s: not carried over",
				    import_word(n, i + 1));
		return;
	}
	if (!parse_range(import_word(n, i), &a, &count) ||
	    !parse_port(import_word(n, i + 1), &port)) {
		import_note_service(r->im, n->at, r->s, "\"%s %s\": expected an address and a port",
				    import_word(n, i), import_word(n, i + 1));
		return;
	}
	if (count > MODEL_LISTENERS_MAX) {
		import_note_service(r->im, n->at, r->s, "%s: more than %d listeners",
				    import_word(n, i), MODEL_LISTENERS_MAX);
		return;
	}
	for (uint32_t k = 0; k < count; k++) {
		struct addr each = addr_add(&a, k);

		import_listener(r->im, n->at, r->s, &each, protocol, port);
	}
}

static void read_group(struct reading *r, const struct import_node *server, uint8_t protocol)
{
	const char *name = import_word(server, 2);
	bool is_found = false;

	for (size_t i = 0; i < r->root->n_children; i++) {
		const struct import_node *g = &r->root->children[i];

		if (strcmp(import_word(g, 0), "virtual_server_group") != 0 ||
		    strcmp(import_word(g, 1), name) != 0)
			continue;
		is_found = true;
		for (size_t k = 0; k < g->n_children; k++)
			read_listeners(r, &g->children[k], 0, protocol);
	}
	if (!is_found)
		import_note_service(r->im, server->at, r->s,
				    "there is no virtual_server_group \"%s\"", name);
}

static uint8_t read_protocol(struct import *im, const struct import_node *server)
{
	static const struct {
		const char *name;
		uint8_t protocol;
	} names[] = { { "TCP", IPPROTO_TCP }, { "UDP", IPPROTO_UDP }, { "SCTP", IPPROTO_SCTP } };
	const struct import_node *n = import_child(server, "protocol");

	for (size_t i = 0; n && i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(import_word(n, 1), names[i].name))
			return names[i].protocol;
	if (n)
		import_note(im, n->at, "protocol \"%s\": unknown; TCP instead", import_word(n, 1));
	return IPPROTO_TCP;
}

/* --- blocks -------------------------------------------------------------------------------- */

static void begin_service(struct reading *r, const struct import_node *n, uint8_t protocol)
{
	struct addr a;
	uint16_t port;
	char *name;

	if (addr_parse(import_word(n, 1), &a) == 0 && parse_port(import_word(n, 2), &port)) {
		r->s = import_service_at(r->im, n->at, &a, protocol, port);
	} else {
		name = mem_printf(
			"%s%s%s", !strcmp(import_word(n, 1), "group") ? "" : import_word(n, 1),
			!strcmp(import_word(n, 1), "group") ? "" : "-", import_word(n, 2));
		r->s = import_service(r->im, n->at, name);
		free(name);
	}
	if (!strcmp(import_word(n, 1), "group"))
		read_group(r, n, protocol);
	else
		read_listeners(r, n, 1, protocol);
}

static void read_virtual_server(struct import *im, const struct import_node *root,
				const struct import_node *n)
{
	struct reading r = { .im = im,
			     .root = root,
			     .server = n,
			     .scheduler = "wlc", /* keepalived's default */
			     .method = "",
			     .at_scheduler = n->at,
			     .weight = MODEL_WEIGHT_DEFAULT };

	begin_service(&r, n, read_protocol(im, n));
	read_statements(&r, n, statements, sizeof(statements) / sizeof(*statements));
	import_scheduler(im, r.at_scheduler, r.s, r.scheduler, *r.flags ? r.flags : NULL);
	for (size_t i = 0; i < n->n_children; i++)
		if (!strcmp(import_word(&n->children[i], 0), "real_server"))
			read_server(&r, &n->children[i]);
	if (import_child(n, "sorry_server"))
		read_sorry_server(&r, import_child(n, "sorry_server"));
}

static bool is_used(const struct import_node *root, const struct import_node *group)
{
	for (size_t i = 0; i < root->n_children; i++)
		if (!strcmp(import_word(&root->children[i], 0), "virtual_server") &&
		    !strcmp(import_word(&root->children[i], 1), "group") &&
		    !strcmp(import_word(&root->children[i], 2), import_word(group, 1)))
			return true;
	return false;
}

int import_keepalived(struct import *im, const struct import_source *src, struct err *err)
{
	struct import_node root;

	(void)err; /* what cannot be read is a note: the rest can */
	import_parse_keepalived(im, src, &root);
	for (size_t i = 0; i < root.n_children; i++) {
		const struct import_node *n = &root.children[i];
		const char *name = import_word(n, 0);

		if (!strcmp(name, "virtual_server"))
			read_virtual_server(im, &root, n);
		else if (n->n_words == 0)
			continue; /* said when it was parsed */
		else if (strcmp(name, "virtual_server_group") != 0 || !is_used(&root, n))
			import_note(im, n->at, "%s%s%s: not carried over%s", name,
				    n->n_words > 1 ? " " : "", import_word(n, 1),
				    strncmp(name, "vrrp", 4) != 0 ? ""
								  : ": leave it to keepalived");
	}
	import_node_fini(&root);
	return 0;
}
