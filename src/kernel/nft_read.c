/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's table as an image. Five dumps (sets, objects, chains, rules, elements), each
 * repeated while the kernel says that things changed under it. The dumps together are not one
 * moment; but the generation was asked for before the first, so whatever happens after that is
 * seen by the next nft_changed_elsewhere().
 *
 * Rules are not decoded: a chain of fnat is recognised by encoding what it should contain and
 * comparing that with what the kernel returned, expression by expression.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "kernel/nft_elem.h"
#include "kernel/nft_priv.h"
#include "kernel/nft_rule.h"

#define DUMP_TRIES 20

struct reader {
	struct nft *nft;
	struct image *have;
	struct found *found;
	bool must_replace;
	size_t n_sets;          /* maps that are no objects ... */
	bool must_replace_sets; /* ... and whether one of them is why */
	/* elements of one map */
	const struct map_ref *map;
	struct map_spec spec;
	const char *last_pool; /* name of a pool, of the image: neighbours often share it */
	size_t n_foreign;      /* keys that cannot be told */
	/* rules */
	FILE *text;
	char *text_bytes;
	size_t text_len;
};

static struct nlmsghdr *request_start(char *buf, uint16_t type, uint16_t name_attr,
				      const char *name)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, NL_REQUEST_BYTES);
	nlh = nftnl_nlmsg_build_hdr(buf, type, NFPROTO_INET, 0, 0);
	if (name)
		mnl_attr_put_strz(nlh, name_attr, name);
	return nlh;
}

static void read_gen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
						       mnl_attr_get_payload_len(attr) >= 4) *
		(uint32_t *)arg = ntohl(mnl_attr_get_u32(attr));
}

int nft_get_generation(struct nft *nft, uint32_t *out)
{
	char buf[NL_REQUEST_BYTES];

	return nl_ask(&nft->nl, request_start(buf, NFT_MSG_GETGEN, 0, NULL), read_gen, out, NULL);
}

static void read_table(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) ==
							       NFTA_TABLE_FLAGS &&
						       mnl_attr_get_payload_len(attr) >= 4) *
		(uint32_t *)arg = ntohl(mnl_attr_get_u32(attr));
}

int nft_get_table(struct nl *nl, const char *table, uint32_t *flags)
{
	char buf[NL_REQUEST_BYTES];

	*flags = 0;
	return nl_ask(nl, request_start(buf, NFT_MSG_GETTABLE, NFTA_TABLE_NAME, table), read_table,
		      flags, NULL);
}

/* A name that fits, or the handle (see NFT_HANDLE_PREFIX). */
static void short_name(const char *name, uint64_t handle, char out[NFT_NAME_BYTES])
{
	if (strlen(name) < NFT_NAME_BYTES)
		strcpy(out, name);
	else
		snprintf(out, NFT_NAME_BYTES, NFT_HANDLE_PREFIX "%llu", (unsigned long long)handle);
}

static bool is_declared_so(const struct nftnl_set *s, const struct map_spec *spec)
{
	return nftnl_set_get_u32(s, NFTNL_SET_FLAGS) == spec->flags &&
	       nftnl_set_get_u32(s, NFTNL_SET_KEY_TYPE) == spec->key_type &&
	       nftnl_set_get_u32(s, NFTNL_SET_KEY_LEN) == spec->key_len &&
	       nftnl_set_get_u32(s, NFTNL_SET_DATA_TYPE) == spec->data_type &&
	       /* A verdict's length is the kernel's own affair. */
	       (spec->data_type == NFT_DATA_VERDICT ||
		nftnl_set_get_u32(s, NFTNL_SET_DATA_LEN) == spec->data_len) &&
	       /* A dynamic map that no rule updates yet has the size that it was declared with. */
	       (nftnl_set_get_u32(s, NFTNL_SET_DESC_SIZE) == spec->size ||
		nftnl_set_get_u32(s, NFTNL_SET_DESC_SIZE) == spec->declared_size);
}

static void add_set(struct reader *r, const struct nftnl_set *s)
{
	const char *name = nftnl_set_get_str(s, NFTNL_SET_NAME);
	char pool[NFT_NAME_BYTES], shortened[NFT_NAME_BYTES];
	struct map_ref map = { 0 };
	struct map_spec spec;

	if (nftnl_set_get_u32(s, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS)
		return; /* goes with its rule */
	if (map_parse(name, &map, pool) < 0) {
		short_name(name, nftnl_set_get_u64(s, NFTNL_SET_HANDLE), shortened);
		map = (struct map_ref){ .kind = MAP_FOREIGN, .pool = shortened };
		log_warn("nft", "table %s: map %s is not fnat's", r->nft->table, name);
	} else {
		spec = nft_map_spec(&map);
		if (!is_declared_so(s, &spec)) {
			log_warn("nft", "table %s: map %s is not declared as fnat does",
				 r->nft->table, name);
			r->must_replace = true;
		}
	}
	image_add_map(r->have, &map);
}

static void on_set(const struct nlmsghdr *nlh, void *arg)
{
	struct reader *r = arg;
	struct nftnl_set *s;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWSET)
		return;
	s = nftnl_set_alloc();
	if (s && nftnl_set_nlmsg_parse(nlh, s) == 0 &&
	    strcmp(nftnl_set_get_str(s, NFTNL_SET_TABLE), r->nft->table) == 0)
		add_set(r, s);
	if (s)
		nftnl_set_free(s);
}

/* Does the timeout hold what its name says? */
static bool is_timeout_so(struct nftnl_obj *o, const struct map_ref *m)
{
	uint32_t len = 0;
	const uint32_t *seconds = nftnl_obj_get_data(o, NFTNL_OBJ_CT_TIMEOUT_ARRAY, &len);

	return nftnl_obj_get_u8(o, NFTNL_OBJ_CT_TIMEOUT_L4PROTO) == IPPROTO_UDP && seconds &&
	       seconds[0] == m->shard - 1u && seconds[1] == m->shard - 1u;
}

/* Of the kinds of objects timeouts and counters are fnat's; what else there is goes with the table.
 */
static void add_object(struct reader *r, struct nftnl_obj *o)
{
	const char *name = nftnl_obj_get_str(o, NFTNL_OBJ_NAME);
	uint32_t type = nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE);
	struct map_ref map = { 0 };
	char pool[NFT_NAME_BYTES];

	if (map_parse(name, &map, pool) < 0 ||
	    !((type == NFT_OBJECT_CT_TIMEOUT && map.kind == MAP_TIMEOUT) ||
	      (type == NFT_OBJECT_COUNTER && map.kind == MAP_OVERFLOWED)))
		return;
	if (map.kind == MAP_TIMEOUT && !is_timeout_so(o, &map)) {
		log_warn("nft", "table %s: timeout %s is not declared as fnat does", r->nft->table,
			 name);
		r->must_replace = true;
	}
	image_add_map(r->have, &map);
}

static void on_object(const struct nlmsghdr *nlh, void *arg)
{
	struct reader *r = arg;
	struct nftnl_obj *o;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWOBJ)
		return;
	o = nftnl_obj_alloc();
	if (o && nftnl_obj_nlmsg_parse(nlh, o) == 0 &&
	    strcmp(nftnl_obj_get_str(o, NFTNL_OBJ_TABLE), r->nft->table) == 0)
		add_object(r, o);
	if (o)
		nftnl_obj_free(o);
}

static bool is_hook(const struct nftnl_chain *c, const struct hook_spec *spec)
{
	return nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) == spec->number &&
	       nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO) == spec->priority &&
	       nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_ACCEPT &&
	       strcmp(nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE), spec->type) == 0;
}

static uint8_t find_hook(const struct nftnl_chain *c)
{
	for (uint8_t i = HOOK_NONE + 1; i <= HOOK_GUARD_FORWARD; i++)
		if (is_hook(c, nft_hook_spec(i)))
			return i;
	return HOOK_NONE;
}

static void add_chain(struct found *f, const struct nftnl_chain *c)
{
	struct found_chain *found = &VEC_PUSH(f->items, f->n, f->cap);

	memset(found, 0, sizeof(*found));
	found->name = mem_strdup(nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
	found->handle = nftnl_chain_get_u64(c, NFTNL_CHAIN_HANDLE);
	if (nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM)) {
		found->hook = find_hook(c);
		found->has_foreign_hook = found->hook == HOOK_NONE;
	}
}

static void on_chain(const struct nlmsghdr *nlh, void *arg)
{
	struct reader *r = arg;
	struct nftnl_chain *c;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWCHAIN)
		return;
	c = nftnl_chain_alloc();
	if (c && nftnl_chain_nlmsg_parse(nlh, c) == 0 &&
	    strcmp(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE), r->nft->table) == 0)
		add_chain(r->found, c);
	if (c)
		nftnl_chain_free(c);
}

static int found_cmp(const void *a, const void *b)
{
	return strcmp(((const struct found_chain *)a)->name, ((const struct found_chain *)b)->name);
}

void found_fini(struct found *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].name);
		free(f->items[i].fingerprint);
	}
	free(f->items);
	memset(f, 0, sizeof(*f));
}

static void append_fingerprint(struct found_chain *c, const char *text, size_t len)
{
	c->fingerprint = mem_realloc(c->fingerprint, c->len + len + 1, 1);
	memcpy(c->fingerprint + c->len, text, len);
	c->len += len;
	c->fingerprint[c->len] = '\0';
}

static void add_rule(struct reader *r, const struct nftnl_rule *rule)
{
	struct found_chain key = { .name = (char *)nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN) };
	struct found_chain *c = NULL;

	if (r->found->n > 0)
		c = bsearch(&key, r->found->items, r->found->n, sizeof(key), found_cmp);
	if (!c)
		return; /* of a chain that came after the chains were read */
	rewind(r->text);
	nft_rule_fingerprint(rule, r->text);
	fflush(r->text);
	append_fingerprint(c, r->text_bytes, (size_t)ftell(r->text));
}

static void on_rule(const struct nlmsghdr *nlh, void *arg)
{
	struct reader *r = arg;
	struct nftnl_rule *rule;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWRULE)
		return;
	rule = nftnl_rule_alloc();
	if (rule && nftnl_rule_nlmsg_parse(nlh, rule) == 0 &&
	    strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), r->nft->table) == 0)
		add_rule(r, rule);
	if (rule)
		nftnl_rule_free(rule);
}

static const char *pool_string(struct reader *r, const char *pool)
{
	if (!r->last_pool || strcmp(r->last_pool, pool) != 0)
		r->last_pool = image_string(r->have, pool);
	return r->last_pool;
}

static void add_elem(const struct nlattr *attr, void *arg)
{
	struct reader *r = arg;
	char name[NFT_NAME_BYTES];
	struct elem e, *slot;

	if (nft_elem_get(attr, r->map, &r->spec, &e, name, NULL) < 0) {
		r->n_foreign++;
		return;
	}
	if (e.comment)
		e.comment = image_string(r->have, e.comment);
	if (e.pool)
		e.pool = pool_string(r, e.pool);
	slot = image_add_elem(r->have);
	*slot = e;
}

static void on_elems(const struct nlmsghdr *nlh, void *arg)
{
	nft_elem_each(nlh, add_elem, arg);
}

/* Sets come before objects. */
static void forget_sets(struct reader *r)
{
	r->have->n_maps = 0;
	r->must_replace = false;
}

static void forget_objects(struct reader *r)
{
	r->have->n_maps = r->n_sets;
	r->must_replace = r->must_replace_sets;
}

static void forget_chains(struct reader *r)
{
	found_fini(r->found);
}

static void forget_rules(struct reader *r)
{
	for (size_t i = 0; i < r->found->n; i++)
		r->found->items[i].len = 0;
}

/* The dumps of the table's parts: `forget` clears what an interrupted one has left. */
struct part {
	const char *what;
	uint16_t type, table_attr;
	nl_message_fn *fn;
	void (*forget)(struct reader *r);
};
static const struct part part_sets = { "sets", NFT_MSG_GETSET, NFTA_SET_TABLE, on_set,
				       forget_sets };
static const struct part part_objects = { "objects", NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, on_object,
					  forget_objects };
static const struct part part_chains = { "chains", NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, on_chain,
					 forget_chains };
static const struct part part_rules = { "rules", NFT_MSG_GETRULE, NFTA_RULE_TABLE, on_rule,
					forget_rules };

static int dump_error(const struct reader *r, const char *what, int code, struct err *err)
{
	if (code == -EINTR)
		return err_add(err, ERR_BUSY, -EAGAIN, NULL,
			       "reading the %s of table %s: the ruleset changes all the time", what,
			       r->nft->table);
	return err_add(err, ERR_KERNEL, code, NULL, "reading the %s of table %s: %s", what,
		       r->nft->table, strerror(-code));
}

static int read_part(struct reader *r, const struct part *part, struct err *err)
{
	char buf[NL_REQUEST_BYTES];
	int code = -EINTR;

	for (int i = 0; i < DUMP_TRIES && code == -EINTR; i++) {
		part->forget(r);
		code = nl_dump(&r->nft->nl,
			       request_start(buf, part->type, part->table_attr, r->nft->table),
			       part->fn, r);
	}
	return code == 0 ? 0 : dump_error(r, part->what, code, err);
}

/*
 * The elements of one map. In an owned table they cannot change: it is only the others'
 * tables that make the kernel call such a dump interrupted.
 */
static int read_elems(struct reader *r, const struct map_ref *map, struct err *err)
{
	char buf[NL_REQUEST_BYTES], name[NFT_NAME_BYTES];
	size_t n_before = r->have->n_elems;
	int code = -EINTR;

	r->map = map;
	r->spec = nft_map_spec(map);
	for (int i = 0; i < DUMP_TRIES && code == -EINTR; i++) {
		struct nlmsghdr *nlh = request_start(buf, NFT_MSG_GETSETELEM,
						     NFTA_SET_ELEM_LIST_TABLE, r->nft->table);

		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, map_name(map, name));
		r->have->n_elems = n_before;
		code = nl_dump(&r->nft->nl, nlh, on_elems, r);
		if (code == -EINTR && nft_is_owner(r->nft))
			code = 0;
	}
	return code == 0 ? 0 : dump_error(r, "elements", code, err);
}

static int read_all_elems(struct reader *r, struct err *err)
{
	for (size_t i = 0; i < r->have->n_maps; i++) {
		/* A copy: elements borrow the name of their map's pool from the image anyway. */
		struct map_ref map = r->have->maps[i];
		int code;

		if (map.kind == MAP_FOREIGN || map_is_dynamic(&map) || !map_has_elements(&map))
			continue;
		code = read_elems(r, &map, err);

		if (code < 0)
			return code;
	}
	if (r->n_foreign > 0)
		log_warn("nft", "table %s: %zu elements cannot be told apart from fnat's",
			 r->nft->table, r->n_foreign);
	return 0;
}

static int read_rules(struct reader *r, struct err *err)
{
	int code;

	r->text = open_memstream(&r->text_bytes, &r->text_len);
	if (!r->text)
		abort();
	code = read_part(r, &part_rules, err);
	fclose(r->text);
	free(r->text_bytes);
	return code;
}

static int read_parts(struct reader *r, struct err *err)
{
	int code = read_part(r, &part_sets, err);

	r->n_sets = r->have->n_maps;
	r->must_replace_sets = r->must_replace;
	if (code == 0)
		code = read_part(r, &part_objects, err);
	if (code == 0)
		code = read_part(r, &part_chains, err);
	if (code < 0)
		return code;
	if (r->found->n > 0)
		qsort(r->found->items, r->found->n, sizeof(*r->found->items), found_cmp);
	code = read_rules(r, err);
	/* A table that has to be made again is not worth reading. */
	if (code == 0 && !r->must_replace)
		code = read_all_elems(r, err);
	return code;
}

static int wanted_cmp(const void *name, const void *chain)
{
	return strcmp(name, ((const struct chain *)chain)->name);
}

static const struct chain *find_wanted(const struct image *want, const char *name)
{
	if (!want || want->n_chains == 0)
		return NULL;
	return bsearch(name, want->chains, want->n_chains, sizeof(*want->chains), wanted_cmp);
}

/* The first line in which two fingerprints differ. */
static void log_difference(const char *chain, const char *want, const char *have)
{
	size_t line = 0;

	for (size_t i = 0; want[i] && want[i] == have[i]; i++)
		if (want[i] == '\n')
			line = i + 1;
	log_debug("nft", "chain %s: \"%.*s\" is wanted, the kernel has \"%.*s\"", chain,
		  (int)strcspn(want + line, "\n"), want + line, (int)strcspn(have + line, "\n"),
		  have + line);
}

static bool is_same_chain(const struct nft *nft, const struct found_chain *found,
			  const struct chain *want)
{
	char *text = nft_chain_fingerprint(nft->table, want);
	const char *have = found->fingerprint ? found->fingerprint : "";
	bool is_same = strcmp(text, have) == 0;

	if (!is_same && log_enabled(LOG_LEVEL_DEBUG))
		log_difference(want->name, text, have);
	free(text);
	return is_same;
}

static void foreign_chain(const struct found_chain *found, struct chain *out)
{
	memset(out, 0, sizeof(*out));
	short_name(found->name, found->handle, out->name);
	out->hook = found->hook;
	out->n_rules = 1;
	out->rules[0].kind = RULE_FOREIGN;
}

/* False: a chain of that name is wanted, but it hangs in the wrong place for ever. */
static bool match_chain(const struct nft *nft, const struct found_chain *found,
			const struct image *want, struct image *have)
{
	const struct chain *wanted = find_wanted(want, found->name);
	struct chain foreign;

	if (wanted && (wanted->hook != found->hook || found->has_foreign_hook)) {
		log_warn("nft", "table %s: chain %s is not declared as fnat does", nft->table,
			 found->name);
		return false;
	}
	if (wanted && is_same_chain(nft, found, wanted)) {
		image_add_chain(have, wanted);
		return true;
	}
	foreign_chain(found, &foreign);
	image_add_chain(have, &foreign);
	return true;
}

static void empty(struct image *im)
{
	image_fini(im);
	image_init(im);
}

void nft_match_chains(struct nft *nft, const struct image *want, struct image *have)
{
	have->n_chains = 0;
	for (size_t i = 0; i < nft->found.n && !nft->must_replace; i++)
		if (!match_chain(nft, &nft->found.items[i], want, have))
			nft->must_replace = true;
	if (nft->must_replace)
		empty(have);
}

int nft_read(struct nft *nft, const struct image *want, struct image *have, struct err *err)
{
	struct reader r = { .nft = nft, .have = have, .found = &nft->found };
	uint32_t generation = 0, flags;
	int code = nft_get_generation(nft, &generation);

	if (code == 0)
		code = nft_get_table(&nft->nl, nft->table, &flags);
	found_fini(&nft->found);
	if (code == 0)
		code = read_parts(&r, err);
	else if (code == -ENOENT)
		code = 0; /* somebody has removed it */
	else
		code = dump_error(&r, "flags", code, err);
	if (code < 0)
		return code;
	nft->generation = generation;
	nft->is_changed = false;
	nft->must_replace = r.must_replace;
	nft_match_chains(nft, want, have);
	image_sort(have);
	return 0;
}
