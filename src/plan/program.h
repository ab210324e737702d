/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs and rules: the fixed part of the ruleset as values. A rule is one
 * of a dozen kinds with a few parameters; program_text.c prints it as nft
 * would, kernel/nft_rule.c encodes it for the kernel. Nothing else knows what a rule is
 * made of.
 */
#ifndef FNAT_PLAN_PROGRAM_H
#define FNAT_PLAN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/model.h"

/* Name of a chain or a map, with the final NUL ("pool-" + name + "4"). */
#define NFT_NAME_BYTES 128
/* The same of those that rules name: no program is. */
#define RULE_NAME_BYTES 72

enum program_kind {
	PROGRAM_REFUSE, /* no slots: REFUSAL_REJECT; chain "refuse" */
	PROGRAM_DROP,   /* no slots: REFUSAL_DROP; chain "discard" */
	PROGRAM_RR,     /* numgen inc: a lane each */
	PROGRAM_RANDOM, /* numgen random */
	PROGRAM_SH,     /* jhash of the client, fixed seed */
	PROGRAM_MH,     /* the same over a larger table: Maglev */
	PROGRAM_FULL,   /* no slots, of one service: counts, and ends as the first two */
};

/* What a program does beyond looking up a slot. Each of these is about one service, its own. */
enum program_option {
	PROGRAM_STICKY = 1,     /* looks up first what is remembered of the client */
	PROGRAM_KEEPS_PORT = 2, /* what is remembered, and pins, hold an address without a port */
	PROGRAM_GATES = 4,      /* slots lead to gates, some of which count */
	PROGRAM_OVERFLOWS = 8,  /* who comes is counted: those that it was for have no room */
};

/* A program's identity; a chain's name says the same: "rr4-3-17", "random4-10", "random4-10-1",
 * "sh6-251", "mh4-32749-p24-port", "rr4-3-17-udp5", "rr4-3-17-own5-sticky-mask24-pin32",
 * "full-own5". */
struct program {
	uint8_t kind;    /* enum program_kind */
	uint8_t family;  /* AF_INET, AF_INET6; AF_UNSPEC for refuse and drop */
	uint8_t refusal; /* enum refusal: what it ends in. "-drop" is appended to the name for
			    REFUSAL_DROP */
	uint16_t lane;   /* PROGRAM_RR: 0 ... lanes - 1; others: number of the map */
	uint32_t size;   /* slots */
	uint8_t key;     /* PROGRAM_SH, _MH: enum hash_key; else 0 */
	uint8_t prefix;  /* PROGRAM_SH, _MH: bits of the client's address that count; 0: all */
	/* Seconds that a UDP flow is remembered, plus 1: PROGRAM_UDP_TIMEOUT(); 0: as the kernel
	 * does. */
	uint16_t udp_timeout;
	uint8_t options; /* enum program_option */
	uint16_t own; /* number of the service that has it alone, unless no option needs one: 0 */
	uint8_t sticky_prefix; /* bits of the client's address that are remembered; 0: all */
	uint8_t sticky_bits;   /* 2 to the power of this entries; 0: as many as the kernel likes */
	/* Lengths of the prefixes that have pinned clients, longest first; 0: no more. */
	uint8_t pins[PIN_LENGTHS_MAX];
	uint32_t max_all;    /* connections of the service; 0: any number */
	uint32_t max_client; /* of each client; likewise */
	uint8_t overflow; /* PROGRAM_GATES: slots behind the others, tried when those were full */
};

#define PROGRAM_UDP_TIMEOUT(seconds) ((uint16_t)((seconds) + 1))

/* Slots that are tried before those: one that the scheduler chooses, and others. */
#define PROGRAM_GATE_TRIES   4
#define PROGRAM_OVERFLOW_MAX 16

/* All slots. */
static inline uint32_t program_n_slots(const struct program *p)
{
	return p->size + p->overflow;
}

/*
 * A backend of a service with exact limits: a chain that counts the connections that it lets
 * through to it. Without padding. "gate4-0a01000b-8080-own5-max100-room37-e3",
 * "gate4-0a01000b-8080-own5-max1000-tokens969-room31-e1"
 */
struct gate {
	struct addr to;
	uint8_t zero;
	uint16_t port;   /* 0: the listener's */
	uint16_t own;    /* number of the service */
	uint16_t epoch;  /* 0 to 65535: which count it is */
	uint32_t max;    /* 0: it does not count */
	uint32_t tokens; /* so many are let through once, and then ... */
	uint32_t room;   /* so many at a time */
};

bool gate_equal(const struct gate *a, const struct gate *b);
/* Returns buf. */
const char *gate_name(const struct gate *g, char buf[NFT_NAME_BYTES]);
/* 0 or -EINVAL: not a gate's name. */
int gate_parse(const char *name, struct gate *out);

/* The bytes of a mask with that many bits set; the rest of them 0. */
void prefix_mask(uint8_t bits, uint8_t mask[16]);

/* Does the program hash the client? */
static inline bool program_hashes(const struct program *p)
{
	return p->kind == PROGRAM_SH || p->kind == PROGRAM_MH;
}

bool program_equal(const struct program *a, const struct program *b);
/* Returns buf. */
const char *program_name(const struct program *p, char buf[NFT_NAME_BYTES]);
/* 0 or -EINVAL: not a program's name. */
int program_parse(const char *name, struct program *out);

/*
 * Maps and sets. Slots are sharded by program, because adding an element costs time for
 * each rule that looks the map up: the shard follows from the program alone.
 */
enum map_kind {
	MAP_ADDRESSES, /* set addresses4: virtual and local addresses, for the guard chain */
	MAP_SERVICES,  /* map services4: listener -> program */
	MAP_SNAT,      /* map snat4: listener -> pool chain */
	MAP_POOL,      /* map pool-NAME4: index -> local address */
	MAP_SLOTS,     /* map slots4-rr-0: listener . slot -> backend */
	MAP_GATES,     /* map gates4-5: listener . slot -> gate, of service 5 */
	MAP_PINS,      /* map pins4-5-24: client's prefix of 24 bits -> backend, of service 5 */
	MAP_STICKY,  /* map sticky4-5: client -> backend; filled by the kernel, see map_is_dynamic()
		      */
	MAP_DETOUR,  /* map detour-NAME4: backend . part of a local address -> another one */
	MAP_TIMEOUT, /* no map, but made, named by rules and removed as one: object udp-5 */
	MAP_CLIENTS, /* set clients4-5-max10: those with connections to service 5; by the kernel */
	MAP_ALL,     /* set all-5-max1000: one element, that counts all of them; likewise */
	MAP_BEGUN,   /* set begun4-5: backend, with a counter, of service 5; likewise */
	MAP_OVERFLOWED, /* no map either: object overflowed-5, a counter: see program_counts() */
	MAP_FOREIGN,    /* what the kernel has and fnat did not make: only read and deleted */
};

/*
 * pool, borrowed: MAP_POOL and MAP_DETOUR the pool's, MAP_FOREIGN the map's own (map_parse() never
 * says so), else NULL.
 */
struct map_ref {
	uint8_t kind; /* enum map_kind */
	uint8_t family;
	uint8_t program; /* MAP_SLOTS: enum program_kind */
	uint8_t bits;    /* MAP_PINS: of the prefix; MAP_STICKY: program.sticky_bits */
	uint16_t shard;  /* MAP_SLOTS; MAP_GATES, _CLIENTS, _ALL, _BEGUN, _OVERFLOWED, _PINS,
			    _STICKY: program.own; MAP_TIMEOUT: program.udp_timeout */
	uint32_t max;    /* MAP_CLIENTS, MAP_ALL: of program.max_client, program.max_all */
	bool is_address; /* MAP_PINS, MAP_STICKY, MAP_BEGUN: the backend is an address; else an
			    address and a port */
	const char *pool;
};

/* Programs of one slots map: each has two rules that look it up. */
#define PROGRAMS_PER_MAP 32

struct map_ref program_slots_map(const struct program *p);
/* Of a program that is sticky. */
struct map_ref program_sticky_map(const struct program *p);
/* Of a program with pins of that length. */
struct map_ref program_pins_map(const struct program *p, uint8_t bits);
/* Of a program with a timeout. */
struct map_ref program_timeout(const struct program *p);
/* Sets that count the connections of a client, and of a service; of a program that has such. */
struct map_ref program_clients_set(const struct program *p);
struct map_ref program_all_set(const struct program *p);
/* The set that counts what began, of a service: own, family, and PROGRAM_KEEPS_PORT say which. */
struct map_ref program_begun_set(const struct program *p);
/*
 * Connections that met a limit, each once, and not one packet of others: those whose backend was
 * full (they come to the second gate), those that a limit of the service or of the client turns
 * away, and all that come to a program of PROGRAM_OVERFLOWS or PROGRAM_FULL.
 */
bool program_counts(const struct program *p);
/* Of a program that does. */
struct map_ref program_overflowed(const struct program *p);
/* All maps that the program's chain looks up: returns how many. */
#define PROGRAM_MAPS_MAX (6 + PIN_LENGTHS_MAX)
size_t program_maps(const struct program *p, struct map_ref out[PROGRAM_MAPS_MAX]);

/* Entries that a dynamic map holds at most. */
uint32_t map_size(const struct map_ref *m);

/* Are the map's elements the kernel's own affair? They are never part of an image. */
static inline bool map_is_dynamic(const struct map_ref *m)
{
	return m->kind == MAP_STICKY || m->kind == MAP_CLIENTS || m->kind == MAP_ALL ||
	       m->kind == MAP_BEGUN;
}

/* Is it a map, or a set, at all? */
static inline bool map_has_elements(const struct map_ref *m)
{
	return m->kind != MAP_TIMEOUT && m->kind != MAP_OVERFLOWED;
}

int map_cmp(const struct map_ref *a, const struct map_ref *b);
const char *map_name(const struct map_ref *m, char buf[NFT_NAME_BYTES]);
/* 0 or -EINVAL. The name of a pool is copied to pool, and *out points there. */
int map_parse(const char *name, struct map_ref *out, char pool[NFT_NAME_BYTES]);

enum rule_kind {
	RULE_JUMP_DISPATCH, /* jump dispatch */
	RULE_DISPATCH,      /* [family] ip daddr . meta l4proto . th dport vmap @services4 */
	RULE_SNAT_DISPATCH, /* [family] ct status dnat ct original ip daddr . meta l4proto . ct
			       original proto-dst vmap @snat4 */
	RULE_GUARD,         /* [family] ct state invalid ip daddr @addresses4 drop */
	RULE_ONLY_SYN,      /* [chain] tcp flags != syn / fin,syn,rst,ack goto refuse */
	RULE_TIMEOUT,       /* [program] ct timeout set "udp-5" */
	RULE_DNAT,          /* [program] dnat ip to ip daddr . meta l4proto . th dport . SLOT map
			       @slots4-rr-0 */
	RULE_MAX_CLIENT, /* [program, chain] update @clients4-5-max10 { ip saddr ct count over 10 }
			    counter name "overflowed-5" goto refuse */
	RULE_MAX_ALL,    /* [program, chain] update @all-5-max1000 { numgen inc mod 1 ct count over
			    1000 } counter name "overflowed-5" goto refuse */
	RULE_OVERFLOWED, /* [program] counter name "overflowed-5" */
	RULE_GATE, /* [program, size: try] ip daddr . meta l4proto . th dport . SLOT vmap @gates4-5;
		      the first slot is the program's, then random ones (in turn, of a program that
		      goes round), at last one of those for overflow */
	RULE_TOKENS,   /* [size: tokens, to, port] meta nfproto ipv4 numgen inc mod 4294967295 < 969
			  numgen inc mod 4294967295 < 969 counter dnat ip to 10.1.0.11:8080 */
	RULE_COUNT,    /* [size: room] ct count over 37 counter return */
	RULE_DNAT_TO,  /* [to, port] meta nfproto ipv4 dnat ip to 10.1.0.11:8080 */
	RULE_PIN,      /* [program, size: bits] dnat ip to ip saddr & MASK map @pins4-5-24 */
	RULE_STICKY,   /* [program] dnat ip to ip saddr & MASK map @sticky4-5 */
	RULE_REMEMBER, /* [program, size: seconds] update @sticky4-5 { ip saddr & MASK
			  timeout 5m : ip daddr . th dport } */
	RULE_BEGUN,    /* [program] update @begun4-5 { ip daddr . th dport counter } */
	RULE_SNAT,     /* [family, map, size, ports] snat ip to jhash ip saddr . th sport mod SIZE
			  seed ... map @pool-lan4:1024-65535 */
	RULE_DETOUR,   /* [family, map, size, ports] snat ip to ip daddr . meta l4proto . th dport
			  . jhash ip saddr . th sport mod SIZE seed ... map
			  @detour-lan4:1024-65535 */
	RULE_GOTO,     /* [chain] */
	RULE_REJECT_TCP, /* meta l4proto tcp reject with tcp reset */
	RULE_REJECT,     /* reject with icmpx port-unreachable */
	RULE_DROP,       /* drop */
	RULE_FOREIGN,    /* what the kernel has and fnat did not write */
};

struct rule {
	uint8_t kind; /* enum rule_kind */
	uint8_t family;
	uint16_t port_min, port_max; /* RULE_SNAT, _DETOUR: ports a client's port may become; its
					own where it is free */
	uint32_t size; /* RULE_GATE: which try; RULE_TOKENS, _COUNT: how many; RULE_SNAT: number of
			  addresses, RULE_DETOUR: of their parts; RULE_PIN: bits; RULE_REMEMBER:
			  seconds */
	struct program program;     /* RULE_DNAT, _GATE, _MAX_CLIENT, _MAX_ALL, _OVERFLOWED,
				       _TIMEOUT, _PIN, _STICKY, _REMEMBER, _BEGUN */
	struct addr to;             /* RULE_DNAT_TO, _TOKENS */
	uint16_t port;              /* RULE_DNAT_TO, _TOKENS: 0 keeps it */
	char name[RULE_NAME_BYTES]; /* chain (RULE_GOTO, RULE_ONLY_SYN) or map (RULE_SNAT, _DETOUR)
				     */
};

/* jhash seed of sh and mh: published, so that a restart and another balancer hash alike. */
#define HASH_SEED 0x666e6174u

/*
 * Of the local address: published likewise, so that another balancer gives a client that comes
 * again the same one (its old tuple, with its own timestamps), and that it can be told beforehand
 * (plan/explain.h). Not the one above, or a backend of sh would see only some of the addresses.
 */
#define SNAT_SEED 0x6c616472u

/*
 * Detours split each local address's share of the clients in so many parts, which go to others:
 * so what one cannot take any more does not fill up the next.
 */
#define DETOUR_PARTS 8

/*
 * Of the counters of RULE_TOKENS, the largest that the kernel takes. The first one is at zero again
 * after so many packets, and lets the next ones pass to the second: that one counts those only.
 */
#define TOKENS_MODULUS UINT32_MAX

enum chain_hook {
	HOOK_NONE,
	HOOK_NAT_PREROUTING,
	HOOK_NAT_OUTPUT,
	HOOK_NAT_POSTROUTING,
	HOOK_GUARD_INPUT,
	HOOK_GUARD_FORWARD
};

#define CHAIN_RULES_MAX 16

struct chain {
	char name[NFT_NAME_BYTES];
	uint8_t hook; /* enum chain_hook */
	uint8_t n_rules;
	struct rule rules[CHAIN_RULES_MAX];
};

/* The map that a rule looks up; false when it looks up none, or a fixed one. *out may borrow from
 * pool. */
bool rule_map(const struct rule *r, struct map_ref *out, char pool[NFT_NAME_BYTES]);
/* That one, and the counter that a rule with a map may have: how many. */
#define RULE_MAPS_MAX 2
size_t rule_maps(const struct rule *r, struct map_ref out[RULE_MAPS_MAX],
		 char pool[NFT_NAME_BYTES]);

bool chain_equal(const struct chain *a, const struct chain *b);

/* Where a packet ends that finds no backend: "refuse" or "discard". Static. */
const char *refusal_chain(uint8_t refusal);
/* The chain of a program. */
void program_chain(const struct program *p, struct chain *out);
void gate_chain(const struct gate *g, struct chain *out);
/* The chain of a pool: "pool-NAME". */
void pool_chain(const struct pool *pool, struct chain *out);
/* Has the pool detours in that family? Then there is a MAP_DETOUR. */
bool pool_has_detours(const struct pool *pool, uint8_t family);
/*
 * The chain between postrouting and the pool's, for what is done with each new connection of a
 * service: a sticky one remembers its client, and it may be counted. "new-5". remember, count: the
 * program of each family for which that is done, or NULL.
 */
struct new_rules {
	const struct program *remember[2], *count[2];
	uint32_t timeout_s; /* of what is remembered */
};
void new_chain(const struct new_rules *rules, uint16_t own, const char *pool, struct chain *out);
const char *new_chain_name(uint16_t own, char buf[NFT_NAME_BYTES]);
/* Do chains other than the fixed ones name it? Then it comes before them, and goes after them. */
bool chain_is_leaf(const char *name);
/* The fixed chains, i from 0, in the order in which they can be created; false after the last. */
bool base_chain(size_t i, struct chain *out);
/* The fixed maps, likewise. */
bool base_map(size_t i, struct map_ref *out);

/* As `nft list` prints it, without indentation and newline, into out. */
void rule_text(const struct rule *r, FILE *out);
/* "type nat hook prerouting priority dstnat; policy accept;" or NULL for a chain without hook.
 * Static. */
const char *hook_text(uint8_t hook);
/* The line that declares the map's type: "type ipv4_addr . inet_proto . inet_service : verdict".
 * Static. */
const char *map_type_text(const struct map_ref *m);

#endif
