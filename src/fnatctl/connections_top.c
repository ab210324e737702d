/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counted here and not by the daemon, whose memory must not grow with the number of clients.
 */
#include "fnatctl/connections_top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/view.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

struct row {
	UT_hash_handle hh;
	unsigned long long n, in, out;
	char name[];
};

/* What stands for the connection. Returns buf. */
typedef const char *name_fn(const json_t *connection, char *buf, size_t size);

struct top {
	const char *member;
	name_fn *name;
	struct row *rows;
};

static const char *client_name(const json_t *connection, char *buf, size_t size)
{
	const json_t *client = json_object_get(connection, "client");

	snprintf(buf, size, "%s", view_string(client, "address"));
	return buf;
}

static const char *backend_name(const json_t *connection, char *buf, size_t size)
{
	const json_t *b = json_object_get(connection, "backend");
	const char *name = view_string(b, "name");

	snprintf(buf, size, "%s/%s", view_string(connection, "service"),
		 *name ? name : view_string(b, "address"));
	return buf;
}

static const char *service_name(const json_t *connection, char *buf, size_t size)
{
	snprintf(buf, size, "%s", view_string(connection, "service"));
	return buf;
}

static const struct {
	const char *what, *member;
	name_fn *name;
} kinds[] = {
	{ "clients", "client", client_name },
	{ "backends", "backend", backend_name },
	{ "services", "service", service_name },
};

struct top *top_new(const char *what)
{
	struct top *t = mem_zalloc(sizeof(*t));

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].what, what) == 0) {
			t->member = kinds[i].member;
			t->name = kinds[i].name;
		}
	}
	return t;
}

void top_free(struct top *t)
{
	struct row *row, *next;

	if (!t)
		return;
	for (row = t->rows; row; row = next) {
		next = row->hh.next;
		HASH_DEL(t->rows, row);
		free(row);
	}
	free(t);
}

void top_add(struct top *t, const json_t *connection)
{
	char buf[256];
	const char *name = t->name(connection, buf, sizeof(buf));
	size_t len = strlen(name);
	struct row *row;

	HASH_FIND(hh, t->rows, name, len, row);
	if (!row) {
		row = mem_zalloc(sizeof(*row) + len + 1);
		memcpy(row->name, name, len + 1);
		HASH_ADD_KEYPTR(hh, t->rows, row->name, len, row);
	}
	row->n++;
	row->in += (unsigned long long)view_integer(connection, "inbytes");
	row->out += (unsigned long long)view_integer(connection, "outbytes");
}

/* Most connections first; of equals by name, so that two looks agree. */
static int row_cmp(const struct row *a, const struct row *b)
{
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return strcmp(a->name, b->name);
}

json_t *top_result(struct top *t, size_t most)
{
	json_t *list = json_array();

	HASH_SORT(t->rows, row_cmp);
	for (struct row *row = t->rows; row && json_array_size(list) < most; row = row->hh.next)
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", t->member, row->name,
						      "connections", (json_int_t)row->n, "inbytes",
						      (json_int_t)row->in, "outbytes",
						      (json_int_t)row->out));
	return list;
}
