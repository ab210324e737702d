/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/begun.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/nft_counters.h"
#include "kernel/nft_entries.h"
#include "plan/stay.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

struct count {
	const struct owned_service *of;
	const struct backend *backend; /* NULL: nobody's any more */
	struct addr to;
	uint16_t port;    /* 0: any */
	uint64_t handle;  /* of the set */
	uint64_t packets; /* first ones of connections */
	uint64_t read_ns; /* when the service was read */
};

struct counts {
	struct count *items;
	size_t n, cap;
};

struct begun_counts {
	struct counts counts; /* service by service */
	size_t at;
};

/* Of a service: sorted, without what is borrowed. */
struct said {
	UT_hash_handle hh;
	struct counts counts;
	uint64_t read_ns;
	char service[];
};

struct begun {
	struct said *services;
};

/* --- reading ------------------------------------------------------------------------------- */

static void add_counts(const struct owned_service *of, uint64_t handle, uint64_t now_ns,
		       const struct entries *e, struct counts *out)
{
	for (size_t i = 0; i < e->n; i++)
		VEC_PUSH(out->items, out->n, out->cap) =
			(struct count){ .of = of,
					.backend = backend_of_entry(of->service, &e->items[i].to,
								    e->items[i].to_port),
					.to = e->items[i].to,
					.port = e->items[i].to_port,
					.handle = handle,
					.packets = e->items[i].packets,
					.read_ns = now_ns };
}

static int read_set(struct nl *nl, const char *table, const struct owned_service *of,
		    const struct map_ref *map, uint64_t handle, struct counts *out, struct err *err)
{
	struct nft_dump d = { .nl = nl };
	uint64_t now_ns = clock_mono_ns();
	struct entries piece = { 0 };
	bool is_done = false;
	int code = nft_dump_begin(&d, table, map, err);

	while (code == 0 && !is_done) {
		piece.n = 0;
		code = nft_dump_next(&d, &piece, &is_done, err);
		add_counts(of, handle, now_ns, &piece, out);
	}
	entries_fini(&piece);
	return code;
}

static void read_service(struct nl *nl, const char *table, const struct nft_begun_sets *sets,
			 const struct owned_service *of, struct counts *out)
{
	struct err err = ERR_INIT;
	int code = 0;

	for (size_t i = 0; i < of->n_begun && code == 0; i++) {
		uint64_t handle = nft_begun_handle(sets, of->own, of->begun[i].family);

		if (handle != 0)
			code = read_set(nl, table, of, &of->begun[i], handle, out, &err);
	}
	if (code < 0)
		log_warn("stats", "what began of service \"%s\": %s", of->service->name,
			 err_text(&err));
	err_fini(&err);
}

size_t begun_n(const struct owned_services *of)
{
	size_t n = 0;

	for (size_t i = 0; i < of->n; i++)
		n += of->items[i].n_begun > 0;
	return n;
}

struct begun_counts *begun_read(struct nl *nl, const char *table, const struct owned_services *of,
				const bool *is_wanted, bool (*go_on)(void *), void *arg)
{
	struct nft_begun_sets sets = { 0 };
	struct begun_counts *out;
	int code;

	if (begun_n(of) == 0)
		return NULL;
	out = mem_zalloc(sizeof(*out));
	code = nft_begun_sets_read(nl, table, &sets);
	if (code < 0)
		log_warn("stats", "what began is not known: %s", strerror(-code));
	for (size_t i = 0; i < of->n && code == 0 && go_on(arg); i++)
		if (!is_wanted || is_wanted[i])
			read_service(nl, table, &sets, &of->items[i], &out->counts);
	nft_begun_sets_fini(&sets);
	return out;
}

void begun_counts_free(struct begun_counts *c)
{
	if (!c)
		return;
	free(c->counts.items);
	free(c);
}

/* --- what was read ------------------------------------------------------------------------- */

static struct said *said_of(const struct begun *b, const char *service)
{
	struct said *s = NULL;

	if (b->services)
		HASH_FIND(hh, b->services, service, strlen(service), s);
	return s;
}

static struct said *said_add(struct begun *b, const char *service)
{
	size_t len = strlen(service);
	struct said *s = mem_zalloc(sizeof(*s) + len + 1);

	memcpy(s->service, service, len + 1);
	HASH_ADD_KEYPTR(hh, b->services, s->service, len, s);
	return s;
}

static int cmp(const void *a, const void *b)
{
	const struct count *ca = a, *cb = b;
	int code = addr_cmp(&ca->to, &cb->to);

	return code ? code : (int)ca->port - (int)cb->port;
}

/* Counts of one service. Not those of a round that are older than what came in between: they would
 * look as if the counters had begun anew. */
static void take_some(struct said *s, struct stats *stats, const struct model *m,
		      const struct count *items, size_t n)
{
	size_t n_known = s->counts.n;

	if (items->read_ns < s->read_ns)
		return;
	s->read_ns = items[n - 1].read_ns;
	for (size_t i = 0; i < n; i++) {
		const struct count *now = &items[i];
		struct count *was = NULL;
		bool is_same;

		if (n_known > 0)
			was = bsearch(now, s->counts.items, n_known, sizeof(*now), cmp);
		is_same = was && was->handle == now->handle;
		stats_counted(stats, m, s->service, now->backend, now->handle,
			      is_same ? was->packets : 0, now->packets);
		if (!was)
			was = &VEC_PUSH(s->counts.items, s->counts.n, s->counts.cap);
		*was = *now;
		was->of = NULL;
		was->backend = NULL;
	}
	if (s->counts.n > n_known)
		qsort(s->counts.items, s->counts.n, sizeof(*s->counts.items), cmp);
}

bool begun_take(struct begun *b, struct stats *stats, const struct model *m, struct begun_counts *c,
		size_t n)
{
	size_t begun_at = c ? c->at : 0;

	while (c && c->at < c->counts.n && c->at - begun_at < n) {
		const struct count *items = c->counts.items + c->at;
		const char *name = items->of->service->name;
		struct said *s = said_of(b, name);
		size_t some = 1;

		while (c->at + some < c->counts.n && items[some].of == items->of)
			some++;
		take_some(s ? s : said_add(b, name), stats, m, items, some);
		c->at += some;
	}
	return c && c->at < c->counts.n;
}

static void said_free(struct begun *b, struct said *s)
{
	HASH_DEL(b->services, s);
	free(s->counts.items);
	free(s);
}

void begun_forget(struct begun *b, const char *service)
{
	struct said *s = said_of(b, service);

	if (s)
		said_free(b, s);
}

struct begun *begun_new(void)
{
	return mem_zalloc(sizeof(struct begun));
}

void begun_free(struct begun *b)
{
	struct said *s, *next;

	if (!b)
		return;
	HASH_ITER (hh, b->services, s, next)
		said_free(b, s);
	free(b);
}
