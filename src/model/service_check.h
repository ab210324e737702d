/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How it is found out whether the backends of a service are well: the "check" of a service, as a
 * value. What all types have in common is here; what one type needs besides is its options, a
 * struct of its own in model/check_TYPE.h. fnat.json(5) has the meaning of each field.
 *
 * A check never changes once made, is reference counted (atomically), and belongs to the service
 * values that hold it.
 */
#ifndef FNAT_MODEL_SERVICE_CHECK_H
#define FNAT_MODEL_SERVICE_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* What holds for a backend before the first result. */
enum check_initial { CHECK_INITIAL_UP, CHECK_INITIAL_DOWN };

/* Do clients' connections count, besides what is asked? */
enum check_observe { CHECK_OBSERVE_OFF, CHECK_OBSERVE_CONNECTIONS };

struct check_type;

struct check {
	unsigned int refs;
	const struct check_type *type; /* static */
	uint32_t interval_ms;          /* from start to start */
	uint32_t fast_interval_ms;     /* while in transition; 0: interval_ms */
	uint32_t down_interval_ms;     /* while down; 0: interval_ms */
	uint32_t timeout_ms;
	uint32_t rise, fall;        /* results in a row that take it up, down; at least 1 */
	uint32_t initial;           /* enum check_initial */
	uint32_t jitter_percent;    /* of an interval, at random, each time */
	uint32_t port;              /* 0: the backend's, else the first listener's */
	struct addr address;        /* AF_UNSPEC: the backend's */
	struct addr source;         /* AF_UNSPEC: the kernel's choice */
	uint32_t observe;           /* enum check_observe */
	uint32_t observe_failures;  /* connections in a row ... */
	uint32_t observe_window_ms; /* ... within this time */
	bool does_observe_udp;      /* does a flow that had no reply count? */
	uint32_t inhibit_s, inhibit_max_s;
	uint32_t flap_count;    /* times that it may go down ...; 0: any */
	uint32_t flap_window_s; /* ... within this time */
	void *options;          /* struct check_TYPE, owned; NULL: the type has none */
};

/* The types there are, i from 0; NULL after the last. */
const struct check_type *check_type_at(size_t i);
const char *check_type_name(const struct check_type *type);
static inline const char *check_name_of_type(const struct check *c)
{
	return check_type_name(c->type);
}

/* NULL is fine, and stays NULL. */
const struct check *check_ref(const struct check *c);
void check_unref(const struct check *c);
/* Either may be NULL: no check. */
bool check_equal(const struct check *a, const struct check *b);

/* Defaults written out. The caller owns it. */
json_t *check_to_json(const struct check *c);

/* Of an agent beside a check (struct service.agent), which has only some of a check's fields. */
json_t *agent_to_json(const struct check *c);

/*
 * A merge patch of a service that gives its check another type means a check of that type: the
 * options of the old type are taken out of target, a service's value, in place. Does nothing
 * with any other patch.
 */
void check_patch_type(json_t *target, const json_t *patch);

#endif
