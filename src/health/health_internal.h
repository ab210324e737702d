/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of health only. */
#ifndef FNAT_HEALTH_HEALTH_INTERNAL_H
#define FNAT_HEALTH_HEALTH_INTERNAL_H

#include "health/health.h"
#include "health/passive.h"
#include "health/timers.h"

#include "base/mem.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

struct checked_service;

/* Something that is asked again and again. */
struct asking {
	struct timer
		timer; /* first: the deadline of the question that runs, or the next one's start */
	struct checked *owner;
	struct probe *probe; /* NULL: nothing is asked */
};

/* An agent beside the check. What it said holds until it says something else. */
struct agent {
	struct asking asking;
	struct health_agent said;
	struct results results;
	char warning[PROBE_REASON_BYTES];
	/* The backend was down before fnatd started, perhaps by the agent's word: it stays so until
	 * the agent has been asked. */
	bool is_awaited;
};

/* What keeps a backend out of use for a time, whatever its checks say. */
struct hold {
	struct timer timer; /* first: its end, in health's inhibitions */
	struct passive passive;
	struct checked *owner;
};

/* A backend that is checked. */
struct checked {
	struct asking asking; /* the check; without a probe for type none */
	struct agent *agent;  /* NULL: there is none */
	struct checked_service *service;
	const char *name; /* in the service's value */
	struct addr address;
	uint16_t port;
	struct hold observed; /* by clients' connections */
	struct hold flapping; /* by having gone down too often */
	bool is_draining;
	uint32_t configured_weight;
	struct machine machine;
	struct machine_rule rule;
	struct results results;
	struct health_replies replies;
	enum health_state told; /* last told to the listener ... */
	bool told_down;
	int told_weight;
	int64_t since_ms;
	int weight_percent, weight; /* as the last check said; -1: it did not */
	enum probe_order order;
	char warning[PROBE_REASON_BYTES];
};

struct checked_service {
	UT_hash_handle hh;
	struct health *health;
	const struct service *value; /* a reference; with a check */
	struct checked **backends;   /* in the order of the value's */
};

struct health {
	struct event_base *base;
	struct prober *prober;
	health_changed_fn *changed;
	void *arg;
	struct checked_service *services;
	size_t n_backends, n_running;
	size_t by_state[HEALTH_DISABLED + 1];
	struct timers timers, inhibitions;
	struct event *tick;
	uint64_t armed_us; /* when tick fires; 0: not set */
	uint64_t random;
	uint64_t n_ok, n_failed, n_undone;
	uint64_t took[HEALTH_BUCKETS + 1];
	double took_sum_s;
	struct remembered *remembered;
};

/* health.c, for health_follow.c */
/* Ask as check says, from soon on; not at all for type none. */
void asking_begin(struct health *h, struct asking *a, const struct check *check,
		  probe_done_fn *done);
void asking_stop(struct health *h, struct asking *a);
/* Its owner's names lie elsewhere. */
void asking_rename(struct asking *a);
/* The next question, one has ended. */
void asking_next(struct health *h, struct asking *a, uint32_t interval_ms);
/* What was found has a warning: kept, and logged when it is another one. */
void checked_warn(const struct checked *b, char kept[PROBE_REASON_BYTES], const char *warning);
/* It has answered, but not a check: where there is none, that is what is known of it. */
void checked_answered(struct checked *b);
/* Tell the listener, if there is something to tell. */
void checked_tell(struct health *h, struct checked *b, const char *reason, uint32_t duration_us);
void checked_view(const struct health *h, const struct checked *b, struct health_backend *out);
/* -1: as configured. */
int checked_weight(const struct checked *b);
bool checked_is_down(const struct checked *b);
enum health_state checked_state(const struct checked *b);
void checked_done_cb(struct probe *p, const struct probe_outcome *outcome);
void health_arm(struct health *h);
void hold_drop(struct health *h, struct hold *hold);
bool checked_is_held(const struct checked *b);

/* health_agent.c */
/* The service's agent is another one, or none any more, or another value of the same. */
void agent_follow(struct health *h, struct checked *b, bool is_other);
void agent_drop(struct health *h, struct checked *b);
bool agent_is_down(const struct checked *b);
/* Of the agent, or of a check of type agent. */
enum probe_order checked_order(const struct checked *b);

/* health_follow.c */
void health_forget_all(struct health *h);

#endif
