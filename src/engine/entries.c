/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel writes these entries and uses them; nobody keeps a copy. So whoever wants to know one
 * reads the service's map, and what takes long is the reading: 1 ms for 1,000 entries, 10 ms for
 * 10,000, 0.3 s for 60,000, because the kernel begins each part of a dump (32 KiB of it) by walking
 * the map from its start.
 *
 * Forgetting is therefore done piece by piece, on the way of whoever changed something for
 * BUDGET_MS at most, and after that between others' jobs.
 */
#include "engine/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "plan/stay.h"

/* A packet that chose its backend before a change remembers it within microseconds. */
#define GRACE_MS 200
#define RETRY_MS 1000
/* A change waits for so long, for what it makes stale to be gone: about 8,000 entries. */
#define BUDGET_MS 10
/* Entries that are deleted in one go: some milliseconds. */
#define DELETE_SLICE 2048

struct task {
	struct task *next;
	uint64_t due_ms;
	bool is_last;  /* it was looked through before */
	bool is_again; /* when the pass that goes on is over */
	char service[];
};

/* The service that is looked through now: map after map, each read and then cleaned. */
struct pass {
	struct task *task; /* NULL: none */
	struct map_ref maps[2];
	size_t n_maps, map;     /* the one in turn */
	bool is_begun, is_read; /* it is being read; to its end */
	struct entries stale;   /* of it */
	size_t n_gone, n_total; /* of stale; of all maps */
	uint64_t busy_us;
};

struct forget {
	struct task *tasks;
	struct pass pass;
};

/* The client as the map knows it: without the bits that do not count. */
static struct addr masked(const struct addr *client, uint8_t bits)
{
	struct addr out = *client;
	uint8_t mask[16];

	prefix_mask(bits, mask);
	for (size_t i = 0; i < addr_len(client->family); i++)
		out.bytes[i] &= mask[i];
	return out;
}

static bool is_client(const struct entry *e, const struct addr *client, const struct persistence *p)
{
	struct addr key;

	if (client->family == AF_UNSPEC)
		return true;
	if (client->family != e->client.family)
		return false;
	key = masked(client, client->family == AF_INET ? p->prefix4 : p->prefix6);
	return addr_equal(&key, &e->client);
}

static bool is_backend(const struct entry *e, const struct service *s, const char *name)
{
	const struct backend *b = name ? backend_of_entry(s, &e->to, e->to_port) : NULL;

	return !name || (b && strcmp(b->name, name) == 0);
}

typedef bool entry_fn(const struct entry *e, const struct service *s, const void *arg);

static bool fits(const struct entry *e, const struct service *s, const void *arg)
{
	const struct entries_filter *filter = arg;

	return is_client(e, &filter->client, &s->persistence) && is_backend(e, s, filter->backend);
}

static bool is_stale(const struct entry *e, const struct service *s, const void *arg)
{
	const struct backend *b = backend_of_entry(s, &e->to, e->to_port);

	(void)arg;
	return !b || !backend_takes_known(s, b);
}

/* Leave in *e, from the one numbered `from` on, those that fit. */
static void select_entries(struct entries *e, size_t from, const struct service *s, entry_fn *fn,
			   const void *arg)
{
	size_t n = from;

	for (size_t i = from; i < e->n; i++)
		if (fn(&e->items[i], s, arg))
			e->items[n++] = e->items[i];
	e->n = n;
}

/* Append the service's entries that fit, of both families, and delete them if so wanted. */
static int find(struct nft *nft, const struct plan *plan, const char *service, entry_fn *fn,
		const void *arg, bool is_delete, struct entries *out, struct err *err)
{
	const struct service *s = plan_service(plan, service);
	struct map_ref maps[2];
	size_t n = plan_sticky_maps(plan, service, maps);
	int code = 0;

	for (size_t i = 0; i < n && code == 0; i++) {
		size_t from = out->n;

		code = nft_entries_read(nft, &maps[i], out, err);
		if (code < 0)
			break;
		select_entries(out, from, s, fn, arg);
		if (is_delete && out->n > from)
			code = nft_entries_delete(nft, &maps[i], out->items + from, out->n - from,
						  err);
	}
	return code;
}

long entries_find(struct nft *nft, const struct plan *plan, const char *service,
		  const struct entries_filter *filter, bool is_delete, struct entries *out,
		  struct err *err)
{
	int code = find(nft, plan, service, fits, filter, is_delete, out, err);
	long n = (long)out->n;

	if (code < 0) {
		entries_fini(out);
		return code;
	}
	if (out->n > filter->max)
		out->n = filter->max;
	return n;
}

struct forget *forget_new(void)
{
	return mem_zalloc(sizeof(struct forget));
}

void forget_free(struct forget *f)
{
	if (f)
		entries_fini(&f->pass.stale);
	while (f && f->tasks) {
		struct task *t = f->tasks;

		f->tasks = t->next;
		free(t);
	}
	free(f);
}

static void pass_end(struct forget *f)
{
	entries_fini(&f->pass.stale);
	f->pass = (struct pass){ 0 };
}

static struct task *task_of(struct forget *f, const char *service)
{
	size_t size = strlen(service) + 1;
	struct task *t = f->tasks;

	while (t && strcmp(t->service, service) != 0)
		t = t->next;
	if (t)
		return t;
	t = mem_zalloc(sizeof(*t) + size);
	memcpy(t->service, service, size);
	t->next = f->tasks;
	f->tasks = t;
	return t;
}

void forget_note(struct forget *f, const struct changes *c, uint64_t now_ms)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];
		struct task *t;

		if (change->object != OBJECT_SERVICE ||
		    !entries_may_be_stale(change->service.before, change->service.after))
			continue;
		t = task_of(f, change_name(change));
		t->is_last = false;
		if (f->pass.task == t)
			t->is_again = true; /* what was read by now may be stale only now */
		else
			t->due_ms = now_ms;
	}
}

int forget_wait_ms(const struct forget *f, uint64_t now_ms)
{
	int wait = -1;

	for (const struct task *t = f->tasks; t; t = t->next) {
		int left = t->due_ms > now_ms ? (int)(t->due_ms - now_ms) : 0;

		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

static void pass_begin(struct forget *f, const struct plan *plan, struct task *t)
{
	f->pass.task = t;
	f->pass.n_maps = plan_sticky_maps(plan, t->service, f->pass.maps);
}

/* A piece of reading. Negative: it has to be tried again. */
static int pass_read(struct pass *p, struct nft *nft, const struct service *s, struct err *err)
{
	size_t from = p->stale.n;
	int code = nft_walk_next(nft, &p->stale, &p->is_read, err);

	select_entries(&p->stale, from, s, is_stale, NULL);
	return code;
}

static int pass_delete(struct pass *p, struct nft *nft, struct err *err)
{
	size_t n = p->stale.n - p->n_gone;
	int code;

	if (n > DELETE_SLICE)
		n = DELETE_SLICE;
	code = nft_entries_delete(nft, &p->maps[p->map], p->stale.items + p->n_gone, n, err);
	p->n_gone += n;
	p->n_total += n;
	return code;
}

/* The next piece of work. *is_over: that was all. */
static int pass_step(struct pass *p, struct nft *nft, const struct service *s, bool *is_over,
		     struct err *err)
{
	*is_over = !s || p->map == p->n_maps;
	if (*is_over)
		return 0;
	if (!p->is_begun) {
		p->is_begun = true;
		return nft_walk_begin(nft, &p->maps[p->map], err);
	}
	if (!p->is_read)
		return pass_read(p, nft, s, err);
	if (p->n_gone < p->stale.n)
		return pass_delete(p, nft, err);
	entries_fini(&p->stale);
	p->n_gone = 0;
	p->is_begun = p->is_read = false;
	p->map++;
	return 0;
}

static void task_free(struct forget *f, struct task *t)
{
	struct task **at = &f->tasks;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
}

/* It was looked through: once more after a while, or that was it. */
static void task_done(struct forget *f, uint64_t now_ms)
{
	struct pass *p = &f->pass;
	struct task *t = p->task;

	if (p->n_total > 0)
		log_info("engine",
			 "persistence of service \"%s\": forgot %zu clients of backends that may "
			 "not have them any more, in %llu us",
			 t->service, p->n_total, (unsigned long long)p->busy_us);
	pass_end(f);
	if (t->is_again) {
		t->is_again = false;
		return;
	}
	if (t->is_last) {
		task_free(f, t);
		return;
	}
	t->due_ms = now_ms + GRACE_MS;
	t->is_last = true;
}

static void task_failed(struct forget *f, uint64_t now_ms, const struct err *err)
{
	struct task *t = f->pass.task;

	log_warn("engine", "persistence of service \"%s\": %s; will be tried again", t->service,
		 err_text(err));
	pass_end(f);
	t->due_ms = now_ms + RETRY_MS;
}

static struct task *task_due(const struct forget *f, uint64_t now_ms)
{
	struct task *t = f->tasks;

	while (t && t->due_ms > now_ms)
		t = t->next;
	return t;
}

static void work(struct forget *f, struct nft *nft, const struct plan *plan, uint64_t now_ms)
{
	uint64_t begin = clock_mono_us();
	bool is_over = false;
	struct err err;
	int code;

	err_init(&err);
	code = pass_step(&f->pass, nft, plan_service(plan, f->pass.task->service), &is_over, &err);
	f->pass.busy_us += clock_mono_us() - begin;
	if (code < 0)
		task_failed(f, now_ms, &err);
	else if (is_over)
		task_done(f, now_ms);
	err_fini(&err);
}

void forget_run(struct forget *f, struct nft *nft, const struct plan *plan, uint64_t now_ms,
		bool is_brief)
{
	uint64_t until = clock_mono_us() + (is_brief ? 0 : BUDGET_MS * 1000);
	struct task *t;

	do {
		t = f->pass.task ? f->pass.task : task_due(f, now_ms);
		if (t && !f->pass.task)
			pass_begin(f, plan, t);
		if (t)
			work(f, nft, plan, now_ms);
	} while (t && clock_mono_us() < until);
}
