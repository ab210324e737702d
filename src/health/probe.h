/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking a backend once whether it is well: what all types of probes have in common. A type is a
 * row in probe_types.c and a file probe_TYPE.c; its options are in model/check_TYPE.h.
 *
 * Everything happens on one loop. A type only starts and ends its probes: when to ask, how long
 * to wait and what follows is health.c's part. A type must never block, not even for a lookup
 * of a name or a fork.
 */
#ifndef FNAT_HEALTH_PROBE_H
#define FNAT_HEALTH_PROBE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/service_check.h"

enum probe_result {
	PROBE_OK,
	PROBE_FAILED,
	PROBE_UNDONE, /* the balancer itself could not ask (no file descriptor, ...): it says
		       * nothing of the backend */
};
#define PROBE_N_RESULTS 3
const char *probe_result_name(enum probe_result result); /* "ok", "failed", "undone" */

/* Longest reason, with the final NUL. */
#define PROBE_REASON_BYTES 120

/* What a probe may find out besides. */
enum probe_order { PROBE_ORDER_NONE, PROBE_ORDER_READY, PROBE_ORDER_DRAIN, PROBE_ORDER_MAINT };

struct probe_outcome {
	enum probe_result result;
	char reason[PROBE_REASON_BYTES];  /* for a person, in one line: why, or what was found */
	char warning[PROBE_REASON_BYTES]; /* well, but not for long; "" when there is none */
	int weight_percent;               /* of the configured weight; -1: it did not say */
	int weight;                       /* instead of the configured one; -1: it did not say */
	enum probe_order order;
	bool is_decision; /* decides alone, whatever rise and fall are */
	uint32_t duration_us;
};

struct probe;
struct prober;

struct probe_type {
	const char *name; /* as check_type_name() */
	/* Of the type's own struct probe_TYPE, whose first member is a struct probe. */
	size_t bytes;
	/* Begin to ask. Ends in probe_done(), now or later, unless it is cancelled before. */
	void (*start)(struct probe *p);
	/* Stop asking; probe_done() is not called any more. Only between start and end. */
	void (*cancel)(struct probe *p);
	/* Frees what the type keeps in its struct from one start to the next, or NULL. */
	void (*fini)(struct probe *p);
	/* Is it well if nothing came in time? NULL: no. */
	bool (*is_silence_ok)(struct probe *p);
	/* What all probes of the type share (a socket, a curl multi handle), or NULL: opened
	 * before the first of them starts; on NULL, with the reason in errno, none can. */
	void *(*open)(struct prober *r);
	void (*close)(void *shared);
};

/* Probes of all types, i from 0; NULL after the last. */
const struct probe_type *probe_type_at(size_t i);
/* The type for a check, or NULL for "none". */
const struct probe_type *probe_type_of(const struct check *c);

typedef void probe_done_fn(struct probe *p, const struct probe_outcome *outcome);

/* What to ask. The texts are borrowed for as long as the probe is there. */
struct probe_target {
	const char *service, *backend; /* names */
	struct addr address;
	uint16_t port;
};

struct probe {
	const struct probe_type *type;
	struct prober *prober;
	const struct check *check;  /* a reference */
	struct probe_target target; /* with the overrides of the check */
	struct addr source;         /* AF_UNSPEC where the check's is of the other family */
	probe_done_fn *done;
	void *arg;
	bool is_running;
	uint64_t started_us;

	/* For the type, while it runs: what it waits for ("connecting"), static, for the reason of
	 * a timeout; and the outcome so far (warning, weight_percent, order). */
	const char *stage;
	struct probe_outcome outcome;
};

/* What the probes on one loop share. programs: directory of the programs of exec, or NULL. */
struct prober *prober_new(struct event_base *base, const char *programs);
/* No probe may be there any more. */
void prober_free(struct prober *r);
struct event_base *prober_base(const struct prober *r);
const char *prober_programs(const struct prober *r);

/* Sockets of its probes, but for those of libcurl, which closes some without a word (7.88). The
 * files that a process may open are not for checks alone. */
struct prober_sockets {
	size_t n_open;
	size_t kept_max; /* while there are more, none is kept from one check to the next */
	size_t open_max; /* with so many, the next check has to wait */
};
struct prober_sockets *prober_sockets(struct prober *r);
/* What open() returned. */
void *probe_shared(const struct probe *p);

/* For check->type, which is not "none". done is called once for each start that is not cancelled,
 * and may be called from within it. */
struct probe *probe_new(struct prober *r, const struct check *check,
			const struct probe_target *target, probe_done_fn *done, void *arg);
void probe_free(struct probe *p); /* cancels; NULL is fine */
void probe_start(struct probe *p, uint64_t now_us);
void probe_cancel(struct probe *p); /* no effect when it does not run */
/* It took too long: ends as failed, with its stage as the reason. */
void probe_expire(struct probe *p);

/* For the types: it has ended. p may be gone when this returns. */
void probe_done(struct probe *p, enum probe_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* It has ended with an errno: failed, or undone where that is the balancer's fault. */
void probe_done_errno(struct probe *p, const char *what, int code);

#endif
