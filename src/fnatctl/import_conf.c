/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The syntax of keepalived.conf(5): a statement is a line; braces hold the statements that belong
 * to the one before them, and may stand on a line of their own; "!" and "#" begin a comment, except
 * between double quotes. "include" (and its stricter sisters) puts another file in its place,
 * "$NAME=" defines a text, "@NAME" keeps a line for one of several machines: which one is not known
 * here, so such lines become notes.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/import_tree.h"

#define INCLUDES_MAX      1000 /* files, all together */
#define INCLUDE_DEPTH_MAX 16
#define DEFINITIONS_MAX   1000
#define LINE_MAX_BYTES    65536 /* with what definitions put into it */

struct definition {
	char *name, *value; /* owned */
};

struct parser {
	struct import *im;
	const struct import_source *source;
	struct import_place at;
	struct import_node *stack[IMPORT_DEPTH_MAX]; /* open blocks, the outermost first */
	size_t depth;
	size_t n_skipped; /* blocks inside the innermost one that are too deep */
	bool is_ended;    /* the statement is: the next word begins another */
	unsigned int n_included;
	const char *open[INCLUDE_DEPTH_MAX]; /* files that are being read */
	size_t n_open;
	struct definition *definitions;
	size_t n_definitions, cap_definitions;
};

static void note(struct parser *p, const char *what, const char *word)
{
	import_note(p->im, p->at, "%s%s%s%s", *word ? "\"" : "", word, *word ? "\": " : "", what);
}

/* --- words --------------------------------------------------------------------------------- */

static struct import_node *innermost(struct parser *p)
{
	return p->stack[p->depth - 1];
}

static struct import_node *add_statement(struct parser *p)
{
	struct import_node *n = innermost(p);

	VEC_PUSH(n->children, n->n_children, n->cap_children) = (struct import_node){ .at = p->at };
	p->is_ended = false;
	return &n->children[n->n_children - 1];
}

static struct import_node *last_statement(struct parser *p)
{
	struct import_node *n = innermost(p);

	return n->n_children ? &n->children[n->n_children - 1] : NULL;
}

static void add_word(struct parser *p, const char *word, size_t len)
{
	struct import_node *n;

	if (p->n_skipped)
		return;
	n = p->is_ended ? add_statement(p) : last_statement(p);
	VEC_PUSH(n->words, n->n_words, n->cap_words) = mem_strndup(word, len);
}

static void open_block(struct parser *p)
{
	struct import_node *n = p->n_skipped ? NULL : last_statement(p);

	if (p->n_skipped || p->depth == IMPORT_DEPTH_MAX) {
		if (!p->n_skipped++)
			note(p, "blocks are nested too deeply", "");
		return;
	}
	if (!n || n->is_block) { /* braces that belong to nothing */
		n = add_statement(p);
		note(p, "what does the block belong to?", "{");
	}
	n->is_block = true;
	p->stack[p->depth++] = n;
	p->is_ended = true;
}

static void close_block(struct parser *p)
{
	if (p->n_skipped)
		p->n_skipped--;
	else if (p->depth > 1)
		p->depth--;
	else
		note(p, "closes no block", "}");
	p->is_ended = true;
}

/* A word without quotes: braces at its ends are braces, within it they are not ("${NAME}"). */
static void take_word(struct parser *p, const char *word, size_t len)
{
	size_t n_open = 0, n_close = 0;

	for (; len > 0 && (*word == '{' || *word == '}'); word++, len--) {
		if (*word == '{')
			open_block(p);
		else
			close_block(p);
	}
	if (len > 0 && word[len - 1] == '{')
		n_open = 1;
	else if (!memchr(word, '{', len))
		while (n_close < len && word[len - 1 - n_close] == '}')
			n_close++;
	len -= n_open + n_close;
	if (len > 0)
		add_word(p, word, len);
	if (n_open)
		open_block(p);
	while (n_close-- > 0)
		close_block(p);
}

/* Between quotes; a backslash takes the next character as it is. */
static const char *take_quoted(struct parser *p, const char *s)
{
	char *word = mem_strdup(s + 1);
	size_t len = 0;

	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && s[1])
			s++;
		word[len++] = *s;
	}
	if (!*s)
		note(p, "the quote is not closed on its line", "\"");
	add_word(p, word, len);
	free(word);
	return *s ? s + 1 : s;
}

static void take_words(struct parser *p, const char *s)
{
	while (*s) {
		size_t len = strcspn(s, " \t\r\"");

		if (*s == '"') {
			s = take_quoted(p, s);
		} else if (len > 0) {
			take_word(p, s, len);
			s += len;
		} else {
			s++;
		}
	}
}

static void strip_comment(char *line)
{
	bool is_quoted = false;

	for (char *s = line; *s; s++) {
		if (*s == '"')
			is_quoted = !is_quoted;
		else if (*s == '\\' && is_quoted && s[1])
			s++;
		else if ((*s == '!' || *s == '#') && !is_quoted)
			*s = '\0';
		if (!*s)
			return;
	}
}

/* --- definitions --------------------------------------------------------------------------- */

static size_t name_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

static const struct definition *find_definition(const struct parser *p, const char *name,
						size_t len)
{
	for (size_t i = p->n_definitions; i > 0; i--)
		if (strlen(p->definitions[i - 1].name) == len &&
		    !memcmp(p->definitions[i - 1].name, name, len))
			return &p->definitions[i - 1];
	return NULL;
}

/* "$NAME=VALUE": true, and it is defined. */
static bool take_definition(struct parser *p, const char *line)
{
	size_t len = *line == '$' ? name_length(line + 1) : 0, end;

	if (len == 0 || line[1 + len] != '=')
		return false;
	if (p->n_definitions == DEFINITIONS_MAX) {
		note(p, "one definition too many", line);
		return true;
	}
	end = strlen(line);
	while (end > 0 && isspace((unsigned char)line[end - 1]))
		end--;
	if (end > 0 && line[end - 1] == '\\')
		note(p, "definitions of several lines are not read: only the first line is", "");
	VEC_PUSH(p->definitions, p->n_definitions, p->cap_definitions) = (struct definition){
		.name = mem_strndup(line + 1, len),
		.value = mem_strndup(line + len + 2, end > len + 2 ? end - len - 2 : 0),
	};
	return true;
}

/* The definition that s ("$NAME", "${NAME}") uses, and how long that is; or NULL. */
static const struct definition *definition_at(const struct parser *p, const char *s, size_t *len)
{
	bool is_braced = s[1] == '{';
	size_t n = name_length(s + 1 + is_braced);

	if (n == 0 || (is_braced && s[2 + n] != '}'))
		return NULL;
	*len = 1 + n + 2 * (size_t)is_braced;
	return find_definition(p, s + 1 + is_braced, n);
}

/* Not again in what was put in: nothing defines itself. The caller frees it. */
static char *expand(struct parser *p, const char *line)
{
	char *out;
	size_t n = 0, len;

	if (!strchr(line, '$'))
		return mem_strdup(line);
	out = mem_alloc(LINE_MAX_BYTES);
	while (*line && n < LINE_MAX_BYTES - 1) {
		const struct definition *d = *line == '$' ? definition_at(p, line, &len) : NULL;
		size_t room = LINE_MAX_BYTES - 1 - n, add;

		if (!d) {
			out[n++] = *line++;
			continue;
		}
		add = strlen(d->value) < room ? strlen(d->value) : room;
		memcpy(out + n, d->value, add);
		n += add;
		line += len;
	}
	out[n] = '\0';
	if (*line)
		note(p, "the line is too long: its end is left out", "");
	return out;
}

/* --- lines and files ----------------------------------------------------------------------- */

static void take_file(void *ctx, const char *file, const char *text, size_t len);

static bool is_include(const char *line, const char **pattern)
{
	size_t len = strlen("include");

	if (strncmp(line, "include", len) != 0)
		return false;
	len += strspn(line + len, "rmwb"); /* includer, includem ...: what may be missing */
	if (!isspace((unsigned char)line[len]))
		return false;
	*pattern = line + len;
	return true;
}

static void include(struct parser *p, const char *rest)
{
	struct import_place at = p->at;
	char *pattern = mem_strdup(rest + strspn(rest, " \t\"")), *end;
	int n;

	for (end = pattern + strlen(pattern); end > pattern && strchr(" \t\r\"", end[-1]); end--)
		;
	*end = '\0';
	if (!p->source->include) {
		note(p, "not included: there are no files here", pattern);
	} else {
		n = p->source->include(p->source->arg, at.file, pattern, take_file, p);
		p->at = at;
		if (n <= 0)
			note(p, n ? strerror(-n) : "no such file", pattern);
	}
	free(pattern);
}

static void take_statement(struct parser *p, const char *line)
{
	const char *pattern;

	if (*line == '@') {
		note(p, "a line for one of several configurations: not carried over", line);
	} else if (is_include(line, &pattern)) {
		include(p, pattern);
	} else {
		p->is_ended = true;
		take_words(p, line);
	}
}

static void take_line(struct parser *p, const char *text, size_t len)
{
	char *line = mem_strndup(text, len), *expanded;

	strip_comment(line);
	if (!take_definition(p, line + strspn(line, " \t"))) {
		expanded = expand(p, line);
		take_statement(p, expanded + strspn(expanded, " \t"));
		free(expanded);
	}
	free(line);
}

static bool is_open(const struct parser *p, const char *file)
{
	for (size_t i = 0; i < p->n_open; i++)
		if (!strcmp(p->open[i], file))
			return true;
	return false;
}

static void take_lines(struct parser *p, const char *text, const char *end)
{
	for (; text < end; p->at.line++) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t n = eol ? (size_t)(eol - text) : (size_t)(end - text);

		take_line(p, text, n);
		text += n + (eol != NULL);
	}
}

static void take_file(void *ctx, const char *file, const char *text, size_t len)
{
	struct parser *p = ctx;

	if (p->n_included++ > INCLUDES_MAX)
		note(p, "not included: one file too many", file);
	else if (p->n_open == INCLUDE_DEPTH_MAX || is_open(p, file))
		note(p, "not included: files include each other", file);
	else {
		p->at = (struct import_place){ import_file(p->im, file), 1 };
		p->open[p->n_open++] = p->at.file;
		take_lines(p, text, text + len);
		p->n_open--;
	}
}

void import_parse_keepalived(struct import *im, const struct import_source *src,
			     struct import_node *out)
{
	struct parser p = {
		.im = im, .source = src, .stack = { out }, .depth = 1, .is_ended = true
	};

	*out = (struct import_node){ .at = { import_file(im, src->name), 1 } };
	take_file(&p, src->name, src->text, src->len);
	if (p.depth > 1)
		import_note(im, innermost(&p)->at, "\"%s\": the block is not closed",
			    import_word(innermost(&p), 0));
	for (size_t i = 0; i < p.n_definitions; i++) {
		free(p.definitions[i].name);
		free(p.definitions[i].value);
	}
	free(p.definitions);
}
