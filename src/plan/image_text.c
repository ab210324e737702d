/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images, elements and operations as nft writes them. The layout (tabs, how
 * many elements a line holds) is that of `nft list table` 1.0.6; elements and
 * chains are sorted here, where nft has the kernel's order.
 */
#include <inttypes.h>

#include "plan/image.h"

static void addr_text(const struct addr *a, FILE *out)
{
	char buf[ADDR_STRLEN];

	fputs(addr_format(a, buf), out);
}

static void listener_text(const struct elem *e, FILE *out)
{
	const char *protocol = protocol_name(e->protocol);

	addr_text(&e->address, out);
	if (protocol)
		fprintf(out, " . %s . %u", protocol, e->port);
	else
		fprintf(out, " . %u . %u", e->protocol, e->port);
}

static void key_text(const struct elem *e, FILE *out)
{
	switch ((enum map_kind)e->map.kind) {
	case MAP_ADDRESSES:
		addr_text(&e->address, out);
		break;
	case MAP_SERVICES:
	case MAP_SNAT:
		listener_text(e, out);
		break;
	case MAP_POOL:
	case MAP_ALL:
		fprintf(out, "%" PRIu32, e->slot);
		break;
	case MAP_SLOTS:
	case MAP_DETOUR:
	case MAP_GATES:
		listener_text(e, out);
		fprintf(out, " . %" PRIu32, e->slot);
		break;
	case MAP_PINS:
	case MAP_STICKY:
	case MAP_CLIENTS:
		addr_text(&e->address, out);
		break;
	case MAP_BEGUN:
		addr_text(&e->address, out);
		if (!e->map.is_address)
			fprintf(out, " . %u", e->port);
		break;
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_FOREIGN:
		fputc('?', out);
		break;
	}
}

static void data_text(const struct elem *e, FILE *out)
{
	struct gate gate = elem_gate(e);
	char name[NFT_NAME_BYTES];

	switch ((enum map_kind)e->map.kind) {
	case MAP_ADDRESSES:
	case MAP_TIMEOUT:
	case MAP_OVERFLOWED:
	case MAP_CLIENTS:
	case MAP_ALL:
	case MAP_BEGUN:
	case MAP_FOREIGN:
		break;
	case MAP_SERVICES:
		fprintf(out, " : goto %s", program_name(&e->program, name));
		break;
	case MAP_SNAT:
		if (e->program.own)
			fprintf(out, " : goto %s", new_chain_name(e->program.own, name));
		else
			fprintf(out, " : goto pool-%s", e->pool ? e->pool : "?");
		break;
	case MAP_GATES:
		fprintf(out, " : jump %s", gate_name(&gate, name));
		break;
	case MAP_POOL:
	case MAP_DETOUR:
		fputs(" : ", out);
		addr_text(&e->to, out);
		break;
	case MAP_SLOTS:
	case MAP_PINS:
	case MAP_STICKY:
		fputs(" : ", out);
		addr_text(&e->to, out);
		if (!e->map.is_address)
			fprintf(out, " . %u", e->to_port);
		break;
	}
}

void elem_text(const struct elem *e, FILE *out)
{
	key_text(e, out);
	if (e->comment)
		fprintf(out, " comment \"%s\"", e->comment);
	data_text(e, out);
}

static const char *map_word(const struct map_ref *m)
{
	bool is_set = m->kind == MAP_ADDRESSES || m->kind == MAP_CLIENTS || m->kind == MAP_ALL ||
		      m->kind == MAP_BEGUN;

	if (m->kind == MAP_TIMEOUT)
		return "ct timeout";
	if (m->kind == MAP_OVERFLOWED)
		return "counter";
	return is_set ? "set" : "map";
}

/* Of a dynamic one. */
static const char *flags_text(const struct map_ref *m)
{
	return m->kind == MAP_STICKY ? "dynamic,timeout" : "dynamic";
}

/* How many elements nft puts on a line. */
static unsigned int elems_per_line(const struct map_ref *m)
{
	if (m->kind == MAP_POOL)
		return 5;
	return m->kind == MAP_ADDRESSES && m->family == AF_INET ? 2 : 1;
}

/* The elements from *at on that are the map's; *at moves behind them. */
static void elems_text(const struct image *im, const struct map_ref *m, size_t *at, FILE *out)
{
	unsigned int per_line = elems_per_line(m), n = 0;

	for (; *at < im->n_elems && map_cmp(&im->elems[*at].map, m) == 0; (*at)++, n++) {
		if (n == 0)
			fputs("\t\telements = { ", out);
		else
			fputs(n % per_line ? ", " : ",\n\t\t\t     ", out);
		elem_text(&im->elems[*at], out);
	}
	if (n)
		fputs(" }\n", out);
}

/* What no line of the type says: of a timeout, and of a map that the kernel fills. */
static void declaration_text(const struct map_ref *m, const char *between, FILE *out)
{
	unsigned int seconds = m->shard - 1u;

	if (m->kind == MAP_TIMEOUT)
		fprintf(out, "%sl3proto inet%spolicy = { unreplied : %u, replied : %u }", between,
			between, seconds, seconds);
	else if (map_is_dynamic(m))
		fprintf(out, "%ssize %" PRIu32 "%sflags %s", between, map_size(m), between,
			flags_text(m));
}

/* nft lists what is no map before all maps. */
static void objects_text(const struct image *im, const char **delim, FILE *out)
{
	char name[NFT_NAME_BYTES];

	for (size_t i = 0; i < im->n_maps; i++) {
		const struct map_ref *m = &im->maps[i];

		if (map_has_elements(m))
			continue;
		fprintf(out, "%s\t%s %s {\n", *delim, map_word(m), map_name(m, name));
		if (m->kind == MAP_TIMEOUT) { /* of a counter, what it counted is all there is */
			fprintf(out, "\t\t%s", map_type_text(m));
			declaration_text(m, "\n\t\t", out);
			fputc('\n', out);
		}
		fputs("\t}\n", out);
		*delim = "\n";
	}
}

static void map_text(const struct image *im, const struct map_ref *m, size_t *at, FILE *out)
{
	char name[NFT_NAME_BYTES];

	fprintf(out, "\t%s %s {\n\t\t%s", map_word(m), map_name(m, name), map_type_text(m));
	declaration_text(m, "\n\t\t", out);
	fputc('\n', out);
	while (*at < im->n_elems && map_cmp(&im->elems[*at].map, m) < 0)
		(*at)++;
	elems_text(im, m, at, out);
	fputs("\t}\n", out);
}

static void chain_text(const struct chain *c, FILE *out)
{
	fprintf(out, "\tchain %s {\n", c->name);
	if (c->hook != HOOK_NONE)
		fprintf(out, "\t\t%s\n", hook_text(c->hook));
	for (size_t i = 0; i < c->n_rules; i++) {
		fputs("\t\t", out);
		rule_text(&c->rules[i], out);
		fputc('\n', out);
	}
	fputs("\t}\n", out);
}

void image_text(const struct image *im, const char *table, bool is_owned, FILE *out)
{
	const char *delim = "";
	size_t at = 0;

	fprintf(out, "table inet %s {", table);
	if (is_owned) {
		fputs(" # progname fnatd\n\tflags owner,persist", out);
		delim = "\n";
	}
	fputc('\n', out);
	objects_text(im, &delim, out);
	for (size_t i = 0; i < im->n_maps; i++) {
		if (!map_has_elements(&im->maps[i]))
			continue;
		fputs(delim, out);
		map_text(im, &im->maps[i], &at, out);
		delim = "\n";
	}
	for (size_t i = 0; i < im->n_chains; i++, delim = "\n") {
		fputs(delim, out);
		chain_text(&im->chains[i], out);
	}
	fputs("}\n", out);
}

static void map_op_text(const char *verb, const struct map_ref *m, const char *table, FILE *out)
{
	char name[NFT_NAME_BYTES];

	fprintf(out, "%s %s inet %s %s", verb, map_word(m), table, map_name(m, name));
}

static void add_map_text(const struct map_ref *m, const char *table, FILE *out)
{
	map_op_text("add", m, table, out);
	fprintf(out, " { %s", map_type_text(m));
	declaration_text(m, "; ", out);
	fputs("; }", out);
}

/* "add chain inet fnat NAME { HOOK RULE; RULE; }" */
static void add_chain_text(const struct chain *c, const char *table, FILE *out)
{
	fprintf(out, "add chain inet %s %s {", table, c->name);
	if (c->hook != HOOK_NONE)
		fprintf(out, " %s", hook_text(c->hook));
	for (size_t i = 0; i < c->n_rules; i++) {
		fputc(' ', out);
		rule_text(&c->rules[i], out);
		fputc(';', out);
	}
	fputs(" }", out);
}

static void elem_op_text(const struct op *op, const char *table, FILE *out)
{
	char name[NFT_NAME_BYTES];
	bool is_add = op->kind == OP_ADD_ELEM;

	fprintf(out, "%s element inet %s %s { ", is_add ? "add" : "delete", table,
		map_name(&op->elem.map, name));
	if (is_add)
		elem_text(&op->elem, out);
	else
		key_text(&op->elem, out);
	fputs(" }", out);
}

void op_text(const struct op *op, const char *table, FILE *out)
{
	switch ((enum op_kind)op->kind) {
	case OP_ADD_MAP:
		add_map_text(&op->map, table, out);
		break;
	case OP_SET_CHAIN:
		fprintf(out, "flush chain inet %s %s; ", table, op->chain->name);
		add_chain_text(op->chain, table, out);
		break;
	case OP_ADD_CHAIN:
		add_chain_text(op->chain, table, out);
		break;
	case OP_ADD_ELEM:
	case OP_DEL_ELEM:
		elem_op_text(op, table, out);
		break;
	case OP_DEL_CHAIN:
		fprintf(out, "delete chain inet %s %s", table, op->chain->name);
		break;
	case OP_DEL_MAP:
		map_op_text("delete", &op->map, table, out);
		break;
	}
	fputc('\n', out);
}
