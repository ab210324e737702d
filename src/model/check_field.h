/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields of checks, described instead of programmed: one row of a table says how a field is read,
 * compared, written and freed, so that a type of check is a struct and a table. Inside of the
 * model: only src/model/ includes this.
 */
#ifndef FNAT_MODEL_CHECK_FIELD_H
#define FNAT_MODEL_CHECK_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "model/reader.h"

struct check_field;

/* What values of a kind of field are. `field` is where it lies in its struct. */
struct check_kind {
	/* The default of the row, into memory that is all zero. NULL: zero it is. */
	void (*init)(const struct check_field *row, void *field);
	/* A problem, and the field as it was, when value is not as wanted. */
	void (*read)(struct reader *r, const struct at *at, const json_t *value,
		     const struct check_field *row, void *field);
	bool (*equal)(const void *a, const void *b);
	/* NULL: not there, and not written. */
	json_t *(*to_json)(const struct check_field *row, const void *field);
	void (*fini)(void *field); /* NULL: there is nothing to free */
};

struct check_field {
	const char *name;
	bool is_required;
	const struct check_kind *kind;
	size_t offset;       /* in the struct */
	json_int_t min, max; /* number: the range; text: of its bytes; texts: of their number */
	json_int_t number;   /* default of a number, a flag or a word */
	const char *text;    /* default of a text; NULL: none */
	const char *const *words; /* of a word, NULL after the last */
};

/* uint32_t. With min > 0 and default 0 it may be absent. */
extern const struct check_kind check_number;
/* bool */
extern const struct check_kind check_flag;
/* uint32_t, the index into row->words. */
extern const struct check_kind check_word;
/* char *, owned; NULL where absent. UTF-8 without NUL (the parser's work). */
extern const struct check_kind check_text;
/* struct check_texts: an array of texts, each of at most CHECK_TEXTS_BYTES bytes. */
extern const struct check_kind check_texts;
/* struct addr; AF_UNSPEC where absent. */
extern const struct check_kind check_address;

/* Rows [0 ... n) of one struct at `base`. */
void check_fields_init(const struct check_field *rows, size_t n, void *base);
bool check_fields_equal(const struct check_field *rows, size_t n, const void *a, const void *b);
void check_fields_put(const struct check_field *rows, size_t n, const void *base, json_t *object);
void check_fields_fini(const struct check_field *rows, size_t n, void *base);

/* One type of check: a row of the table in check_types.c. */
struct check_type {
	const char *name;
	size_t options_bytes;             /* of struct check_TYPE; 0: none */
	const struct check_field *fields; /* of the options */
	size_t n_fields;
	const struct check_field *more_fields; /* as well: those that it shares with other types */
	size_t n_more_fields;
	/*
	 * What no field can tell alone: problems are added at a member of `at`. May prepare what
	 * the options hold besides their fields. NULL: nothing to do. Called only when all
	 * fields were read without a problem.
	 */
	void (*verify)(struct reader *r, const struct at *at, void *options);
	/* Frees what verify() prepared. NULL: nothing to do. */
	void (*fini)(void *options);
};

struct check;

/* The check at this place, one reference; NULL when there was a problem. */
const struct check *check_read(struct reader *r, const struct at *at, const json_t *value);
/* The agent beside a check, as a check of type agent; NULL as well. */
const struct check *agent_read(struct reader *r, const struct at *at, const json_t *value);
/* What only the service tells: at is the service's place. */
void agent_verify(struct reader *r, const struct at *at, const struct service *s);

#endif
