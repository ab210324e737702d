/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short ways to make objects and to look at problems, for tests of the model
 * and of what stands on it.
 */
#ifndef FNAT_TESTS_MODEL_TESTING_H
#define FNAT_TESTS_MODEL_TESTING_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"
#include "suite.h"

static inline json_t *json_of(const char *text)
{
	struct err err = ERR_INIT;
	json_t *value = json_parse(text, strlen(text), &err);

	ck_assert_msg(value != NULL, "%s: %s", text, err_text(&err));
	return value;
}

static inline const struct service *service_of(const char *name, const char *text)
{
	struct err err = ERR_INIT;
	json_t *value = json_of(text);
	const struct service *s = service_from_json(value, name, "", &err);

	ck_assert_msg(s != NULL, "%s: %s", text, err_text(&err));
	json_decref(value);
	return s;
}

static inline const struct pool *pool_of(const char *name, const char *text)
{
	struct err err = ERR_INIT;
	json_t *value = json_of(text);
	const struct pool *p = pool_from_json(value, name, "", &err);

	ck_assert_msg(p != NULL, "%s: %s", text, err_text(&err));
	json_decref(value);
	return p;
}

static inline const struct pool *make_pool(const char *name, const char *addresses)
{
	char *text = mem_printf("{\"addresses\":[%s]}", addresses);
	const struct pool *p = pool_of(name, text);

	free(text);
	return p;
}

/* listeners: "192.0.2.1:80,2001:db8::1:81": up to the last colon is the address. */
static inline const struct service *make_service(const char *name, const char *listeners,
						 const char *pool)
{
	char *copy = mem_strdup(listeners), *save = NULL, *text;
	const struct service *s;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const char *comma = "";

	fputs("{\"listeners\":[", out);
	for (char *l = strtok_r(copy, ",", &save); l; l = strtok_r(NULL, ",", &save)) {
		char *colon = strrchr(l, ':');

		fprintf(out, "%s{\"address\":\"%.*s\",\"protocol\":\"tcp\",\"port\":%s}", comma,
			(int)(colon - l), l, colon + 1);
		comma = ",";
	}
	fprintf(out, "],\"pool\":\"%s\"}", pool);
	fclose(out);
	s = service_of(name, text);
	free(text);
	free(copy);
	return s;
}

static inline void want_service(const struct model *m, const char *name, const char *listeners,
				const char *pool, struct changes *c)
{
	const struct service *s = listeners ? make_service(name, listeners, pool) : NULL;

	model_want_service(m, name, s, c);
	service_unref(s);
}

static inline void want_pool(const struct model *m, const char *name, const char *addresses,
			     struct changes *c)
{
	const struct pool *p = addresses ? make_pool(name, addresses) : NULL;

	model_want_pool(m, name, p, c);
	pool_unref(p);
}

/* The number of problems with this pointer and a message that holds `part`. */
static inline size_t problems_like(const struct err *err, const char *pointer, const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < err->n_problems; i++)
		n += strcmp(err->problems[i].pointer, pointer) == 0 &&
		     strstr(err->problems[i].message, part) != NULL;
	return n;
}

/* All problems, one a line, for a message of ck_assert_msg(); leaks, on failure only. */
static inline const char *problems_text(const struct err *err)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < err->n_problems; i++)
		fprintf(out, "\n%s | %s", err->problems[i].pointer, err->problems[i].message);
	fclose(out);
	return text;
}

#define ck_assert_problem(err, pointer, part)                                                      \
	ck_assert_msg(problems_like(err, pointer, part) == 1, "no problem %s | %s in:%s", pointer, \
		      part, problems_text(err))

#endif
