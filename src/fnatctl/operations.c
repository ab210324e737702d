/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change may be a million operations, and all that one wants to know of most of them is how many
 * there are. They come as commands of nft:
 *
 *	add element inet fnat slots4-rr-0 { 192.0.2.10 . tcp . 80 . 0 comment "web/a" : 10.1.0.11 .
 *80 }
 *
 * An element that is removed and added in one stage is an element that changes.
 */
#include "fnatctl/operations.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "fnatctl/columns.h"
#include "fnatctl/text.h"
#include "fnatctl/view.h"

/* One map, or all chains together. */
struct tally {
	char *name;
	size_t added, removed, changed;
	UT_hash_handle hh;
};

/* A removal that may turn out to be half of a change. */
struct removal {
	char *key; /* stage, map and element */
	UT_hash_handle hh;
};

struct count {
	struct tally *tallies;
	struct removal *removals;
	size_t n, n_late;
};

static struct tally *tally_of(struct count *c, const char *name)
{
	struct tally *t;

	HASH_FIND_STR(c->tallies, name, t);
	if (t)
		return t;
	t = mem_zalloc(sizeof(*t));
	t->name = mem_strdup(name);
	HASH_ADD_KEYPTR(hh, c->tallies, t->name, strlen(t->name), t);
	return t;
}

/* Words of "VERB OBJECT inet TABLE NAME": number i; *len without what follows. */
static const char *word(const char *text, size_t i, size_t *len)
{
	for (; i > 0; i--) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	*len = strcspn(text, " \n;");
	return text;
}

/* The element between the braces, without comment and data. Owned by the caller. */
static char *element_key(long long stage, const char *name, const char *text)
{
	const char *open = strchr(text, '{'), *end, *s;
	static const char *const ends[] = { " comment ", " : ", " }" };

	if (!open)
		return NULL;
	end = open + strlen(open);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		s = strstr(open, ends[i]);
		end = s && s < end ? s : end;
	}
	return mem_printf("%lld %s %.*s", stage, name, (int)(end - open), open);
}

static void count_element(struct count *c, struct tally *t, bool is_add, char *key)
{
	struct removal *r = NULL;

	if (!is_add) {
		t->removed++;
		r = mem_zalloc(sizeof(*r));
		r->key = key;
		HASH_ADD_KEYPTR(hh, c->removals, r->key, strlen(r->key), r);
		return;
	}
	HASH_FIND_STR(c->removals, key, r);
	free(key);
	if (!r) {
		t->added++;
		return;
	}
	t->removed--;
	t->changed++;
	HASH_DEL(c->removals, r);
	free(r->key);
	free(r);
}

static void count_operation(struct count *c, const json_t *op)
{
	const char *text = view_string(op, "text"), *verb, *object, *w;
	size_t verb_len, object_len, len;
	char *name, *key;
	struct tally *t;
	bool is_add;

	verb = word(text, 0, &verb_len);
	object = word(text, 1, &object_len);
	w = word(text, 4, &len);
	is_add = verb_len == 3 && !strncmp(verb, "add", 3);
	c->n++;
	c->n_late += view_integer(op, "stage") == 2;
	if (object_len == 7 && !strncmp(object, "element", 7)) {
		name = mem_strndup(w, len);
		t = tally_of(c, name);
		key = element_key(view_integer(op, "stage"), name, text);
		free(name);
		if (key)
			count_element(c, t, is_add, key);
		return;
	}
	t = tally_of(c, object_len == 5 && !strncmp(object, "chain", 5) ? "(chains)" : "(maps)");
	t->added += is_add;
	t->removed += verb_len == 6 && !strncmp(verb, "delete", 6);
	t->changed += verb_len == 5 && !strncmp(verb, "flush", 5);
}

static void count_fini(struct count *c)
{
	struct removal *r, *next_r;
	struct tally *t, *next_t;

	HASH_ITER (hh, c->removals, r, next_r) {
		HASH_DEL(c->removals, r);
		free(r->key);
		free(r);
	}
	HASH_ITER (hh, c->tallies, t, next_t) {
		HASH_DEL(c->tallies, t);
		free(t->name);
		free(t);
	}
}

static int by_name(const struct tally *a, const struct tally *b)
{
	return strcmp(a->name, b->name);
}

static void print_counts(const struct cli *cli, struct count *count)
{
	static const char *const headings[] = { "MAP", ">+", ">-", ">~", NULL };
	struct columns *c = columns_new(headings);
	struct tally *t, *next;

	HASH_SORT(count->tallies, by_name);
	HASH_ITER (hh, count->tallies, t, next) {
		columns_cell(c, "%s", t->name);
		columns_cell(c, "%zu", t->added);
		columns_cell(c, "%zu", t->removed);
		columns_cell(c, "%zu", t->changed);
	}
	columns_print(c, cli_is_coloured(cli), stdout);
	columns_free(c);
}

static void print_commands(const json_t *operations)
{
	const json_t *op;
	size_t i;

	putchar('\n');
	json_array_foreach (operations, i, op) {
		const char *text = view_string(op, "text");
		char *line = mem_strndup(text, strcspn(text, "\n")), *safe = text_safe(line);

		puts(safe);
		free(safe);
		free(line);
	}
}

void operations_print(const struct cli *cli, const json_t *answer)
{
	const json_t *operations = json_object_get(answer, "operations"), *op;
	struct count count = { 0 };
	char n[64];
	size_t i;

	json_array_foreach (operations, i, op) {
		count_operation(&count, op);
	}
	if (count.n == 0) {
		printf("nothing would change: generation %lld is what the document says\n",
		       view_integer(answer, "generation"));
		return;
	}
	printf("%s would follow generation %lld", text_count(count.n, "operation", n),
	       view_integer(answer, "generation"));
	if (count.n_late)
		printf(", %zu of them after a grace period", count.n_late);
	puts(":\n");
	print_counts(cli, &count);
	if (cli->given & CLI_VERBOSE)
		print_commands(operations);
	count_fini(&count);
}
