/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ways lead to the kernel. The short one, for a change, is here: the plan says what differs
 * from what it wanted before, and that is sent without looking. The long one is in table_compare.c.
 *
 * Removal comes later (plan/garbage.h): a packet halfway through the chains may still look
 * up what the batch made superfluous. The grace is generous, since a packet takes
 * microseconds, and rounded up so that a stream of changes is swept up after ten times a second,
 * not once a change.
 */
#include "base/clock.h"
#include "engine/table_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/entries.h"
#include "engine/split.h"
#include "engine/sweep.h"

#define GRACE_MS       200
#define GRACE_ROUND_MS 100
/* Garbage this late is collected even while requests keep coming. */
#define OVERDUE_MS 1000
/* Garbage that the kernel does not let go is tried again after 0.2, 0.4, ... s, up to a minute or
 * two. */
#define COLLECT_FAILURES_MAX 9

uint64_t table_due_ms(const struct table *t)
{
	uint64_t due = clock_mono_ms() + ((uint64_t)GRACE_MS << t->collect_failures);

	return (due + GRACE_ROUND_MS - 1) / GRACE_ROUND_MS * GRACE_ROUND_MS;
}

int table_open(const struct engine_options *opt, struct table **out, struct err *err)
{
	struct nft_options nft_opt = { .table = opt->table, .plain = opt->plain_table };
	struct table *t = mem_zalloc(sizeof(*t));
	int code = nft_open(&nft_opt, &t->nft, err);

	if (code < 0) {
		free(t);
		return code;
	}
	t->plan = plan_new(opt->lanes);
	t->garbage = garbage_new();
	t->forget = forget_new();
	t->name = mem_strdup(opt->table);
	t->is_unconfigured = opt->is_unconfigured;
	*out = t;
	return 0;
}

void table_close(struct table *t)
{
	if (!t)
		return;
	garbage_free(t->garbage);
	forget_free(t->forget);
	plan_free(t->plan);
	free(t->appeared);
	nft_close(t->nft);
	free(t->name);
	free(t);
}

static void note_appeared(struct table *t, const struct op_list *stage)
{
	size_t n;
	struct listener *appeared = listeners_appeared(stage, &n);

	for (size_t i = 0; i < n; i++)
		VEC_PUSH(t->appeared, t->n_appeared, t->cap_appeared) = appeared[i];
	free(appeared);
}

struct listener *table_take_appeared(struct table *t, size_t *n)
{
	struct listener *taken = t->appeared;

	*n = t->n_appeared;
	t->appeared = NULL;
	t->n_appeared = t->cap_appeared = 0;
	return taken;
}

static int batch_send(struct table *t, const struct op_list *ops, struct err *err)
{
	int code = nft_commit(t->nft, ops, NULL, err);

	if (code < 0)
		t->batch_failures++;
	else
		t->batches++;
	return code;
}

/* The rest was refused: chains that nothing leads to go again. */
static void take_back(struct table *t, const struct op_list *first)
{
	struct op_list undo;
	struct err err;

	err_init(&err);
	split_undo(first, &undo);
	if (batch_send(t, &undo, &err) < 0)
		log_warn("engine", "%zu unused objects stay until the next verification: %s",
			 undo.n, err_text(&err));
	free(undo.items);
	err_fini(&err);
}

static int send_split(struct table *t, const struct op_list *first, const struct op_list *rest,
		      struct err *err)
{
	int code = batch_send(t, first, err);

	if (code < 0)
		return code;
	code = batch_send(t, rest, err);
	if (code < 0)
		take_back(t, first);
	return code;
}

int table_send(struct table *t, const struct op_list *stage, struct err *err)
{
	uint64_t start = clock_mono_ns();
	struct op_list first, rest;
	int code;

	if (stage->n == 0)
		return 0;
	if (split_stage(stage, &first, &rest))
		code = send_split(t, &first, &rest, err);
	else
		code = batch_send(t, stage, err);
	free(first.items);
	free(rest.items);
	if (code < 0)
		return code;
	t->last_commit_ns = clock_mono_ns() - start;
	note_appeared(t, stage);
	return 0;
}

/* Who is remembered for a backend that must not have him goes elsewhere. */
static void forget_due(struct table *t, bool is_brief)
{
	if (forget_wait_ms(t->forget, clock_mono_ms()) == 0)
		forget_run(t->forget, t->nft, t->plan, clock_mono_ms(), is_brief);
}

/* The change is in the kernel. */
static void change_settle(struct table *t, const struct changes *c)
{
	plan_commit(t->plan);
	forget_note(t->forget, c, clock_mono_ms());
	forget_due(t, false);
}

/* The short way. */
static int commit_change(struct table *t, const struct changes *c, struct err *err)
{
	struct ops ops;
	int code;

	ops_init(&ops);
	plan_change(t->plan, c, &ops);
	garbage_resolve(t->garbage, &ops);
	code = table_send(t, &ops.stage[0], err);
	if (code < 0) {
		plan_abort(t->plan);
	} else {
		change_settle(t, c);
		garbage_take(t->garbage, &ops, table_due_ms(t));
	}
	ops_fini(&ops);
	return code;
}

/* The table is not there: all of it, with the change. */
static int commit_restoring(struct table *t, const struct changes *c, struct err *err)
{
	struct ops ignored, ops;
	int code;

	ops_init(&ignored);
	ops_init(&ops);
	plan_change(t->plan, c, &ignored);
	code = table_compare(t, &ops, err);
	if (code == 0)
		code = table_send_compared(t, &ops, err);
	if (code < 0) {
		plan_abort(t->plan);
	} else {
		plan_commit(t->plan);
		t->is_flushed = false;
		log_info("engine", "table %s restored", t->name);
	}
	ops_fini(&ignored);
	ops_fini(&ops);
	return code;
}

/* Did the batch perhaps fail because the kernel has something else than the plan believes? */
static bool is_disturbed(struct table *t, const struct err *err)
{
	return err->kind != ERR_KERNEL || nft_changed_elsewhere(t->nft) != 0;
}

long table_commit(struct table *t, const struct changes *c, struct err *err)
{
	struct err repair;
	int code;

	if (t->is_flushed)
		return commit_restoring(t, c, err);
	code = commit_change(t, c, err);
	if (code == 0 || !is_disturbed(t, err))
		return code;
	err_init(&repair);
	if (table_verify(t, &repair) > 0) {
		err_reset(err);
		code = commit_change(t, c, err);
	}
	err_fini(&repair);
	return code;
}

void table_dry_run(struct table *t, const struct changes *c, struct ops *out)
{
	struct ops ignored;

	if (!t->is_flushed) {
		plan_change(t->plan, c, out);
		garbage_resolve(t->garbage, out);
	} else {
		struct image none, want;

		image_init(&none);
		image_init(&want);
		ops_init(&ignored);
		plan_change(t->plan, c, &ignored);
		plan_image(t->plan, &want);
		image_diff(&none, &want, out);
		ops_fini(&ignored);
		image_fini(&none);
		image_fini(&want);
	}
	plan_abort(t->plan);
}

int table_flush(struct table *t, struct err *err)
{
	int code = nft_delete(t->nft, err);

	if (code < 0)
		return code;
	garbage_free(t->garbage);
	t->garbage = garbage_new();
	table_lose_counts(t);
	t->is_flushed = true;
	return 0;
}

int table_text(struct table *t, char **text, size_t *len, struct err *err)
{
	struct image have, want;
	FILE *out;
	int code;

	image_init(&have);
	image_init(&want);
	plan_image(t->plan, &want);
	code = nft_read(t->nft, &want, &have, err);
	image_fini(&want);
	out = code < 0 ? NULL : open_memstream(text, len);
	if (out) {
		image_text(&have, t->name, nft_is_owner(t->nft), out);
		fclose(out);
	} else if (code == 0) {
		code = err_add(err, ERR_SYSTEM, -errno, NULL, "%s", strerror(errno));
	}
	image_fini(&have);
	return code;
}

struct placement *table_placements(const struct table *t, const char *service, size_t *n)
{
	return plan_placements(t->plan, service, n);
}

void table_explain(const struct table *t, const struct packet *packet, struct explanation *out)
{
	struct entries_filter filter = { .client = packet->saddr, .max = 1 };
	struct entries known = { 0 };
	struct err err = ERR_INIT;

	plan_explain(t->plan, packet, out);
	if (!(out->program.options & PROGRAM_STICKY) || out->by == BY_PIN)
		return;
	if (entries_find(t->nft, t->plan, out->service, &filter, false, &known, &err) < 0)
		log_warn("engine", "explain: %s", err_text(&err));
	else if (known.n > 0)
		plan_explain_known(t->plan, packet, &known.items[0].to, known.items[0].to_port,
				   out);
	entries_fini(&known);
	err_fini(&err);
}

int table_garbage_wait_ms(const struct table *t)
{
	int garbage = garbage_wait_ms(t->garbage, clock_mono_ms());
	int forget = forget_wait_ms(t->forget, clock_mono_ms());

	return garbage < 0 || (forget >= 0 && forget < garbage) ? forget : garbage;
}

long table_entries(struct table *t, const char *service, const struct entries_filter *filter,
		   bool is_delete, struct entries *out, struct err *err)
{
	return entries_find(t->nft, t->plan, service, filter, is_delete, out, err);
}

void table_owned(const struct table *t, struct owned_services *out)
{
	plan_owned(t->plan, out);
}

bool table_garbage_is_overdue(const struct table *t)
{
	uint64_t now = clock_mono_ms();

	return now > OVERDUE_MS && (garbage_wait_ms(t->garbage, now - OVERDUE_MS) == 0 ||
				    forget_wait_ms(t->forget, now - OVERDUE_MS) == 0);
}

/* The kernel has something else than the garbage says: let a comparison find what there is. */
static void collect_failed(struct table *t, long n, const struct err *why)
{
	struct err err;

	if (t->collect_failures < COLLECT_FAILURES_MAX)
		t->collect_failures++;
	log_warn("engine", "%ld superfluous objects were not removed, comparing: %s", n,
		 err_text(why));
	err_init(&err);
	if (table_verify(t, &err) < 0)
		log_error("engine", "table %s cannot be verified: %s", t->name, err_text(&err));
	err_fini(&err);
}

/* Number of operations; negative: failed. */
static long collect(struct table *t, uint64_t now)
{
	struct op_list list = { 0 };
	struct ops storage;
	struct err err;
	long n;

	err_init(&err);
	ops_init(&storage);
	garbage_collect(t->garbage, now, &list, &storage);
	n = (long)list.n;
	if (table_send(t, &list, &err) < 0) {
		collect_failed(t, n, &err);
		n = -1;
	} else if (n > 0) {
		t->collect_failures = 0;
	}
	op_list_fini(&list);
	ops_fini(&storage);
	err_fini(&err);
	return n;
}

bool table_collect(struct table *t)
{
	forget_due(t, true);
	return collect(t, clock_mono_ms()) != 0;
}

void table_collect_all(struct table *t)
{
	struct timespec pause = { .tv_nsec = GRACE_MS * 1000000L };

	if (garbage_count(t->garbage) > 0 && garbage_wait_ms(t->garbage, clock_mono_ms()) > 0)
		nanosleep(&pause, NULL);
	while (garbage_count(t->garbage) > 0 && collect(t, UINT64_MAX) > 0)
		;
}

void table_report(const struct table *t, struct report *out)
{
	*out = (struct report){
		.is_owner = nft_is_owner(t->nft),
		.is_flushed = t->is_flushed,
		.batches = t->batches,
		.batch_failures = t->batch_failures,
		.last_commit_ns = t->last_commit_ns,
		.drift_repaired = t->drift_repaired,
		.garbage = garbage_count(t->garbage),
	};
	plan_stats(t->plan, &out->plan);
}
