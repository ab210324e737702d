/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connections somebody asks for. Of the service and the backend only the names are here: who
 * they are, whoever has the model knows.
 */
#ifndef FNAT_STATS_FLOW_FILTER_H
#define FNAT_STATS_FLOW_FILTER_H

#include "base/err.h"
#include "stats/flow.h"

#define FLOW_FILTER_STATES_MAX 32

struct flow_filter {
	/* Names, borrowed; NULL: any. flow_filter_fits() does not look at them. */
	const char *service, *backend;
	/* What `backend` is as an address; family AF_UNSPEC: it is a name only. Nor at this. */
	struct flow_end backend_at;
	uint8_t protocol;          /* 0: any */
	struct addr_range client;  /* family AF_UNSPEC: any */
	struct flow_end to, local; /* virtual and local; family AF_UNSPEC: any, port 0: any */
	const char *states[FLOW_FILTER_STATES_MAX]; /* static words */
	size_t n_states;                            /* 0: any */
	bool has_min_age, has_max_age;
	uint64_t min_age_s, max_age_s;
};

/*
 * One condition more, by its name in the API: service, backend, protocol, client, virtual, local,
 * state, min_age_s, max_age_s. value is borrowed. -ENOENT: no such name (and no problem added);
 * -EINVAL with ERR_SYNTAX.
 */
int flow_filter_set(struct flow_filter *f, const char *name, const char *value, struct err *err);

/* The names, i from 0; NULL after the last. */
const char *flow_filter_name(size_t i);

/* Is the connection one of those? A connection whose age is not known is neither old nor young. */
bool flow_filter_fits(const struct flow_filter *f, const struct flow *flow, uint64_t now_ns);

/* Is it the address, and the port unless that is 0? Family AF_UNSPEC: any address. */
bool flow_end_fits(const struct flow_end *wanted, const struct flow_end *is);

/* Whole seconds since it began (now: CLOCK_REALTIME); -1: not known. */
int64_t flow_age_s(const struct flow *flow, uint64_t now_ns);

/* "10.1.0.11:8080", "[fd00:1::11]:8080", or an address alone (port 0). 0 or -EINVAL. */
int flow_end_parse(const char *text, struct flow_end *out);

#endif
