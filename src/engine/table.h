/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table as the kernel writer keeps it: the plan, what the kernel has, and
 * the garbage of earlier changes, in step with each other. Used by one thread;
 * every function may block on netlink.
 */
#ifndef FNAT_ENGINE_TABLE_H
#define FNAT_ENGINE_TABLE_H

#include "engine/entries.h"
#include "engine/gates.h"
#include "engine/job.h"

struct table;

/* Opens the sockets in the calling thread's network namespace; see nft_open(). */
int table_open(const struct engine_options *opt, struct table **out, struct err *err);
/* The table stays in the kernel. */
void table_close(struct table *t);

/* The first model. Takes over what the kernel has and changes what differs: number of operations.
 */
long table_start(struct table *t, const struct changes *initial, struct err *err);

/* One batch: all of it is in the kernel, or nothing (negative) and nothing has changed. */
long table_commit(struct table *t, const struct changes *c, struct err *err);

/* What table_commit() would send. */
void table_dry_run(struct table *t, const struct changes *c, struct ops *out);

/* Read the kernel and repair what differs: number of operations. Undoes table_flush(). */
long table_verify(struct table *t, struct err *err);
/* The same if somebody else has changed the ruleset, and not too often. */
long table_watch(struct table *t, struct err *err);

/* Remove the table from the kernel; the plan stays, and the next commit or verify restores it. */
int table_flush(struct table *t, struct err *err);

/* As `nft list table` would print it. The caller frees *text. */
int table_text(struct table *t, char **text, size_t *len, struct err *err);

struct placement *table_placements(const struct table *t, const char *service, size_t *n);
void table_explain(const struct table *t, const struct packet *packet, struct explanation *out);

/* What a service remembers of its clients: see entries_find(). */
long table_entries(struct table *t, const char *service, const struct entries_filter *filter,
		   bool is_delete, struct entries *out, struct err *err);

/* Services of the plan that have a number. */
void table_owned(const struct table *t, struct owned_services *out);

/* gates.c. Those that the kernel has, before table_start(); and those of services of the plan. */
int table_found_gates(struct table *t, struct gate_reports *out, struct err *err);
void table_gates(struct table *t, const struct gates_asked *of, struct gate_reports *out);

/*
 * Garbage, and entries to be looked through: milliseconds until some is due (0 now, -1 there is
 * none), and its removal. table_collect(): was there any? A failure is logged and repaired.
 */
int table_garbage_wait_ms(const struct table *t);
bool table_garbage_is_overdue(const struct table *t);
bool table_collect(struct table *t);
/* Waits for what is not due yet, too. */
void table_collect_all(struct table *t);

/* Listeners that operations since the last call have added; the caller frees the array. */
struct listener *table_take_appeared(struct table *t, size_t *n);

void table_report(const struct table *t, struct report *out);

#endif
