/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel makes a piece of the dump when the one before was read, so a reader that is slow, or
 * has stopped, costs a socket and nothing else; what is held of a million connections is one
 * piece.
 *
 * Which backend an address is takes a walk over the service's backends, so the answers are
 * remembered: a table as large as the backends that are usual, in which a newer answer replaces an
 * older one.
 */
#include "api/lister.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/flow_text.h"
#include "base/clock.h"
#include "base/mem.h"
#include "kernel/ct_query.h"

#define PIECE_BYTES (32u << 10)
#define PIECE_READS 16 /* of the kernel's, some hundred connections each */
#define MEMO_SIZE   1024u

struct memo {
	const struct service *service; /* NULL: empty */
	uint16_t listener_port;
	struct flow_end at;
	const struct backend *backend;
};

struct lister {
	enum lister_job job;
	struct flow_filter filter;
	char *service, *backend; /* what the filter borrows */
	struct listener_map *map;
	uint64_t max, n, now_ns;
	struct ct_dump *dump; /* NULL: not begun, or over */
	bool is_begun, is_over;
	struct err err;
	char *text; /* of open_memstream(3) */
	size_t len;
	FILE *out;
	struct memo memo[MEMO_SIZE];
};

struct lister *lister_new(enum lister_job job, const struct flow_filter *f,
			  struct listener_map *map, uint64_t max)
{
	struct lister *l = mem_zalloc(sizeof(*l));

	l->job = job;
	l->filter = *f;
	l->filter.service = l->service = f->service ? mem_strdup(f->service) : NULL;
	l->filter.backend = l->backend = f->backend ? mem_strdup(f->backend) : NULL;
	l->map = map;
	l->max = max;
	err_init(&l->err);
	return l;
}

void lister_free(struct lister *l)
{
	if (!l)
		return;
	ct_dump_close(l->dump);
	listener_map_free(l->map);
	err_fini(&l->err);
	free(l->service);
	free(l->backend);
	free(l->text);
	free(l);
}

static uint32_t memo_index(const struct flow_end *at)
{
	uint32_t words[4], hash = at->port;

	memcpy(words, at->address.bytes, sizeof(words));
	for (int i = 0; i < 4; i++)
		hash = hash * 31 + words[i] + (words[i] >> 16) + (words[i] >> 24);
	return hash % MEMO_SIZE;
}

static const struct backend *backend_of(struct lister *l, const struct service *s,
					uint16_t listener_port, const struct flow_end *at)
{
	struct memo *m = &l->memo[memo_index(at)];

	if (m->service == s && m->listener_port == listener_port && m->at.port == at->port &&
	    addr_equal(&m->at.address, &at->address))
		return m->backend;
	*m = (struct memo){ s, listener_port, *at,
			    service_backend_at(s, listener_port, &at->address, at->port) };
	return m->backend;
}

static bool backend_fits(const struct flow_filter *f, const struct flow *flow,
			 const struct backend *b)
{
	if (!f->backend || (b && strcmp(b->name, f->backend) == 0))
		return true;
	return f->backend_at.address.family && flow_end_fits(&f->backend_at, &flow->backend);
}

static bool find_owner(struct lister *l, const struct flow *f, struct flow_owner *out)
{
	struct listener at = flow_listener(f);
	uint16_t port = at.port;

	out->service = listener_map_find(l->map, &at);
	if (!out->service)
		return false;
	out->backend = backend_of(l, out->service, port, &f->backend);
	return backend_fits(&l->filter, f, out->backend);
}

/* As many as there may be, with those that are about to be deleted? */
static bool is_enough(const struct lister *l)
{
	size_t n_more = l->job == LISTER_DELETE ? ct_dump_n_deletes(l->dump) : 0;

	return l->n + n_more >= l->max;
}

static void delete_now(struct lister *l)
{
	int code;

	l->n += (uint64_t)ct_dump_delete_now(l->dump, &code);
	if (code < 0 && !err_any(&l->err))
		err_add(&l->err, ERR_KERNEL, code, NULL, "deleting a connection: %s",
			strerror(-code));
}

static void on_flow(const struct flow *f, void *arg)
{
	struct lister *l = arg;
	struct flow_owner owner;

	if (is_enough(l) || !flow_filter_fits(&l->filter, f, l->now_ns) ||
	    !find_owner(l, f, &owner))
		return;
	switch (l->job) {
	case LISTER_LIST:
		flow_put_json(f, &owner, l->now_ns, l->out);
		fputc('\n', l->out);
		l->n++;
		break;
	case LISTER_COUNT:
		l->n++;
		break;
	case LISTER_DELETE:
		ct_dump_delete(l->dump, f);
		break;
	}
}

static bool is_one(const struct addr_range *r)
{
	return r->lo.family && addr_equal(&r->lo, &r->hi);
}

/* What the kernel can be asked to leave out. */
static struct ct_filter kernel_filter(const struct flow_filter *f)
{
	struct ct_filter out = { .protocol = f->protocol, .to = f->to };

	if (is_one(&f->client))
		out.client.address = f->client.lo;
	out.family = f->client.lo.family    ? f->client.lo.family
		     : f->to.address.family ? f->to.address.family
					    : f->local.address.family;
	if (f->to.address.family && f->to.address.family != out.family)
		out.to = (struct flow_end){ .port = 0 }; /* nothing fits; all the same */
	return out;
}

static void begin(struct lister *l)
{
	struct ct_filter filter = kernel_filter(&l->filter);

	l->is_begun = true;
	listener_map_sort(l->map);
	if (ct_dump_open(&filter, &l->dump, &l->err) < 0)
		l->dump = NULL;
}

static void read_pieces(struct lister *l)
{
	int code = 1;

	for (int i = 0; i < PIECE_READS && code > 0 && l->n < l->max; i++) {
		code = ct_dump_next(l->dump, on_flow, l, &l->err);
		if (l->job == LISTER_DELETE)
			delete_now(l);
		fflush(l->out);
		if (l->len >= PIECE_BYTES)
			break;
	}
	l->is_over = code <= 0 || l->n == l->max;
}

void lister_work(struct lister *l)
{
	free(l->text);
	l->text = NULL;
	if (!l->is_begun)
		begin(l);
	l->is_over = true;
	if (!l->dump)
		return;
	l->out = open_memstream(&l->text, &l->len);
	if (!l->out)
		abort(); /* no memory */
	l->now_ns = clock_real_ns();
	read_pieces(l);
	fclose(l->out);
	if (!l->is_over)
		return;
	ct_dump_close(l->dump);
	l->dump = NULL;
}

bool lister_is_over(const struct lister *l)
{
	return l->is_over;
}

const char *lister_text(const struct lister *l, size_t *len)
{
	*len = l->text ? l->len : 0;
	return l->text ? l->text : "";
}

uint64_t lister_count(const struct lister *l)
{
	return l->n;
}

const struct err *lister_err(const struct lister *l)
{
	return err_any(&l->err) ? &l->err : NULL;
}
