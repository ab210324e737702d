/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New connections go around a local address that has no ports left towards a backend: to the others
 * of the pool that have some. An address is a slot of a hash of the client; a hash over more slots
 * has the same address in DETOUR_PARTS neighbours (the kernel scales, it does not divide), and each
 * goes to another one, in turn. Where no address has any, the pool's own map decides as before:
 * what is left is better than nothing.
 */
#include <stdlib.h>

#include "plan/plan_state.h"

/* Detours of one backend and protocol: [first, end) of the pool's. */
struct run {
	const struct pool *pool;
	size_t first, end;
};

static bool is_same_backend(const struct detour *a, const struct detour *b)
{
	return a->port == b->port && a->protocol == b->protocol &&
	       addr_equal(&a->backend, &b->backend);
}

static bool run_next(struct run *run, uint8_t family)
{
	const struct pool *p = run->pool;

	run->first = run->end;
	while (run->first < p->n_detours && p->detours[run->first].backend.family != family)
		run->first++;
	run->end = run->first;
	while (run->end < p->n_detours &&
	       is_same_backend(&p->detours[run->first], &p->detours[run->end]))
		run->end++;
	return run->end > run->first;
}

static bool run_has(const struct run *run, const struct addr *local)
{
	struct detour key = run->pool->detours[run->first];

	key.local = *local;
	return bsearch(&key, &run->pool->detours[run->first], run->end - run->first, sizeof(key),
		       detour_cmp) != NULL;
}

/* Addresses of the pool that are exhausted (by their number), and those that are not. */
struct sides {
	uint32_t *full;
	struct addr *others;
	size_t n_full, n_others;
};

static void sides_make(const struct run *run, uint8_t family, struct sides *s)
{
	struct pool_walk w = { .pool = run->pool, .family = family };
	uint32_t n = family == AF_INET6 ? run->pool->n6 : run->pool->n4;
	struct addr address;

	*s = (struct sides){ .full = mem_calloc(n + 1, sizeof(*s->full)),
			     .others = mem_calloc(n + 1, sizeof(*s->others)) };
	while (pool_walk_next(&w, &address)) {
		if (run_has(run, &address))
			s->full[s->n_full++] = w.n - 1;
		else
			s->others[s->n_others++] = address;
	}
}

static void sides_free(struct sides *s)
{
	free(s->full);
	free(s->others);
}

static void add_part(const struct run *run, const char *name, uint32_t slot, const struct addr *to,
		     struct elem *out)
{
	const struct detour *d = &run->pool->detours[run->first];

	*out = (struct elem){
		.map = { .kind = MAP_DETOUR, .family = d->backend.family, .pool = name },
		.address = d->backend,
		.protocol = d->protocol,
		.port = d->port,
		.slot = slot,
		.to = *to,
	};
}

static int elem_order(const void *a, const void *b)
{
	return elem_cmp_key(a, b);
}

struct elem *detour_elems(const struct pool *pool, const char *name, uint8_t family, size_t *n)
{
	struct run run = { .pool = pool };
	struct elem *out = NULL;
	size_t cap = 0;

	*n = 0;
	while (pool && run_next(&run, family)) {
		struct sides s;

		sides_make(&run, family, &s);
		for (size_t i = 0; s.n_others > 0 && i < s.n_full * DETOUR_PARTS; i++) {
			uint32_t part = (uint32_t)(i % DETOUR_PARTS);

			add_part(&run, name, s.full[i / DETOUR_PARTS] * DETOUR_PARTS + part,
				 &s.others[i % s.n_others], &VEC_PUSH(out, *n, cap));
		}
		sides_free(&s);
	}
	if (*n > 0)
		qsort(out, *n, sizeof(*out), elem_order);
	return out;
}

struct addr detour_local(const struct pool *pool, const struct addr *backend, uint16_t port,
			 uint8_t protocol, uint32_t part)
{
	struct run run = { .pool = pool };
	const struct detour at = { .backend = *backend, .port = port, .protocol = protocol };
	struct addr local = pool_address(pool, backend->family, part / DETOUR_PARTS);

	while (run_next(&run, backend->family)) {
		struct sides s;

		if (!is_same_backend(&at, &pool->detours[run.first]) || !run_has(&run, &local))
			continue;
		sides_make(&run, backend->family, &s);
		for (size_t i = 0; s.n_others > 0 && i < s.n_full * DETOUR_PARTS; i++)
			if (s.full[i / DETOUR_PARTS] * DETOUR_PARTS + i % DETOUR_PARTS == part)
				local = s.others[i % s.n_others];
		sides_free(&s);
		break;
	}
	return local;
}
