/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor under fnatd: the elements of a configuration, planned and encoded
 * by the same code, in one batch, and nothing around it: no daemon, no API, no
 * thread. What is measured is the kernel, from sendmsg(2) to the
 * acknowledgement; the other stages are told beside it.
 *
 * --changes N then replaces N single elements, one a batch, of the slots, and of the listeners
 * (which makes the kernel validate that map). --omit leaves out
 * kinds of rules, to see what each costs a packet. The table stays (the
 * namespace it is in goes with it).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/nft.h"
#include "model/json.h"
#include "plan/plan.h"

struct options {
	unsigned int lanes, changes;
	bool has_guard, has_only_syn, has_second_try, has_inet6;
	const char *config;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double ms_since(uint64_t start_ns)
{
	return (double)(now_ns() - start_ns) / 1e6;
}

static void die(const struct err *err, const char *what)
{
	fprintf(stderr, "rawbatch: %s: %s\n", what, err ? err_text(err) : strerror(errno));
	exit(1);
}

/* A whole configuration as changes of an empty model. */
static void read_config(const char *path, struct changes *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct model *empty = model_new();
	struct config c = { 0 };
	struct err err;
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(NULL, path);
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		die(NULL, path);
	err_init(&err);
	if (config_parse(text, (size_t)st.st_size, &c, &err) < 0)
		die(&err, path);
	config_changes(&c, empty, out);
	if (model_check(empty, out, &err) < 0)
		die(&err, path);
	config_fini(&c);
	err_fini(&err);
	model_free(empty);
	munmap(text, (size_t)st.st_size);
	close(fd);
}

static bool is_wanted(const struct options *o, const struct chain *c, size_t i)
{
	const struct rule *r = &c->rules[i];

	if (r->kind == RULE_GUARD)
		return o->has_guard;
	if (r->kind == RULE_ONLY_SYN)
		return o->has_only_syn;
	if ((r->kind == RULE_DNAT || r->kind == RULE_SNAT) && i > 0 &&
	    c->rules[i - 1].kind == r->kind && c->rules[i - 1].family == r->family)
		return o->has_second_try;
	return r->family != AF_INET6 || o->has_inet6;
}

static void thin_out(const struct options *o, struct op_list *ops)
{
	for (size_t i = 0; i < ops->n; i++) {
		struct chain *c, thin;

		if (ops->items[i].kind != OP_ADD_CHAIN)
			continue;
		c = ops->items[i].chain;
		thin = *c;
		thin.n_rules = 0;
		for (size_t j = 0; j < c->n_rules; j++)
			if (is_wanted(o, c, j))
				thin.rules[thin.n_rules++] = c->rules[j];
		*c = thin;
	}
}

static void plan_all(const struct options *o, struct plan *plan, const struct changes *c,
		     struct ops *ops)
{
	struct image none, base;

	image_init(&none);
	image_init(&base);
	image_add_base(&base);
	image_sort(&base);
	image_diff(&none, &base, ops);
	image_fini(&none);
	image_fini(&base);
	plan_change(plan, c, ops);
	plan_commit(plan);
	thin_out(o, &ops->stage[0]);
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Elements of one kind of map among those that were added. */
struct sample {
	const struct elem **elems;
	size_t n;
};

static struct sample sample_of(const struct op_list *all, enum map_kind kind)
{
	struct sample s = { mem_calloc(all->n, sizeof(*s.elems)), 0 };

	for (size_t i = 0; i < all->n; i++)
		if (all->items[i].kind == OP_ADD_ELEM && all->items[i].elem.map.kind == kind)
			s.elems[s.n++] = &all->items[i].elem;
	if (s.n == 0) {
		fputs("rawbatch: there are no elements to change\n", stderr);
		exit(1);
	}
	return s;
}

/* Take one element away and put another one in its place, in one batch; milliseconds. */
static double replace(struct nft *nft, const struct elem *was, const struct elem *is)
{
	struct nft_commit_stats stats;
	struct op_list ops = { 0 };
	struct err err;

	err_init(&err);
	op_list_elem(&ops, OP_DEL_ELEM, was);
	op_list_elem(&ops, OP_ADD_ELEM, is);
	if (nft_commit(nft, &ops, &stats, &err) < 0)
		die(&err, "one element");
	op_list_fini(&ops);
	err_fini(&err);
	return (double)stats.kernel_ns / 1e6;
}

/*
 * n changes of elements here and there, each there and back: a slot gets another port, a listener
 * the program of another one.
 */
static void change_some(struct nft *nft, const struct op_list *all, enum map_kind kind,
			unsigned int n, const char *name)
{
	struct sample s = sample_of(all, kind);
	double *ms = mem_calloc(n + 2, sizeof(*ms));

	for (unsigned int i = 0; i < n; i += 2) {
		const struct elem *was = s.elems[i * 7919ull % s.n];
		struct elem is = *was;

		is.to_port ^= 1;
		is.program = s.elems[(i * 7919ull + 1) % s.n]->program;
		ms[i] = replace(nft, was, &is);
		ms[i + 1] = replace(nft, &is, was);
	}
	qsort(ms, n, sizeof(*ms), cmp_double);
	printf(",\"%s_p50_ms\":%.4f,\"%s_p99_ms\":%.4f", name, ms[n / 2], name, ms[n * 99 / 100]);
	free(s.elems);
	free(ms);
}

static void run(const struct options *o)
{
	struct nft_options nft_opt = { .table = "fnat" };
	struct plan *plan = plan_new(o->lanes);
	struct changes changes = { 0 };
	struct nft_commit_stats stats;
	uint64_t start = now_ns();
	double parse_ms, plan_ms;
	struct nft *nft;
	struct ops ops;
	struct err err;

	err_init(&err);
	ops_init(&ops);
	read_config(o->config, &changes);
	parse_ms = ms_since(start);
	start = now_ns();
	plan_all(o, plan, &changes, &ops);
	plan_ms = ms_since(start);
	if (nft_open(&nft_opt, &nft, &err) < 0 || nft_commit(nft, &ops.stage[0], &stats, &err) < 0)
		die(&err, o->config);
	printf("{\"operations\":%zu,\"bytes\":%zu,\"parse_ms\":%.3f,\"plan_ms\":%.3f,"
	       "\"encode_ms\":%.3f,\"kernel_ms\":%.3f",
	       ops.stage[0].n, stats.bytes, parse_ms, plan_ms, (double)stats.encode_ns / 1e6,
	       (double)stats.kernel_ns / 1e6);
	if (o->changes) {
		change_some(nft, &ops.stage[0], MAP_SLOTS, o->changes, "slot");
		change_some(nft, &ops.stage[0], MAP_SERVICES, o->changes, "verdict");
	}
	puts("}");
	nft_close(nft);
	ops_fini(&ops);
	changes_fini(&changes);
	plan_free(plan);
	err_fini(&err);
}

static void usage(void)
{
	fputs("usage: rawbatch [--lanes N] [--changes N] [--omit "
	      "guard|only-syn|second-try|inet6]... "
	      "CONFIG\n",
	      stderr);
	exit(2);
}

static void omit(struct options *o, const char *what)
{
	const struct {
		const char *name;
		bool *has;
	} kinds[] = {
		{ "guard", &o->has_guard },
		{ "only-syn", &o->has_only_syn },
		{ "second-try", &o->has_second_try },
		{ "inet6", &o->has_inet6 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, what) == 0) {
			*kinds[i].has = false;
			return;
		}
	}
	usage();
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "lanes", 1, NULL, 'l' },
		{ "changes", 1, NULL, 'c' },
		{ "omit", 1, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { PLAN_LANES_DEFAULT, 0, true, true, true, true, NULL };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			o.lanes = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'c':
			o.changes = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			omit(&o, optarg);
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc)
		usage();
	o.config = argv[optind];
	run(&o);
	return 0;
}
