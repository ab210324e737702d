/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format wants all lines of a metric together, and a metric is a column: so what is written is
 * a copy, walked once a column. It is taken at once and written in pieces.
 */
#include "api/stats_metrics.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stats/columns.h"

static const struct {
	const char *prefix, *what;
} kinds[N_STATS_KINDS] = {
	[STATS_SERVICE] = { "service", "service" },
	[STATS_LISTENER] = { "listener", "listener" },
	[STATS_BACKEND] = { "backend", "backend" },
	[STATS_POOL_ADDRESS] = { "pool_address", "local address" },
};

struct line {
	char *labels;
	struct meter meter;
	bool is_counted;
};

struct lines {
	struct line *items;
	size_t n, cap;
};

struct stats_metrics {
	struct lines lines[N_STATS_KINDS];
	/* What comes next. */
	size_t kind, column, line;
	bool is_headed;
};

/* No name or address needs an escape. */
static char *labels_of(const struct stats_object *o)
{
	char address[ADDR_STRLEN], listener[LISTENER_STRLEN];

	switch (o->kind) {
	case STATS_SERVICE:
		return mem_printf("service=\"%s\"", o->service);
	case STATS_LISTENER:
		return mem_printf("service=\"%s\",listener=\"%s\"", o->service,
				  listener_format(o->listener, listener));
	case STATS_BACKEND:
		return mem_printf("service=\"%s\",backend=\"%s\"", o->service, o->backend->name);
	case STATS_POOL_ADDRESS:
		return mem_printf("pool=\"%s\",address=\"%s\"", o->pool,
				  addr_format(o->address, address));
	case N_STATS_KINDS:
		break;
	}
	return NULL;
}

static void add(const struct stats_object *o, void *arg)
{
	struct stats_metrics *sm = arg;
	struct lines *l = &sm->lines[o->kind];

	VEC_PUSH(l->items, l->n, l->cap) = (struct line){ labels_of(o), *o->meter, o->is_counted };
}

struct stats_metrics *stats_metrics_new(const struct stats *s)
{
	struct stats_metrics *sm = mem_zalloc(sizeof(*sm));

	stats_each(s, add, sm);
	return sm;
}

void stats_metrics_free(struct stats_metrics *sm)
{
	for (size_t k = 0; k < N_STATS_KINDS; k++) {
		for (size_t i = 0; i < sm->lines[k].n; i++)
			free(sm->lines[k].items[i].labels);
		free(sm->lines[k].items);
	}
	free(sm);
}

static void put_head(const struct stats_metrics *sm, const struct column *c, FILE *out)
{
	const char *prefix = kinds[sm->kind].prefix;

	fprintf(out, "# HELP fnat_%s_%s %s By %s.\n# TYPE fnat_%s_%s %s\n", prefix, c->metric,
		c->help, kinds[sm->kind].what, prefix, c->metric,
		c->kind == COLUMN_TOTAL ? "counter" : "gauge");
}

static void next_column(struct stats_metrics *sm)
{
	sm->is_headed = false;
	sm->line = 0;
	if (!column_at(++sm->column)) {
		sm->column = 0;
		sm->kind++;
	}
}

bool stats_metrics_put(struct stats_metrics *sm, FILE *out)
{
	const struct column *c;
	const struct line *l;

	while (sm->kind < N_STATS_KINDS) {
		c = column_at(sm->column);
		if (!c->metric || sm->line == sm->lines[sm->kind].n) {
			next_column(sm);
			continue;
		}
		l = &sm->lines[sm->kind].items[sm->line++];
		if (!column_is_of(c, sm->kind, l->is_counted))
			continue;
		if (!sm->is_headed) {
			put_head(sm, c, out);
			sm->is_headed = true;
		}
		fprintf(out, "fnat_%s_%s{%s} %" PRIu64 "\n", kinds[sm->kind].prefix, c->metric,
			l->labels, c->metered(&l->meter));
		return true;
	}
	return false;
}
