/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The long way, for when the kernel may have something else than the plan believes (at the start,
 * after a flush, when somebody else was at the table): read it, compare with everything the plan
 * wants, send the differences. It is also the answer to whatever goes wrong on the short way, so
 * there is one repair, and it is exercised at every start.
 */
#include "base/clock.h"
#include "engine/table_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Reading a large table takes a while: at most one part in this many of the writer's time. */
#define WATCH_SHARE 10
/* Operations that a log line about a repair spells out. */
#define TOLD_OPS 4

int table_compare(struct table *t, struct ops *ops, struct err *err)
{
	struct image have, want;
	uint64_t start = clock_mono_ms();
	int code;

	image_init(&have);
	image_init(&want);
	plan_image(t->plan, &want);
	code = nft_read(t->nft, &want, &have, err);
	if (code == 0)
		image_diff(&have, &want, ops);
	image_fini(&have);
	image_fini(&want);
	t->watch_after_ms = clock_mono_ms() + WATCH_SHARE * (clock_mono_ms() - start);
	return code;
}

/*
 * Is this operation of stage 2 about something that should not be there? Garbage of earlier changes
 * is in the kernel and not wanted, as it should be. A foreign chain is emptied before it is
 * deleted; one of the two counts.
 */
static bool is_unexpected(const struct table *t, const struct op *op)
{
	return op->kind != OP_SET_CHAIN && !garbage_has(t->garbage, op);
}

static long count_unexpected(const struct table *t, const struct ops *ops)
{
	long n = (long)ops->stage[0].n;

	for (size_t i = 0; i < ops->stage[1].n; i++)
		n += is_unexpected(t, &ops->stage[1].items[i]);
	return n;
}

int table_send_compared(struct table *t, struct ops *ops, struct err *err)
{
	int code = table_send(t, &ops->stage[0], err);

	if (code < 0)
		return code;
	garbage_free(t->garbage);
	t->garbage = garbage_new();
	garbage_take(t->garbage, ops, table_due_ms(t));
	return 0;
}

/* The first few. */
static void ops_tell(const struct table *t, const struct ops *ops, FILE *out)
{
	size_t told = 0;

	for (size_t i = 0; i < ops->stage[0].n && told < TOLD_OPS; i++, told++)
		op_text(&ops->stage[0].items[i], t->name, out);
	for (size_t i = 0; i < ops->stage[1].n && told < TOLD_OPS; i++) {
		if (!is_unexpected(t, &ops->stage[1].items[i]))
			continue;
		op_text(&ops->stage[1].items[i], t->name, out);
		told++;
	}
}

static void log_repair(const struct table *t, const struct ops *ops, long n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	ops_tell(t, ops, out);
	fclose(out);
	for (char *p = text; *p; p++) {
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	}
	log_warn("engine", "table %s was changed by somebody else; %ld operations repair it: %s%s",
		 t->name, n, text, n > TOLD_OPS ? "; ..." : "");
	free(text);
}

void table_lose_counts(struct table *t)
{
	struct changes shut = { 0 };
	struct ops ignored;

	ops_init(&ignored);
	plan_shut_gates(t->plan, &shut);
	plan_change(t->plan, &shut, &ignored);
	plan_commit(t->plan);
	ops_fini(&ignored);
	changes_fini(&shut);
}

/* Would a gate begin to count with nothing, while connections live that it let through? */
static bool has_lost_counts(const struct ops *ops)
{
	for (size_t i = 0; i < ops->stage[0].n; i++) {
		const struct op *op = &ops->stage[0].items[i];
		struct gate gate;

		if ((op->kind == OP_ADD_CHAIN || op->kind == OP_SET_CHAIN) &&
		    gate_parse(op->chain->name, &gate) == 0 && gate.max > 0)
			return true;
	}
	return false;
}

/* What was found, with the gates shut. */
static int compare_anew(struct table *t, struct ops *ops, struct err *err)
{
	table_lose_counts(t);
	ops_fini(ops);
	ops_init(ops);
	return table_compare(t, ops, err);
}

long table_verify(struct table *t, struct err *err)
{
	struct ops ops;
	long n = 0;
	int code;

	ops_init(&ops);
	code = table_compare(t, &ops, err);
	if (code == 0) {
		n = count_unexpected(t, &ops);
		if (n > 0 && !t->is_flushed)
			log_repair(t, &ops, n);
		if (has_lost_counts(&ops))
			code = compare_anew(t, &ops, err);
	}
	if (code == 0)
		code = table_send_compared(t, &ops, err);
	if (code == 0) {
		t->drift_repaired += t->is_flushed ? 0 : (uint64_t)n;
		t->is_flushed = false;
	}
	ops_fini(&ops);
	return code < 0 ? code : n;
}

long table_watch(struct table *t, struct err *err)
{
	int changed;

	/* Nobody else can change a table that this socket owns. */
	if (t->is_flushed || nft_is_owner(t->nft) || clock_mono_ms() < t->watch_after_ms)
		return 0;
	changed = nft_changed_elsewhere(t->nft);
	if (changed < 0)
		return err_add(err, ERR_KERNEL, changed, NULL,
			       "the ruleset's generation cannot be read: %s", strerror(-changed));
	return changed ? table_verify(t, err) : 0;
}

/* The first commit into an empty table, without reading or comparing anything. */
static long start_cold(struct table *t, const struct changes *initial, struct err *err)
{
	struct image none, base;
	struct ops ops;
	long n;
	int code;

	image_init(&none);
	image_init(&base);
	ops_init(&ops);
	image_add_base(&base);
	image_sort(&base);
	image_diff(&none, &base, &ops);
	image_fini(&none);
	image_fini(&base);
	plan_change(t->plan, initial, &ops);
	n = (long)ops.stage[0].n;
	code = table_send(t, &ops.stage[0], err);
	if (code < 0)
		plan_abort(t->plan);
	else
		plan_commit(t->plan);
	ops_fini(&ops);
	return code < 0 ? code : n;
}

static bool has_services(const struct image *have)
{
	for (size_t i = 0; i < have->n_elems; i++) {
		if (have->elems[i].map.kind == MAP_SERVICES)
			return true;
	}
	return false;
}

/* The kernel goes on with what an earlier fnatd left there: keep all of it that still fits. */
static long start_warm(struct table *t, const struct changes *initial, struct image *have,
		       struct err *err)
{
	struct image want;
	struct ops ops;
	long n;
	int code;

	if (initial->n == 0 && has_services(have) && t->is_unconfigured)
		return err_add(err, ERR_CONFLICT, -ENODATA, NULL,
			       "there is no configuration, but table %s holds services, which are "
			       "left alone: give --config FILE, or remove the table with --flush",
			       t->name);
	if (initial->n == 0 && has_services(have))
		log_warn("engine",
			 "the configuration is empty: the services that table %s holds "
			 "are removed",
			 t->name);
	image_init(&want);
	ops_init(&ops);
	plan_hint(t->plan, have);
	plan_change(t->plan, initial, &ops);
	plan_commit(t->plan);
	ops_fini(&ops);
	ops_init(&ops);
	plan_image(t->plan, &want);
	nft_match_chains(t->nft, &want, have);
	image_diff(have, &want, &ops);
	image_fini(&want);
	image_fini(have);
	image_init(have);
	n = count_unexpected(t, &ops);
	code = table_send_compared(t, &ops, err);
	ops_fini(&ops);
	forget_note(t->forget, initial, clock_mono_ms());
	return code < 0 ? code : n;
}

long table_start(struct table *t, const struct changes *initial, struct err *err)
{
	struct image have;
	long n;

	image_init(&have);
	n = nft_read(t->nft, NULL, &have, err);
	if (n == 0) {
		if (have.n_maps + have.n_chains + have.n_elems == 0)
			n = start_cold(t, initial, err);
		else
			n = start_warm(t, initial, &have, err);
	}
	image_fini(&have);
	return n;
}
