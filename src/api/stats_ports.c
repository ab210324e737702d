/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/stats_ports.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stats/ports.h"

struct pairs {
	struct ports_pair *items;
	size_t n, cap;
	enum ports_level least;
};

static void add(const struct ports_pair *p, void *arg)
{
	struct pairs *list = arg;

	if (p->level >= list->least && p->used > 0)
		VEC_PUSH(list->items, list->n, list->cap) = *p;
}

/* The fullest first. */
static int cmp_pairs(const void *one, const void *other)
{
	const struct ports_pair *a = one, *b = other;
	int cmp = (a->used < b->used) - (a->used > b->used);

	if (cmp == 0)
		cmp = addr_cmp(&a->local, &b->local);
	return cmp ? cmp : addr_cmp(&a->backend, &b->backend);
}

static void gather(struct stats *s, const char *pool, struct pairs *list)
{
	ports_each(stats_ports(s), pool, add, list);
	if (list->n > 0)
		qsort(list->items, list->n, sizeof(*list->items), cmp_pairs);
	if (list->n > STATS_PORTS_MAX)
		list->n = STATS_PORTS_MAX;
}

static void put_backend(const struct ports_pair *p, FILE *out)
{
	char address[ADDR_STRLEN];

	fprintf(out, p->backend.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		addr_format(&p->backend, address), p->port);
}

void stats_ports_json(struct stats *s, const struct pool *pool, FILE *out)
{
	struct pairs list = { .least = PORTS_OK };
	char address[ADDR_STRLEN];

	gather(s, pool->name, &list);
	fprintf(out, ",\"ports\":%" PRIu32 ",\"occupancy\":[", pool_ports(pool));
	for (size_t i = 0; i < list.n; i++) {
		const struct ports_pair *p = &list.items[i];

		fprintf(out, "%s{\"address\":\"%s\",\"backend\":\"", i ? "," : "",
			addr_format(&p->local, address));
		put_backend(p, out);
		fprintf(out, "\",\"protocol\":\"%s\",\"used\":%" PRIu32 ",\"level\":\"%s\"}",
			protocol_name(p->protocol), p->used, ports_level_name(p->level));
	}
	fputc(']', out);
	free(list.items);
}

void stats_ports_metrics(struct stats *s, FILE *out)
{
	static const char name[] = "fnat_pool_ports_used";
	struct pairs list = { .least = PORTS_BUSY };
	char address[ADDR_STRLEN];

	gather(s, NULL, &list);
	if (list.n > 0)
		fprintf(out,
			"# HELP %s Ports of a local address in use towards a backend, where it is "
			"half "
			"of them or more.\n# TYPE %s gauge\n",
			name, name);
	for (size_t i = 0; i < list.n; i++) {
		const struct ports_pair *p = &list.items[i];

		fprintf(out, "%s{pool=\"%s\",address=\"%s\",backend=\"", name, p->pool->name,
			addr_format(&p->local, address));
		put_backend(p, out);
		fprintf(out, "\",protocol=\"%s\"} %" PRIu32 "\n", protocol_name(p->protocol),
			p->used);
	}
	free(list.items);
}
