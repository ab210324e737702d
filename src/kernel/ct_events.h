/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conntrack's events about FULLNATed connections, read by a thread of its own that does nothing
 * else, and handed on in batches of plain values.
 *
 * What is delivered: DESTROY always, with the final counters, and what helpers announce; NEW and
 * UPDATE when asked for. Each
 * event costs the data plane the making of a message (about 1 us of the softirq's CPU) at the
 * moment it happens: a short TCP connection makes one NEW, about five UPDATE and one DESTROY.
 * Events of connections that do not carry both address translations are dropped by a BPF program in
 * the kernel before they take room in the buffer; see KERNEL in the .c.
 */
#ifndef FNAT_KERNEL_CT_EVENTS_H
#define FNAT_KERNEL_CT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "stats/flow.h"

/* What the kernel may hold for fnatd: one DESTROY takes 1,280 bytes (6.18). */
#define CT_EVENTS_BUFFER_MIB_DEFAULT 512
#define CT_EVENTS_BUFFER_MIB_MAX     1023 /* the kernel doubles a 32-bit number */

/* Kinds of events beside DESTROY; and whether who asks wants to know at once, and not of those of
 * some milliseconds together, which costs half as much. */
enum ct_events_group { CT_EVENTS_NEW = 1, CT_EVENTS_UPDATE = 2, CT_EVENTS_AT_ONCE = 4 };

struct ct_events_options {
	size_t buffer_bytes; /* SO_RCVBUFFORCE, or SO_RCVBUF where that is refused */
	bool is_reliable;    /* the kernel keeps what does not fit, and slows down for it */
};

/* Since the start; a value that travels with each batch. */
struct ct_events_report {
	uint64_t n_events;     /* read and understood */
	uint64_t n_lost;       /* messages the kernel could not deliver and did not keep */
	uint64_t n_overruns;   /* times that began */
	uint64_t n_unreadable; /* not understood, or longer than any is */
	uint64_t n_batches;
	uint64_t n_stalls;   /* times the reader waited because its batches were not given back */
	size_t buffer_bytes; /* what the kernel granted */
	size_t backlog_bytes, backlog_max_bytes; /* waiting in the kernel at the last look */
	bool is_reliable;                        /* now */
	uint64_t n_given_up; /* times reliable delivery was given up for a backlog that lasted */
};

#define CT_BATCH_FLOWS 256

enum ct_batch_kind {
	CT_BATCH_EVENTS,  /* flows; none when it was only asked for */
	CT_BATCH_BARRIER, /* all that was waiting when the barrier was asked for came before this */
	CT_BATCH_LISTED,  /* flows, of a dump (not of this module) */
	CT_BATCH_END,     /* the dump is over (not of this module) */
};

/* Owned by whoever has it. Event batches go back with ct_events_return(), others are freed. */
struct ct_batch {
	enum ct_batch_kind kind;
	uint64_t number;                /* of the barrier, or the dump */
	uint64_t read_ns;               /* CLOCK_MONOTONIC when it was read from the kernel */
	int code;                       /* CT_BATCH_END: 0 or a negative errno */
	struct ct_events_report report; /* CT_BATCH_EVENTS and CT_BATCH_BARRIER */
	size_t n;
	struct flow flows[CT_BATCH_FLOWS];
};

struct ct_events;

/*
 * Opens the socket in the calling thread's network namespace and starts the thread. Batches go to
 * `out` (borrowed). No more than a few dozen are under way at a time: when the receiver is slow the
 * kernel's buffer fills, not memory.
 */
int ct_events_open(const struct ct_events_options *opt, struct mailbox *out, struct ct_events **e,
		   struct err *err);
/* Ends the thread. Batches that are in `out` or elsewhere stay the receiver's, to be freed. */
void ct_events_close(struct ct_events *e);

/* Any thread. */
void ct_events_return(struct ct_events *e, struct ct_batch *batch);
/* Ask for these kinds (bits of enum ct_events_group) beside DESTROY from now on. */
void ct_events_want(struct ct_events *e, unsigned int groups);
/* A CT_BATCH_EVENTS comes when what waits now was read, with nothing in it if need be: all that
 * was told until its read_ns came before it or is in it. */
void ct_events_ask(struct ct_events *e);
/* A CT_BATCH_BARRIER of this number comes when what waits now was read. */
void ct_events_barrier(struct ct_events *e, uint64_t number);

#endif
