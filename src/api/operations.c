/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Written as text at once instead of as JSON values first, some at a time, like a
 * listing.
 */
#include "api/operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define PIECE_BYTES (32 << 10)

static const char *map_word(const struct map_ref *m, bool is_add)
{
	if (m->kind == MAP_TIMEOUT)
		return is_add ? "add timeout" : "delete timeout";
	if (m->kind == MAP_OVERFLOWED)
		return is_add ? "add counter" : "delete counter";
	if (m->kind == MAP_ADDRESSES)
		return is_add ? "add set" : "delete set";
	return is_add ? "add map" : "delete map";
}

static const char *op_word(const struct op *op)
{
	switch ((enum op_kind)op->kind) {
	case OP_ADD_MAP:
		return map_word(&op->map, true);
	case OP_ADD_CHAIN:
		return "add chain";
	case OP_SET_CHAIN:
		return "replace chain";
	case OP_ADD_ELEM:
		return "add element";
	case OP_DEL_ELEM:
		return "delete element";
	case OP_DEL_CHAIN:
		return "delete chain";
	case OP_DEL_MAP:
		return map_word(&op->map, false);
	}
	return "";
}

/* The text is nft's: ASCII. Its last newline is left out. */
static void put_string(const char *s, size_t len, FILE *out)
{
	if (len > 0 && s[len - 1] == '\n')
		len--;
	putc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

struct operations {
	struct engine *engine;
	struct ops ops;
	char *table;
	int stage; /* next to be written: its number from 0, and the operation in it */
	size_t i;
	bool is_any; /* written so far */
	FILE *piece, *one;
	char *piece_text, *one_text; /* of the streams above */
	size_t piece_len, one_len;
};

static void put_op(struct operations *o, const struct op *op)
{
	rewind(o->one);
	op_text(op, o->table, o->one);
	fflush(o->one);
	fprintf(o->piece, "%s{\"stage\":%d,\"op\":\"%s\",\"text\":", o->is_any ? "," : "",
		o->stage + 1, op_word(op));
	put_string(o->one_text, o->one_len, o->piece);
	putc('}', o->piece);
	o->is_any = true;
}

/* One operation; false after the last. */
static bool step(struct operations *o)
{
	const struct op_list *list = &o->ops.stage[o->stage];

	if (o->i < list->n) {
		put_op(o, &list->items[o->i++]);
		return true;
	}
	o->i = 0;
	if (++o->stage < 2)
		return true;
	fputs("]}", o->piece);
	return false;
}

static void more(struct http_request *req, void *arg)
{
	struct operations *o = arg;
	bool is_more = true;

	while (is_more && ftell(o->piece) < PIECE_BYTES)
		is_more = step(o);
	fflush(o->piece);
	http_reply_chunk(req, o->piece_text, o->piece_len);
	rewind(o->piece);
	if (!is_more)
		http_reply_end(req);
}

static void operations_free(void *arg)
{
	struct operations *o = arg;

	fclose(o->piece);
	fclose(o->one);
	free(o->piece_text);
	free(o->one_text);
	ops_fini(&o->ops);
	free(o->table);
	free(o);
}

static void done(void *arg)
{
	struct operations *o = arg;

	engine_dispose(o->engine, operations_free, o);
}

void operations_answer(struct call *c, struct ops *ops, uint64_t generation)
{
	static const struct http_stream stream = { more, done };
	struct operations *o = mem_zalloc(sizeof(*o));

	o->ops = ops_move(ops);
	o->engine = c->engine;
	o->table = mem_strdup(c->table);
	o->piece = open_memstream(&o->piece_text, &o->piece_len);
	o->one = open_memstream(&o->one_text, &o->one_len);
	if (!o->piece || !o->one)
		abort(); /* out of memory, as in mem.c */
	fprintf(o->piece, "{\"generation\":%" PRIu64 ",\"dry_run\":true,\"operations\":[",
		generation);
	call_answer_stream(c, JSON_TYPE, &stream, o);
}
