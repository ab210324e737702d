/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the configured service to the one that the plan sees: weights follow what is known of each
 * backend at run time. Pure. Everything that withdraws a backend from new connections, or changes
 * its share, without the operator changing the configuration, goes through here.
 *
 * For each family of its listeners by itself:
 *
 *   usable   state enabled, weight not 0, not down, not full
 *   normal   the usable backends of the lowest priority that has any; not while the quorum is lost
 *            and a sorry backend is usable
 *   sorry    else the usable sorry backends
 *   open     else, when health says of every other backend with weight that it is down, and
 *            "all_down" is "open": those of the lowest priority, down or not
 *   none     else nobody: the service refuses
 *
 * Who is out of use only until its connections have been counted (is_uncounted) serves again in a
 * moment: where it would be the one that serves, nothing is said to have changed, and packets that
 * begin connections are dropped, so that clients send them again, instead of refused.
 */
#ifndef FNAT_PLAN_EFFECTIVE_H
#define FNAT_PLAN_EFFECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

/* warm_permille of a backend that has all of its weight, beside 0, which says the same. */
#define WARM_ALL 1000u

/* Linear, from 1 % to 100 %, which is 0; in steps of 1 %, so that there are not too many. */
uint16_t slow_start_permille(uint64_t elapsed_ms, uint32_t slow_start_s);

/* What is known of a backend beyond its configuration. All zero: nothing. */
struct backend_runtime {
	bool is_down;      /* health says so: no new connections */
	bool is_up;        /* health says so: counts where a check begins with down */
	bool is_weighed;   /* health gives it a weight, see engine/runtime.c: ... */
	uint32_t weight;   /* ... this one; 0: no new connections */
	bool is_full;      /* it has as many connections as it may: no new ones */
	bool is_at_limit;  /* the same: max_connections of its own, engine/limiter.h ... */
	bool is_uncounted; /* ... not full, but not yet known to have room */
	bool has_share;    /* share is its weight now (load-aware schedulers), else its own */
	/* What the kernel counts of it, engine/limiter.h. */
	struct gate_runtime {
		struct addr to; /* of the backend that it is about ... */
		uint16_t port;
		uint16_t epoch;
		uint32_t of; /* ... when it had this max_connections; 0: nothing is known */
		uint32_t tokens, room; /* connections that it is to admit: plan/tokens.h */
	} gate;
	uint16_t warm_permille; /* slow start: the part of its weight that it has */
	uint32_t share;
};

/*
 * Does what is known of a backend's gate still hold? It does not when the limit is lower now, or
 * kept in another way, or the backend is elsewhere: then it is not used until its connections have
 * been counted.
 */
bool gate_holds(const struct gate_runtime *gate, const struct service *s, const struct backend *b);

bool backend_runtime_equal(const struct backend_runtime *a, const struct backend_runtime *b);

enum serving { SERVING_NONE, SERVING_NORMAL, SERVING_SORRY, SERVING_OPEN };

/* Who serves. */
struct standing {
	bool is_below_quorum;
	uint64_t live_weight; /* of backends that are enabled and not down, but for sorry ones */
	struct {
		enum serving serving;
		uint8_t priority; /* SERVING_NORMAL, SERVING_OPEN */
		bool overflows;   /* they serve because others have no room */
		bool waits;       /* they are about to serve: their connections are being counted */
	} of[2];                  /* IPv4, IPv6 */
};

static inline bool standing_overflows(const struct standing *s)
{
	return s->of[0].overflows || s->of[1].overflows;
}

/*
 * at: for each backend of s, in its order; NULL: nothing is known. was_below_quorum: what came out
 * the last time, for the hysteresis: lost below quorum - hysteresis, back at quorum + hysteresis
 * (as keepalived.conf(5) has it).
 */
struct standing service_standing(const struct service *s, const struct backend_runtime *at,
				 bool was_below_quorum);
/* "normal", "sorry", ... Static. */
const char *serving_name(enum serving serving);

/*
 * The service as it is to be in the kernel, with a reference for the caller: s itself when nothing
 * is known, or configured, that matters. Whoever does not serve has weight 0. With a scheduler that
 * counts connections shares are the weights; one without a share among others that have one gets
 * what its weight is worth, and shares that are all 0 do not count.
 *
 * Slow start and shares change weights often, so the table's size does not depend on weights while
 * they do (n_slots): then only slots change, not the program.
 */
const struct service *effective_service(const struct service *s, const struct backend_runtime *at,
					bool was_below_quorum);

/* The weights of that service (one for each backend) before shares are put in their place. */
void effective_weights(const struct service *s, const struct backend_runtime *at,
		       bool was_below_quorum, uint32_t *out);

#endif
