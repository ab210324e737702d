/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole documents. Objects are read one by one; what only all of them together can tell is
 * model_check()'s part. Only when some object is wrong, so that the caller will not get there, the
 * rest is checked here, because a person wants to see all problems at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/index.h"
#include "model/json.h"
#include "model/reader.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void read_services(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct config *c = out;
	const char *name;
	json_t *member;

	if (!json_is_object(value)) {
		problem(r, at, value, "expected an object of services by name");
		return;
	}
	c->services = mem_calloc(json_object_size(value), sizeof(*c->services));
	json_object_foreach ((json_t *)value, name, member) {
		struct at at_service = at_object(at, "service", name);
		const struct service *s = service_read(r, &at_service, member);

		if (s)
			c->services[c->n_services++] = s;
	}
}

static void read_pools(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct config *c = out;
	const char *name;
	json_t *member;

	if (!json_is_object(value)) {
		problem(r, at, value, "expected an object of pools by name");
		return;
	}
	c->pools = mem_calloc(json_object_size(value), sizeof(*c->pools));
	json_object_foreach ((json_t *)value, name, member) {
		struct at at_pool = at_object(at, "pool", name);
		const struct pool *p = pool_read(r, &at_pool, member);

		if (p)
			c->pools[c->n_pools++] = p;
	}
}

static const struct field config_fields[] = {
	{ "pools", false, read_pools },
	{ "services", false, read_services },
};

static int service_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct service *const *)a)->name,
		      (*(const struct service *const *)b)->name);
}

static int pool_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct pool *const *)a)->name,
		      (*(const struct pool *const *)b)->name);
}

/* qsort() must not get NULL, not even for no elements. */
void config_sort(struct config *c)
{
	if (c->n_services)
		qsort(c->services, c->n_services, sizeof(*c->services), service_cmp);
	if (c->n_pools)
		qsort(c->pools, c->n_pools, sizeof(*c->pools), pool_cmp);
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < c->n_services; i++)
		service_unref(c->services[i]);
	for (size_t i = 0; i < c->n_pools; i++)
		pool_unref(c->pools[i]);
	free(c->services);
	free(c->pools);
	*c = (struct config){ 0 };
}

/*
 * Check the objects that could be read against each other. Where a pool could not be read, nothing
 * can be said about who uses it.
 */
static void check_readable(const struct config *c, const json_t *value, struct err *err)
{
	bool are_pools_known = c->n_pools == json_object_size(json_object_get(value, "pools"));
	struct model *empty = model_new();
	struct changes changes = { 0 };

	config_changes(c, empty, &changes);
	if (are_pools_known)
		model_check(empty, &changes, err);
	else
		check_listeners(empty, &changes, err);
	changes_fini(&changes);
	model_free(empty);
}

int config_from_json(const json_t *value, struct config *out, struct err *err)
{
	struct at at = { .pointer = "", .what = "document" };
	struct reader r = { .err = err };

	*out = (struct config){ 0 };
	read_object(&r, &at, value, config_fields, ARRAY_SIZE(config_fields), out);
	config_sort(out);
	if (r.n_problems == 0)
		return 0;
	check_readable(out, value, err);
	config_fini(out);
	return -EINVAL;
}

static bool has_service(const struct config *c, const struct service *s)
{
	return c->n_services &&
	       bsearch(&s, c->services, c->n_services, sizeof(*c->services), service_cmp);
}

static bool has_pool(const struct config *c, const struct pool *p)
{
	return c->n_pools && bsearch(&p, c->pools, c->n_pools, sizeof(*c->pools), pool_cmp);
}

void config_changes(const struct config *c, const struct model *m, struct changes *out)
{
	const struct service_entry *se;
	const struct pool_entry *pe;

	for (size_t i = 0; i < c->n_pools; i++)
		model_want_pool(m, c->pools[i]->name, c->pools[i], out);
	for (size_t i = 0; i < c->n_services; i++)
		model_want_service(m, c->services[i]->name, c->services[i], out);
	for (se = m->services; se; se = se->hh.next) {
		if (!has_service(c, se->service))
			model_want_service(m, se->service->name, NULL, out);
	}
	for (pe = m->pools; pe; pe = pe->hh.next) {
		if (pe->pool && !has_pool(c, pe->pool))
			model_want_pool(m, pe->name, NULL, out);
	}
}
