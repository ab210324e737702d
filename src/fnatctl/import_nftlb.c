/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Farms of nftlb, as its configuration file and its API have them: texts, mostly, also for numbers.
 * Fields are read in three tables (farm, address, backend); one that is in no table is a note.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/import_tree.h"
#include "model/model.h"

/* A farm while it is read. */
struct farm {
	struct import *im;
	const struct import_node *root, *node;
	struct import_service *s;
	const char *scheduler;
	struct import_place at_scheduler;
};

struct member {
	const char *name;
	/* NULL: was read elsewhere, or is of no matter here */
	void (*read)(struct farm *f, const struct import_node *n);
};

static const char *text_of(const struct import_node *object, const char *name,
			   const char *otherwise)
{
	const struct import_node *n = import_child(object, name);

	return n && *import_word(n, 1) ? import_word(n, 1) : otherwise;
}

static void note_member(struct farm *f, const struct import_node *n, const char *why)
{
	import_note_service(f->im, n->at, f->s, "%s%s%s%s: %s", import_word(n, 0),
			    n->n_words > 1 ? " \"" : "", import_word(n, 1),
			    n->n_words > 1 ? "\"" : "", why);
}

static void read_members(struct farm *f, const struct import_node *object,
			 const struct member *table, size_t n)
{
	for (size_t i = 0; i < object->n_children; i++) {
		const struct import_node *child = &object->children[i];
		size_t row = 0;

		while (row < n && strcmp(table[row].name, import_word(child, 0)) != 0)
			row++;
		if (row == n)
			note_member(f, child, "not carried over");
		else if (table[row].read)
			table[row].read(f, child);
	}
}

/* What it is when it says nothing. */
static bool is_nothing(const char *text)
{
	static const char *const nothings[] = { "", "none", "off", "0", "0/second", "0x0" };

	for (size_t i = 0; i < sizeof(nothings) / sizeof(*nothings); i++)
		if (!strcmp(text, nothings[i]))
			return true;
	return false;
}

static void read_unless_off(struct farm *f, const struct import_node *n)
{
	if (n->is_block ? n->n_children > 0 : !is_nothing(import_word(n, 1)))
		note_member(f, n, "not carried over");
}

static void read_unless_one(struct farm *f, const struct import_node *n)
{
	if (strcmp(import_word(n, 1), "1") != 0)
		note_member(f, n, "not carried over");
}

/* --- listeners ----------------------------------------------------------------------------- */

/* "80", "80,443", "8000-8010". */
static void read_ports(struct farm *f, const struct import_node *n, const struct addr *a,
		       uint8_t protocol, const char *text)
{
	char *copy = mem_strdup(text), *rest = copy, *item, *dash;
	uint32_t lo, hi;

	while ((item = strsep(&rest, ","))) {
		dash = strchr(item, '-');
		if (dash)
			*dash++ = '\0';
		if (!import_number(item, UINT16_MAX, &lo) || lo == 0 ||
		    !import_number(dash ? dash : item, UINT16_MAX, &hi) || hi < lo)
			import_note_service(f->im, n->at, f->s, "ports \"%s\": expected ports",
					    text);
		else if (hi - lo >= MODEL_LISTENERS_MAX)
			import_note_service(f->im, n->at, f->s,
					    "ports %u-%u: more than %d listeners", lo, hi,
					    MODEL_LISTENERS_MAX);
		else
			for (uint32_t port = lo; port <= hi; port++)
				import_listener(f->im, n->at, f->s, a, protocol, (uint16_t)port);
	}
	free(copy);
}

static void read_listeners(struct farm *f, const struct import_node *n, const char *address,
			   const char *ports, const char *protocol)
{
	uint8_t number = protocol_parse(protocol);
	struct addr a;

	if (addr_parse(address, &a) < 0)
		import_note_service(f->im, n->at, f->s, "address \"%s\": expected an address",
				    address);
	else if (!number)
		import_note_service(f->im, n->at, f->s, "protocol \"%s\": not carried over",
				    protocol);
	else if (!*ports)
		import_note_service(f->im, n->at, f->s,
				    "address %s: all ports are not carried over", address);
	else
		read_ports(f, n, &a, number, ports);
}

static void read_virtual_address(struct farm *f, const struct import_node *n)
{
	if (*import_word(n, 1))
		read_listeners(f, n, import_word(n, 1), text_of(f->node, "virtual-ports", ""),
			       text_of(f->node, "protocol", "tcp"));
}

/* The address of this name at the top of the document, or NULL. */
static const struct import_node *find_address(const struct farm *f, const char *name)
{
	const struct import_node *list = import_child(f->root, "addresses");

	for (size_t i = 0; list && i < list->n_children; i++)
		if (!strcmp(text_of(&list->children[i], "name", ""), name))
			return &list->children[i];
	return NULL;
}

static const struct member address_members[] = {
	{ "name", NULL },     { "family", NULL },  { "ip-addr", NULL },    { "ports", NULL },
	{ "protocol", NULL }, { "verdict", NULL }, { "log-prefix", NULL }, { "log-rtlimit", NULL },
};

static void read_addresses(struct farm *f, const struct import_node *list)
{
	for (size_t i = 0; i < list->n_children; i++) {
		const struct import_node *n = &list->children[i], *named;

		named = find_address(f, text_of(n, "name", ""));
		read_members(f, n, address_members,
			     sizeof(address_members) / sizeof(*address_members));
		if (!import_child(n, "ip-addr") && !named) {
			import_note_service(f->im, n->at, f->s, "there is no address \"%s\"",
					    text_of(n, "name", ""));
			continue;
		}
		n = import_child(n, "ip-addr") ? n : named;
		read_listeners(f, n, text_of(n, "ip-addr", ""), text_of(n, "ports", ""),
			       text_of(n, "protocol", "tcp"));
	}
}

/* --- backends ------------------------------------------------------------------------------ */

static const struct member backend_members[] = {
	{ "name", NULL },
	{ "ip-addr", NULL },
	{ "port", NULL },
	{ "weight", NULL },
	{ "state", NULL },
	{ "priority", NULL },
	{ "source-addr", read_unless_off },
	{ "mark", read_unless_off },
	{ "est-connlimit", NULL },
	{ "est-connlimit-log-prefix", NULL },
};

static void read_backend(struct farm *f, const struct import_node *n)
{
	const char *port = text_of(n, "port", "0"), *state = text_of(n, "state", "up");
	struct import_backend b = { .name = text_of(n, "name", NULL) };
	uint32_t number = 0;

	if (addr_parse(text_of(n, "ip-addr", ""), &b.address) < 0 ||
	    !import_number(port, UINT16_MAX, &number)) {
		import_note_service(f->im, n->at, f->s,
				    "backend \"%s\": expected \"ip-addr\" and a port",
				    b.name ? b.name : "");
		return;
	}
	b.port = (uint16_t)number;
	if (!import_number(text_of(n, "weight", "1"), MODEL_WEIGHT_MAX, &b.weight)) {
		import_note_service(f->im, n->at, f->s,
				    "backend \"%s\": expected a weight; 1 instead",
				    b.name ? b.name : "");
		b.weight = MODEL_WEIGHT_DEFAULT;
	}
	b.is_disabled = strcmp(state, "up") != 0 && strcmp(state, "available") != 0;
	if (b.is_disabled)
		import_note_service(f->im, n->at, f->s, "backend \"%s\": state \"%s\": disabled",
				    b.name ? b.name : "", state);
	if (import_number(text_of(n, "priority", "1"), UINT8_MAX, &number) && number > 0)
		b.priority = (uint8_t)(number - 1);
	else
		import_note_service(f->im, n->at, f->s,
				    "backend \"%s\": expected a priority; 1 instead",
				    b.name ? b.name : "");
	if (!import_number(text_of(n, "est-connlimit", "0"), MODEL_CONNECTIONS_MAX,
			   &b.max_connections))
		import_note_service(f->im, n->at, f->s,
				    "backend \"%s\": expected est-connlimit; none instead",
				    b.name ? b.name : "");
	if (import_backend(f->im, n->at, f->s, &b))
		read_members(f, n, backend_members,
			     sizeof(backend_members) / sizeof(*backend_members));
}

static void read_backends(struct farm *f, const struct import_node *list)
{
	for (size_t i = 0; i < list->n_children; i++)
		read_backend(f, &list->children[i]);
}

/* --- farms --------------------------------------------------------------------------------- */

static void read_mode(struct farm *f, const struct import_node *n)
{
	const char *mode = import_word(n, 1);

	if (!strcmp(mode, "dnat") || !strcmp(mode, "local"))
		note_member(f, n,
			    "becomes FULLNAT: backends see the pool's addresses, not the client's");
	else if (strcmp(mode, "snat") != 0)
		import_rerouted(f->im, n->at, f->s, mode);
}

static void read_scheduler(struct farm *f, const struct import_node *n)
{
	static const struct {
		const char *name, *ours;
	} names[] = { { "rr", "rr" }, { "weight", "wrr" }, { "hash", "sh" }, { "symhash", "sh" } };

	f->at_scheduler = n->at;
	f->scheduler = import_word(n, 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i].name, f->scheduler) != 0)
			continue;
		f->scheduler = names[i].ours;
		if (!strcmp(import_word(n, 1), "symhash"))
			import_hash_key(f->s, "five_tuple");
		return;
	}
}

static void read_hash_input(struct farm *f, const struct import_node *n)
{
	const char *input = import_word(n, 1);
	bool has_port = strstr(input, "srcport") != NULL;

	if (strcmp(text_of(f->node, "scheduler", "rr"), "hash") != 0)
		return;
	if (has_port)
		import_hash_key(f->s, "source_port");
	if (strcmp(input, "srcip") != 0 && strcmp(input, "srcip srcport") != 0)
		note_member(f, n,
			    has_port ? "the client's address and port are hashed instead"
				     : "the client's address is hashed instead");
}

static void read_source_address(struct farm *f, const struct import_node *n)
{
	struct addr a;

	if (is_nothing(import_word(n, 1)))
		return;
	if (addr_parse(import_word(n, 1), &a) < 0)
		note_member(f, n, "expected an address");
	else
		import_pool(f->im, n->at, f->s, &a);
}

static void read_state(struct farm *f, const struct import_node *n)
{
	if (strcmp(import_word(n, 1), "up") != 0 && strcmp(import_word(n, 1), "available") != 0)
		note_member(f, n, "carried over as a service that is up");
}

static void read_persistence(struct farm *f, const struct import_node *n)
{
	if (is_nothing(import_word(n, 1)))
		return;
	if (!strcmp(import_word(n, 1), "srcip"))
		import_persistence(f->im, n->at, f->s, text_of(f->node, "persist-ttl", "60"), NULL);
	else
		note_member(f, n, "not carried over");
}

static const struct member farm_members[] = {
	{ "name", NULL },
	{ "family", NULL },
	{ "virtual-addr", read_virtual_address },
	{ "virtual-ports", NULL },
	{ "source-addr", read_source_address },
	{ "mode", read_mode },
	{ "protocol", NULL },
	{ "scheduler", read_scheduler },
	{ "sched-param", read_hash_input },
	{ "persistence", read_persistence },
	{ "persist-ttl", NULL }, /* goes with persistence */
	{ "helper", read_unless_off },
	{ "log", read_unless_off },
	{ "log-prefix", NULL },
	{ "log-rtlimit", read_unless_off },
	{ "mark", read_unless_off },
	{ "priority", read_unless_one },
	{ "limits-ttl", NULL }, /* goes with the limits */
	{ "new-rtlimit", read_unless_off },
	{ "new-rtlimit-burst", read_unless_off },
	{ "new-rtlimit-log-prefix", NULL },
	{ "rst-rtlimit", read_unless_off },
	{ "rst-rtlimit-burst", read_unless_off },
	{ "rst-rtlimit-log-prefix", NULL },
	{ "est-connlimit", read_unless_off },
	{ "est-connlimit-log-prefix", NULL },
	{ "tcp-strict", read_unless_off },
	{ "tcp-strict-log-prefix", NULL },
	{ "verdict", NULL }, /* goes with policies */
	{ "flow-offload", read_unless_off },
	{ "intra-connect", NULL }, /* always so with fnat */
	{ "queue", read_unless_off },
	{ "state", read_state },
	{ "addresses", read_addresses },
	{ "backends", read_backends },
	{ "sessions", read_unless_off },
	{ "policies", read_unless_off },
};

static void read_farm(struct import *im, const struct import_node *root,
		      const struct import_node *n)
{
	struct farm f = {
		.im = im, .root = root, .node = n, .scheduler = "rr", .at_scheduler = n->at
	};

	f.s = import_service(im, n->at, text_of(n, "name", ""));
	read_members(&f, n, farm_members, sizeof(farm_members) / sizeof(*farm_members));
	import_scheduler(im, f.at_scheduler, f.s, f.scheduler, NULL);
}

int import_nftlb(struct import *im, const struct import_source *src, struct err *err)
{
	struct import_node root;

	if (import_parse_json(im, src, &root, err) < 0)
		return -1;
	for (size_t i = 0; i < root.n_children; i++) {
		const struct import_node *list = &root.children[i];

		if (!strcmp(import_word(list, 0), "farms"))
			for (size_t k = 0; k < list->n_children; k++)
				read_farm(im, &root, &list->children[k]);
		else if (strcmp(import_word(list, 0), "addresses") != 0)
			import_note(im, list->at, "\"%s\": not carried over", import_word(list, 0));
	}
	import_node_fini(&root);
	return 0;
}
