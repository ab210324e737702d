/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jansson does not say where a value stood. Its objects keep the order of the text and have no
 * repeated members, so the n-th name in the text is the n-th name of the tree: a second, simple
 * walk over text that is known to be good finds the lines.
 */
#include "fnatctl/import_tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"

const char *import_word(const struct import_node *n, size_t i)
{
	return i < n->n_words ? n->words[i] : "";
}

const struct import_node *import_child(const struct import_node *n, const char *name)
{
	for (size_t i = n->n_children; i > 0; i--)
		if (!strcmp(import_word(&n->children[i - 1], 0), name))
			return &n->children[i - 1];
	return NULL;
}

/* Depth is bounded by who makes nodes: the parser of JSON, IMPORT_DEPTH_MAX. */
void import_node_fini(struct import_node *n)
{
	for (size_t i = 0; i < n->n_children; i++)
		import_node_fini(&n->children[i]);
	for (size_t i = 0; i < n->n_words; i++)
		free(n->words[i]);
	free(n->children);
	free(n->words);
	*n = (struct import_node){ 0 };
}

/* --- lines of JSON ------------------------------------------------------------------------- */

struct lines {
	size_t *items; /* of each name, in the order of the text */
	size_t n, cap, next;
};

static const char *skip_string(const char *s, const char *end)
{
	for (s++; s < end && *s != '"'; s++)
		s += *s == '\\';
	return s < end ? s + 1 : end;
}

static void find_lines(struct lines *out, const char *s, const char *end)
{
	size_t line = 1, line_of_string = 0;
	bool is_string = false; /* the last token was one */

	while (s < end) {
		if (*s == '"') {
			is_string = true;
			line_of_string = line;
			s = skip_string(s, end);
			continue;
		}
		if (*s == ':' && is_string)
			VEC_PUSH(out->items, out->n, out->cap) = line_of_string;
		if (*s == '\n')
			line++;
		else if (*s != ' ' && *s != '\t' && *s != '\r')
			is_string = false;
		s++;
	}
}

/* --- JSON as statements -------------------------------------------------------------------- */

struct build {
	struct import *im;
	const char *file;
	struct lines lines;
};

static char *text_of(const json_t *value)
{
	if (json_is_string(value))
		return mem_strdup(json_string_value(value));
	if (json_is_integer(value))
		return mem_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_real(value))
		return mem_printf("%g", json_real_value(value));
	return mem_strdup(json_is_true(value) ? "true" : json_is_false(value) ? "false" : "");
}

static void add_word(struct import_node *n, char *word)
{
	VEC_PUSH(n->words, n->n_words, n->cap_words) = word;
}

static void build(struct build *b, struct import_node *parent, const char *name, json_t *value,
		  size_t line);

static size_t next_line(struct build *b)
{
	return b->lines.next < b->lines.n ? b->lines.items[b->lines.next++] : 0;
}

static void build_members(struct build *b, struct import_node *n, json_t *value)
{
	const char *name;
	json_t *member;
	size_t i;

	json_object_foreach (value, name, member) {
		build(b, n, name, member, next_line(b));
	}
	json_array_foreach (value, i, member) {
		build(b, n, "", member, n->at.line);
	}
}

static void build(struct build *b, struct import_node *parent, const char *name, json_t *value,
		  size_t line)
{
	struct import_node *n;

	VEC_PUSH(parent->children, parent->n_children, parent->cap_children) =
		(struct import_node){ .at = { b->file, line } };
	n = &parent->children[parent->n_children - 1];
	add_word(n, mem_strdup(name));
	n->is_block = json_is_object(value) || json_is_array(value);
	if (!n->is_block)
		add_word(n, text_of(value));
	/* An element is where its first member is: more useful than the line of the array. */
	if (json_is_object(value) && !*name && b->lines.next < b->lines.n)
		n->at.line = b->lines.items[b->lines.next];
	build_members(b, n, value);
}

int import_parse_json(struct import *im, const struct import_source *src, struct import_node *out,
		      struct err *err)
{
	json_t *value = json_parse(src->text, src->len, err);
	struct build b = { .im = im, .file = import_file(im, src->name) };

	*out = (struct import_node){ .at = { b.file, 1 } };
	if (!value)
		return -1;
	find_lines(&b.lines, src->text, src->text + src->len);
	build_members(&b, out, value);
	free(b.lines.items);
	json_decref(value);
	return 0;
}
