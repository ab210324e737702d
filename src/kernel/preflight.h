/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine offers and what would defeat the balancer. Only looks;
 * changes nothing. Each finding says what, why it matters and what mends it.
 */
#ifndef FNAT_KERNEL_PREFLIGHT_H
#define FNAT_KERNEL_PREFLIGHT_H

#include <jansson.h>

#include "base/err.h"
#include "model/model.h"

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };

struct finding {
	const char *id; /* stable word: "forwarding-off" (static) */
	enum severity severity;
	char *what, *why, *remedy; /* owned */
};

/* A thing that was looked at: "firewalls" (static), and how many findings it gave. */
struct checked {
	const char *id;
	size_t n_findings;
};

struct findings {
	struct finding *items;
	size_t n, cap;
	struct checked *checked; /* in the order of looking */
	size_t n_checked, cap_checked;
};

void findings_fini(struct findings *f);
const char *severity_name(enum severity s);

/* One more, at the end; the caller gives it what, why and remedy. Valid until the next. */
struct finding *findings_add(struct findings *f, const char *id, enum severity severity);

/* As the API has them: [{"id", "severity", "what", "why", "remedy"}] and, for what was looked at,
 * [{"id", "findings"}]. The caller owns them. */
json_t *findings_to_json(const struct findings *f);
json_t *findings_checked_to_json(const struct findings *f);

struct preflight_input {
	const struct service **services;
	size_t n_services;
	const struct pool **pools;
	size_t n_pools;
	const char *own_table; /* not a foreign table */
	/*
	 * No fnatd runs: see also whether the kernel would take its rules, which may load modules
	 * of nf_tables, and, without a service, look at the settings of both families.
	 */
	bool is_before_start;
};

/* Checks of the machine and, for each service and pool, of addresses and routes (at most 256 of
 * each are looked at). Blocks on netlink for milliseconds. */
void preflight_run(const struct preflight_input *in, struct findings *out);

#endif
