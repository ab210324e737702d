/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays of the configuration (listeners, addresses) are sets in truth: "item 3 became item 4"
 * would be said of all that follow an inserted one, and tells nobody anything.
 */
#include "fnatctl/difference.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct search {
	difference_fn *found;
	void *arg;
};

static void compare(const struct search *s, const char *path, const json_t *before,
		    const json_t *after);

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The members' names of both objects, sorted, each once. The names are borrowed. */
static const char **names_of(const json_t *a, const json_t *b, size_t *n)
{
	const char **names =
		mem_calloc(json_object_size(a) + json_object_size(b) + 1, sizeof(*names));
	const char *name;
	json_t *value;

	*n = 0;
	json_object_foreach ((json_t *)a, name, value) {
		names[(*n)++] = name;
	}
	json_object_foreach ((json_t *)b, name, value) {
		if (!json_object_get(a, name))
			names[(*n)++] = name;
	}
	qsort(names, *n, sizeof(*names), by_text);
	return names;
}

static void compare_objects(const struct search *s, const char *path, const json_t *before,
			    const json_t *after)
{
	size_t n;
	const char **names = names_of(before, after, &n);

	for (size_t i = 0; i < n; i++) {
		char *inner = mem_printf("%s%s%s", path, *path ? "." : "", names[i]);

		compare(s, inner, json_object_get(before, names[i]),
			json_object_get(after, names[i]));
		free(inner);
	}
	free(names);
}

struct item {
	char *text; /* as JSON; owned */
	const json_t *value;
};

static int by_item(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->text, ((const struct item *)b)->text);
}

static struct item *items_of(const json_t *array, size_t *n)
{
	struct item *items;

	*n = json_array_size(array);
	items = mem_calloc(*n + 1, sizeof(*items));
	for (size_t i = 0; i < *n; i++) {
		items[i].value = json_array_get(array, i);
		items[i].text =
			json_dumps(items[i].value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	}
	qsort(items, *n, sizeof(*items), by_item);
	return items;
}

static void items_free(struct item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].text);
	free(items);
}

static void compare_arrays(const struct search *s, const char *path, const json_t *before,
			   const json_t *after)
{
	size_t n, m, i = 0, k = 0, n_found = 0;
	struct item *a = items_of(before, &n), *b = items_of(after, &m);

	while (i < n || k < m) {
		int order = i == n ? 1 : k == m ? -1 : by_item(&a[i], &b[k]);

		if (order != 0)
			s->found(s->arg, path, order < 0 ? a[i].value : NULL,
				 order < 0 ? NULL : b[k].value);
		n_found += order != 0;
		i += order <= 0;
		k += order >= 0;
	}
	if (n_found == 0)
		s->found(s->arg, path, before, after);
	items_free(a, n);
	items_free(b, m);
}

static bool is_kind(const json_t *a, const json_t *b, json_type type)
{
	return (!a || json_typeof(a) == type) && (!b || json_typeof(b) == type);
}

static void compare(const struct search *s, const char *path, const json_t *before,
		    const json_t *after)
{
	if (before && after && json_equal(before, after))
		return;
	if (is_kind(before, after, JSON_OBJECT) &&
	    json_object_size(before) + json_object_size(after) > 0)
		compare_objects(s, path, before, after);
	else if (is_kind(before, after, JSON_ARRAY) &&
		 json_array_size(before) + json_array_size(after) > 0)
		compare_arrays(s, path, before, after);
	else
		s->found(s->arg, path, before, after);
}

void difference_find(const json_t *before, const json_t *after, difference_fn *found, void *arg)
{
	struct search s = { found, arg };

	if (before || after)
		compare(&s, "", before, after);
}
