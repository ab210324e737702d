/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON values with good errors. Where the reader is in the document is
 * a chain of struct at on the stack; it becomes a JSON pointer and the subject
 * of a message ("service "web": backend "b": weight") only when something is wrong.
 * Inside of the model: only src/model/ includes this.
 */
#ifndef FNAT_MODEL_READER_H
#define FNAT_MODEL_READER_H

#include <jansson.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/model.h"

struct reader {
	struct err *err;
	size_t n_problems; /* added by this reader */
};

/* A place in the document: `up`, then a member (key) or an element (key is NULL, index). */
struct at {
	const struct at *up; /* NULL: the start, `pointer` says where that is */
	const char *pointer;
	const char *key;
	size_t index;
	const char *what; /* the word for a named object here ("backend"), or NULL */
	const char *name; /* its name */
};

static inline struct at at_member(const struct at *up, const char *key)
{
	return (struct at){ .up = up, .key = key };
}

static inline struct at at_element(const struct at *up, size_t index)
{
	return (struct at){ .up = up, .index = index };
}

static inline struct at at_object(const struct at *up, const char *what, const char *name)
{
	return (struct at){ .up = up, .key = name, .what = what, .name = name };
}

/* The pointer of a place; the caller frees it. */
char *at_pointer(const struct at *at);

/* Longest text of a value or a name in a message, with the final NUL. */
#define READER_TEXT_BYTES 80

/* "quoted", shortened, control characters escaped. Returns buf. */
const char *quote(const char *s, char buf[READER_TEXT_BYTES]);

/* "SUBJECT VALUE: MESSAGE" at this place; value (may be NULL) is what was found there. */
void problem(struct reader *r, const struct at *at, const json_t *value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same where what was found is better shown in another form than JSON's. */
void problem_text(struct reader *r, const struct at *at, const char *found, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* One member of an object. */
struct field {
	const char *name;
	bool is_required;
	void (*read)(struct reader *r, const struct at *at, const json_t *value, void *out);
};

/*
 * Read an object's members by the table; out is what each row's read() gets.
 * Problems: value is no object, a member is unknown, a required one is missing.
 */
void read_object(struct reader *r, const struct at *at, const json_t *value,
		 const struct field *fields, size_t n_fields, void *out);

/* False, and a problem added, when the value is not as wanted; *out is untouched then. */
bool read_integer(struct reader *r, const struct at *at, const json_t *value, json_int_t min,
		  json_int_t max, json_int_t *out);
bool read_boolean(struct reader *r, const struct at *at, const json_t *value, bool *out);
bool read_string(struct reader *r, const struct at *at, const json_t *value, const char *expected,
		 const char **out);
/* A host's address. */
bool read_address(struct reader *r, const struct at *at, const json_t *value, struct addr *out);

/* The name of a network interface. */
bool read_interface(struct reader *r, const struct at *at, const json_t *value,
		    char out[INTERFACE_NAME_BYTES]);

/* The name of the object at this place. */
bool check_name(struct reader *r, const struct at *at);

/* The object at this place; NULL when there was a problem. */
const struct service *service_read(struct reader *r, const struct at *at, const json_t *value);
const struct pool *pool_read(struct reader *r, const struct at *at, const json_t *value);

/* Order by name. */
struct config;
void config_sort(struct config *c);

#endif
