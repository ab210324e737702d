/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits that the kernel counts cost in proportion to the connections that live: whoever opens many
 * of them makes each new one dear. That is for who configures it to know before it happens.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kernel/preflight_check.h"

struct large {
	struct list names;
	const char *first;
};

static void large_add(struct large *l, const struct service *s, uint64_t n)
{
	if (n <= LIMIT_EXACT_ADVISED)
		return;
	if (!l->names.n)
		l->first = s->name;
	list_add(&l->names, "%s (%" PRIu64 ")", s->name, n);
}

static void large_find(struct preflight *pf, struct large *l, const char *of, const char *remedy)
{
	struct finding *f;
	char *names;

	if (!l->names.n)
		return;
	names = list_take(&l->names);
	f = preflight_find(pf, "limit-exact-large", SEVERITY_WARNING);
	f->what = mem_printf("the kernel is to count more than %d connections of %s: %s",
			     LIMIT_EXACT_ADVISED, of, names);
	f->why = mem_strdup("at new connections it walks those that live, up to once a tick: 10000 "
			    "take a whole core, whoever opens them");
	f->remedy = mem_printf("fnatctl service set %s %s", l->first, remedy);
	free(names);
}

void check_limits(struct preflight *pf)
{
	struct large backends = { .first = NULL }, services = { .first = NULL };

	for (size_t i = 0; i < pf->in->n_services; i++) {
		const struct service *s = pf->in->services[i];

		large_add(&backends, s,
			  service_limit(s) == LIMIT_EXACT ? service_max_connections(s) : 0);
		large_add(&services, s, s->control.max_connections);
	}
	large_find(pf, &backends, "the backends of a service", "limit=budget");
	large_find(pf, &services, "a service", "max_connections=0");
}
