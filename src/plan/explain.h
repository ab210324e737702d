/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ruleset decides about the first packet of a connection, computed as the kernel would:
 * the same hashes over the same bytes (kernel/nft_rule.c says which), the same tables. Pure.
 */
#ifndef FNAT_PLAN_EXPLAIN_H
#define FNAT_PLAN_EXPLAIN_H

#include "plan/program.h"

/* Both addresses of one family. */
struct packet {
	struct addr saddr, daddr;
	uint16_t sport, dport;
	uint8_t protocol;
};

enum verdict {
	VERDICT_NOBODY,  /* nobody listens there: fnat leaves the packet alone */
	VERDICT_REFUSED, /* no backend takes connections: reset, or ICMP port unreachable */
	VERDICT_DROPPED, /* the same, and the service's refusal is to drop */
	VERDICT_BACKEND, /* that backend */
	VERDICT_ONE_OF,  /* one of several, by chance or in turn */
};

/* What decides about the backend. */
enum explained_by {
	BY_SCHEDULER,
	BY_PIN,         /* the client is pinned to it */
	BY_PERSISTENCE, /* the service remembers the client */
};

/* A backend that the packet may get. */
struct chance {
	char *name; /* owned */
	struct addr address;
	uint16_t port;
	uint32_t slots; /* of the table, that are its own; a client that is known may find none */
};

struct explanation {
	enum verdict verdict;
	char *service; /* owned; NULL with VERDICT_NOBODY, and then all below is zero */
	struct program program;
	enum explained_by by;
	bool has_slot;          /* which one is known; BY_SCHEDULER only */
	uint32_t slot;          /* of program.size */
	struct chance *chances; /* by name; owned */
	size_t n_chances;
	/* Whence it goes on. Not with VERDICT_REFUSED and VERDICT_DROPPED: family AF_UNSPEC. */
	char *pool; /* owned */
	struct addr local;
	uint32_t local_index, n_locals; /* its place in the pool, of so many of the family */
	bool is_detour; /* not the client's usual one, which has no ports left for the backend */
	uint16_t local_port; /* the client's own, if that is free; 0: one that is free */
};

void explanation_fini(struct explanation *e);

/* "nobody", "refused", ... Static. */
const char *verdict_name(enum verdict v);
/* "scheduler", "pin", "persistence". Static. */
const char *explained_by_name(enum explained_by by);

/* The slot that a program which hashes (program_hashes()) looks up. */
uint32_t explain_slot(const struct program *p, const struct packet *packet);
/* The place in a pool of n addresses. */
uint32_t explain_local(uint32_t n, const struct packet *packet);

#endif
