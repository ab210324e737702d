/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator wants: services and pools as plain values.
 *
 * A service or a pool never changes once made: a change makes a new one. They
 * are reference counted (atomically, so that any thread may hold one), and the
 * model is an index of the current ones with what is needed to check a change
 * in time that does not depend on how many services there are.
 *
 * Limits are constants here; errors are rendered from them, and the manual and api/openapi.yaml
 * are checked against them.
 */
#ifndef FNAT_MODEL_MODEL_H
#define FNAT_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/persistence.h"
#include "model/service_check.h"

/* Names: a letter or digit, then letters, digits, '.', '_', '-'. They stand in nft comments
 * ("web/a") and chain names. */
#define MODEL_NAME_MAX           60
#define MODEL_WEIGHT_MAX         65535 /* as in IPVS (ipvsadm(8)) */
#define MODEL_WEIGHT_DEFAULT     1
#define MODEL_LISTENERS_MAX      1024  /* a service */
#define MODEL_BACKENDS_MAX       4096  /* a service */
#define MODEL_POOL_ADDRESSES_MAX 65536 /* a pool, per family */
#define MODEL_POOLS_MAX          1024

/* The schedulers a service may name: canonical static strings, i from 0, NULL after the last.
 * plan/scheduler.h has one row for each. */
const char *scheduler_name(size_t i);
/* The words for it in JSON; NULL when there is no such state. */
const char *backend_state_name(size_t state);
/* "exact". Static; NULL past the last one. */
const char *limit_name(size_t limit);
/* The canonical string equal to name, or NULL. */
const char *scheduler_canonical(const char *name);
/* Does the scheduler hash the client (struct hash)? */
bool scheduler_hashes(const char *name);
/* Does it follow the number of connections that backends have? */
bool scheduler_counts(const char *name);
#define SCHEDULER_DEFAULT "wrr"

/* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP by name; NULL / 0 when unknown. */
const char *protocol_name(uint8_t protocol);
uint8_t protocol_parse(const char *name);

/* Room for the name of a network interface (IFNAMSIZ, net/if.h). */
#define INTERFACE_NAME_BYTES 16

struct listener {
	struct addr address;
	uint16_t port;
	uint8_t protocol;
	uint8_t interface; /* number in the service's interfaces, from 1; 0: none. No part of what a
			      listener is. */
};

/* Order by address, protocol, port. */
int listener_cmp(const struct listener *a, const struct listener *b);

/* "192.0.2.10:80/tcp", "[2001:db8::1]:80/tcp". Returns buf. */
#define LISTENER_STRLEN (ADDR_STRLEN + 16)
const char *listener_format(const struct listener *l, char buf[LISTENER_STRLEN]);

/* What the operator says of a backend. Without new connections are all but the first. */
enum backend_state {
	BACKEND_ENABLED,  /* the default */
	BACKEND_DRAINING, /* keeps the connections it has */
	BACKEND_DISABLED, /* as if it were removed: "on_remove" */
};

/* What becomes of clients that are remembered for a backend, or pinned to it. */
enum backend_known {
	KNOWN_BY_WEIGHT, /* they stay if it has weight, or where persistence keeps them */
	KNOWN_STAY,      /* whatever its weight is: it has as many connections as it may, say */
	KNOWN_LEAVE,     /* it is down, say */
};

#define UDP_TIMEOUT_MAX_S 43200

#define CONTROL_PRIORITY_MAX 255

#define MODEL_CONNECTIONS_MAX 10000000

struct backend {
	char *name;
	struct addr address;
	uint16_t port;    /* 0: the listener's port */
	uint32_t weight;  /* 0: no new connections */
	uint8_t state;    /* enum backend_state */
	uint8_t priority; /* tier: one is in use while the lower ones have nobody; 0 is the first */
	bool is_sorry;    /* in use while no other backend is */
	uint8_t known;    /* enum backend_known; never configured */
	uint32_t max_connections; /* it is full with so many; 0: never */
	uint32_t min_connections; /* and so until it has fewer than these; 0: 3/4 of the others */
	/* Never configured, see plan/effective.h: what the kernel is to admit. */
	uint32_t gate_of; /* the max_connections that this follows from; 0: all of what it is now */
	uint32_t room;    /* so many more than there were when it began to count */
	uint32_t tokens;  /* and so many before it counts, see plan/tokens.h */
	uint16_t epoch;   /* which count it is */
	bool is_shut;     /* it does not count now */
	bool is_overflow; /* tried when others are full: a sorry backend */
};

/* Who sees to it that a backend has no more than max_connections. */
enum limit {
	LIMIT_AUTO,   /* as service_limit() says: the default */
	LIMIT_EXACT,  /* the kernel, which counts each: never one more */
	LIMIT_BUDGET, /* the kernel, which lets through as many as fnatd has said: likewise */
	LIMIT_FAST,   /* fnatd, which takes the backend out of use */
};

/*
 * Up to so many connections together the backends of a service are limited exactly unless somebody
 * says otherwise. The kernel walks the living connections of a backend at the first new one of each
 * tick (6.18: 0.3 us each, 250 times a second): 1,000 take 8 % of a core at most, 10,000 all of it.
 */
#define LIMIT_EXACT_ADVISED 1000

/* What a client gets when no backend can take its connection. */
enum refusal {
	REFUSAL_REJECT, /* TCP reset, else ICMP port unreachable: the default */
	REFUSAL_DROP,   /* nothing */
};

/* What of a connection is hashed, for schedulers that do. */
enum hash_key {
	HASH_SOURCE,      /* the client's address: the default */
	HASH_SOURCE_PORT, /* and its port (IPVS: sh-port, mh-port) */
	HASH_FIVE_TUPLE,  /* addresses, ports and protocol */
};

#define HASH_PREFIX4_MAX 32
#define HASH_PREFIX6_MAX 128

struct hash {
	enum hash_key key;
	uint8_t prefix4, prefix6; /* bits of the client's address that count */
	uint32_t table_size; /* of mh: one of hash_table_size(); 0: by the number of backends */
};

/* Sizes that a table of mh may have: the primes of IPVS, ascending; 0 after the last. */
uint32_t hash_table_size(size_t i);

/* What to do when health says that every backend is down. */
enum all_down {
	ALL_DOWN_CLOSED, /* believe it: the default */
	ALL_DOWN_OPEN,   /* doubt it, and use them all */
};

/* What becomes of TCP connections to a backend that is removed or disabled, or that is down. */
enum on_remove {
	ON_REMOVE_KEEP, /* they go on: the default */
	ON_REMOVE_CUT, /* they are forgotten; what the client sends next is answered with a reset */
};

/* What becomes of connections that are left when a backend has drained for long enough. */
enum on_drain_timeout {
	ON_DRAIN_KEEP, /* they go on: the default */
	ON_DRAIN_CUT,  /* as ON_REMOVE_CUT, UDP as well */
};

#define CONTROL_DRAIN_MAX_S      2678400 /* 31 days */
#define CONTROL_SLOW_START_MAX_S 3600
#define CONTROL_QUORUM_MAX       (MODEL_BACKENDS_MAX * MODEL_WEIGHT_MAX)

/* Which backends are used, as their states change; plan/effective.h carries it out. */
struct control {
	uint32_t quorum; /* weight that must be up, else the sorry backends serve; 0: none */
	uint32_t quorum_hysteresis;
	uint16_t slow_start_s;    /* 0: a backend that comes up has its weight at once */
	uint8_t all_down;         /* enum all_down */
	uint8_t on_remove;        /* enum on_remove */
	uint8_t on_down;          /* enum on_remove */
	uint8_t on_drain_timeout; /* enum on_drain_timeout */
	uint32_t drain_timeout_s; /* a backend drains for so long at most; 0: as long as it takes */
	uint8_t limit;            /* enum limit */
	uint32_t max_connections; /* of the service; 0: any number */
	uint32_t max_connections_per_client; /* likewise */
};

struct service {
	unsigned int refs;
	char *name;
	char *pool;                /* name of the pool */
	const char *scheduler;     /* canonical name, static, known to plan/scheduler.h */
	uint16_t udp_timeout_s;    /* a UDP flow is remembered for so long; 0: as the kernel does */
	bool is_one_packet;        /* ... not at all: each datagram is scheduled by itself */
	bool counts_begun;         /* the kernel counts its connections, too: "count_begun" */
	enum refusal refusal;      /* "on_unavailable": "reject" | "drop" */
	struct hash hash;          /* of no effect with schedulers that do not hash */
	const struct check *check; /* NULL: the backends are not checked; a reference */
	const struct check *agent; /* of type agent, asked beside check; NULL: none; a reference */
	struct persistence persistence;
	struct pin *pins; /* sorted by client */
	size_t n_pins;
	struct listener *listeners; /* in the order of the document */
	size_t n_listeners;
	char (*interfaces)[INTERFACE_NAME_BYTES]; /* that listeners name */
	size_t n_interfaces;
	struct backend *backends; /* sorted by name */
	size_t n_backends;
	struct control control;
	bool has_control;  /* made by service_new(): more than weights decides who is used */
	uint32_t n_slots;  /* never configured: what plan/effective.h wants; 0: by the weights */
	bool overflows[2]; /* likewise, IPv4, IPv6: those who come are for backends without room */
	bool waits[2];     /* likewise: for backends whose connections are being counted */
	char *text;        /* service_text(); never copied */
};

/* Ports that a pool's address may give a client when nothing else is said. */
#define POOL_PORT_MIN 1024
#define POOL_PORT_MAX 65535

/* New connections to a backend that shall not get a local address: its ports run out. */
struct detour {
	struct addr local, backend;
	uint16_t port; /* of the backend */
	uint8_t protocol;
};

struct pool {
	unsigned int refs;
	char *name;
	struct addr_range *ranges; /* in the order of the document, not overlapping */
	size_t n_ranges;
	uint32_t n4, n6;                      /* addresses of each family */
	char interface[INTERFACE_NAME_BYTES]; /* where fnat assigns the addresses; "": it does not
					       */
	struct {
		uint32_t n4, n6; /* addresses of all earlier ranges, for pool_address() */
	} * before;
	uint16_t port_min, port_max; /* of the local addresses; both 0 become the default */
	struct detour *detours;      /* never configured: what engine/detours.h says; sorted */
	size_t n_detours;
};

/*
 * Values on the heap, one reference, one block of memory each: everything `from` points to is
 * copied (but scheduler, which is static), backends are sorted by name, pins by client; refs,
 * has_control, n4, n6 and before of `from` are ignored. Nothing is checked: the JSON readers do
 * that.
 */
const struct service *service_new(const struct service *from);
const struct pool *pool_new(const struct pool *from);

const struct service *service_ref(const struct service *s);
void service_unref(const struct service *s); /* NULL is fine */
const struct pool *pool_ref(const struct pool *p);
void pool_unref(const struct pool *p);

bool service_equal(const struct service *a, const struct service *b);
bool pool_equal(const struct pool *a, const struct pool *b);

/* Backend by name, or NULL. Borrowed. */
const struct backend *service_backend(const struct service *s, const char *name);

/* The interface that a listener's address is to be assigned to, or NULL. Borrowed. */
const char *service_interface(const struct service *s, const struct listener *l);

/* Does the kernel count the connections of some of its backends? */
bool service_has_gates(const struct service *s);
/* May connections come that no backend may take, because of their number? */
bool service_has_limits(const struct service *s);
/* Who sees to the limits of its backends: all but auto. */
enum limit service_limit(const struct service *s);
/* The max_connections of its backends together. */
uint64_t service_max_connections(const struct service *s);

/* Does it listen on an address of this family? */
bool service_listens_on(const struct service *s, uint8_t family);

/* Address number i (0 ... n4 - 1 or n6 - 1) of a family, in the order of the ranges. */
struct addr pool_address(const struct pool *p, uint8_t family, uint32_t i);
/* How many connections a local address can have to one port of a backend. */
static inline uint32_t pool_ports(const struct pool *p)
{
	return (uint32_t)p->port_max - p->port_min + 1;
}

/* By the backend first. */
int detour_cmp(const void *a, const void *b);

/*
 * One object's change. before is NULL when it is new, after is NULL when it
 * goes. The change holds references of its own.
 */
enum object { OBJECT_SERVICE, OBJECT_POOL };
struct change {
	enum object object;
	union {
		struct {
			const struct service *before, *after;
		} service;
		struct {
			const struct pool *before, *after;
		} pool;
	};
};

struct changes_index;

/* All zero when empty. Whoever changes items by hand leaves changes_find() alone. */
struct changes {
	struct change *items;
	size_t n, cap;
	struct changes_index *index; /* private: items by name, once there are many */
};

void changes_fini(struct changes *c);
/* The same change with references of its own. */
struct change change_copy(const struct change *c);
/* Append copies of all of them. */
void changes_copy(const struct changes *from, struct changes *to);
/* The change of this object, or NULL. Borrowed until the list changes. */
const struct change *changes_find(const struct changes *c, enum object object, const char *name);
/* The name of the object that changes. Borrowed. */
const char *change_name(const struct change *c);

struct model;

struct model *model_new(void);
void model_free(struct model *m);
/* Another index of the same objects: what a large change is made current in, beside this one. */
struct model *model_copy(const struct model *m);

/* Current object or NULL. Borrowed until the next model_apply(). */
const struct service *model_service(const struct model *m, const char *name);
const struct pool *model_pool(const struct model *m, const char *name);
size_t model_n_services(const struct model *m);
size_t model_n_pools(const struct model *m);
/* Of all services. */
size_t model_n_backends(const struct model *m);
size_t model_n_listeners(const struct model *m);
/* Who listens there, or NULL. */
const struct service *model_listener(const struct model *m, const struct listener *l);

/*
 * All objects sorted by name: an array the caller frees with free(); each
 * element is referenced (unref each). A snapshot other threads may read.
 */
const struct service **model_services(const struct model *m, size_t *n);
const struct pool **model_pools(const struct model *m, size_t *n);
/* At most max of the services, oldest first: what can be looked at without looking at all. */
const struct service **model_some_services(const struct model *m, size_t max, size_t *n);

/*
 * What it takes to make the model say `after`; appended to *out unless
 * nothing differs. `after` is NULL to remove. Takes references of its own.
 * Two changes of one object in one list are merged into one.
 */
void model_want_service(const struct model *m, const char *name, const struct service *after,
			struct changes *out);
void model_want_pool(const struct model *m, const char *name, const struct pool *after,
		     struct changes *out);

/*
 * Would the changes, all together, leave a consistent model? Checks what no
 * object can check alone: listener used twice (by another service), pool that
 * does not exist or is still used, a listener's family without a pool address.
 * Adds every problem (pointers as in the whole document, "/services/web/pool")
 * to err; 0 or -EINVAL. Changes nothing. O(size of the changes). The kind is ERR_INVALID, or
 * ERR_CONFLICT for the removal of a pool that services use.
 */
int model_check(const struct model *m, const struct changes *c, struct err *err);

/* Make the changes current (they must have passed model_check()), or take them back. */
void model_apply(struct model *m, const struct changes *c);
void model_revert(struct model *m, const struct changes *c);

#endif
