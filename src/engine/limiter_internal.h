/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the limiter's files only. */
#ifndef FNAT_ENGINE_LIMITER_INTERNAL_H
#define FNAT_ENGINE_LIMITER_INTERNAL_H

#include "base/mem.h"
#include "engine/gates.h"
#include "engine/limiter.h"
#include "plan/renewal.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

/* A backend, with a limit or without. */
struct watched {
	struct limiter_status status;  /* but for open */
	struct admission admission;    /* of one with a gate */
	uint64_t mark;                 /* when what was told last is in the kernel */
	struct nft_gate_counts counts; /* of the gate of this epoch */
	struct renewal renewal;
	/* When the gate was opened, and connections then, as far as was told. */
	uint64_t opened_ms, begun;
};

struct limited {
	UT_hash_handle hh;
	const struct service *config; /* a reference; its name is the key */
	struct watched *items;        /* one for each of its backends, in their order */
	bool has_gates, has_tokens;
};

struct limiter {
	struct engine *engine;
	struct observer *observer;
	struct event *tick;
	struct limited *services;
	uint64_t looked_ms;
	/* Living connections are being counted, for gates to be opened. */
	bool is_counting;
	uint64_t count_begun_ms, counted_ms, count_took_ms;
	bool is_hurrying; /* since tokens became due: the next tick is soon */
	/* Gates are being asked what they turned away, and let through. */
	bool is_asking;
	char *asked_last; /* name of a service: the next ones follow */
};

struct limited *limited_find(const struct limiter *l, const char *name);

/* limiter_ask.c */

/* What its gate has turned away goes into the statistics. */
void limiter_overflowed(struct limiter *l, const struct limited *s, const struct backend *b);
/* Gates where tokens are due, then the others in turn, are asked what they counted. Nothing happens
 * while the answer to the last question is on its way. */
void limiter_ask_due(struct limiter *l);
void limiter_ask(struct limiter *l);

#endif
