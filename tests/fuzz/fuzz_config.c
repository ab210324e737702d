/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a configuration: both ways to read it agree, messages can stand in JSON, what was
 * accepted can be applied, taken back, written and read again.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_config CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "model/json.h"

#define MESSAGE_MAX 1000

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check_same(const struct config *a, const struct config *b)
{
	must(a->n_services == b->n_services && a->n_pools == b->n_pools);
	for (size_t i = 0; i < a->n_services; i++)
		must(service_equal(a->services[i], b->services[i]));
	for (size_t i = 0; i < a->n_pools; i++)
		must(pool_equal(a->pools[i], b->pools[i]));
}

static void check_problems(const struct err *err)
{
	for (size_t i = 0; i < err->n_problems; i++) {
		json_t *message = json_string(err->problems[i].message);
		json_t *pointer = json_string(err->problems[i].pointer);

		must(message && pointer && json_string_length(message) < MESSAGE_MAX);
		json_decref(message);
		json_decref(pointer);
	}
}

static void check_written(const struct config *c)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < c->n_services; i++) {
		const char *name = c->services[i]->name;
		json_t *value = service_to_json(c->services[i]);
		const struct service *s = service_from_json(value, name, "", &err);

		must(s && service_equal(s, c->services[i]));
		service_unref(s);
		json_decref(value);
	}
	for (size_t i = 0; i < c->n_pools; i++) {
		json_t *value = pool_to_json(c->pools[i]);
		const struct pool *p = pool_from_json(value, c->pools[i]->name, "", &err);

		must(p && pool_equal(p, c->pools[i]));
		pool_unref(p);
		json_decref(value);
	}
}

static void check_applied(const struct config *c)
{
	struct model *m = model_new();
	struct changes changes = { 0 }, none = { 0 };
	struct err err = ERR_INIT;

	config_changes(c, m, &changes);
	if (model_check(m, &changes, &err) == 0) {
		model_apply(m, &changes);
		model_revert(m, &changes);
		must(model_n_services(m) == 0 && model_n_pools(m) == 0);
		model_apply(m, &changes);
		config_changes(c, m, &none);
		must(none.n == 0);
	}
	check_problems(&err);
	err_fini(&err);
	changes_fini(&changes);
	model_free(m);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct err plain_err = ERR_INIT, err = ERR_INIT;
	struct config plain = { 0 }, c = { 0 };
	json_t *value = json_parse((const char *)data, size, &plain_err);
	int plain_rc = value ? config_from_json(value, &plain, &plain_err) : -1;
	int rc = config_parse((const char *)data, size, &c, &err);

	must((plain_rc == 0) == (rc == 0) && plain_err.n_problems == err.n_problems);
	check_same(&plain, &c);
	check_problems(&err);
	if (rc == 0) {
		check_written(&c);
		check_applied(&c);
	}
	config_fini(&plain);
	config_fini(&c);
	err_fini(&plain_err);
	err_fini(&err);
	json_decref(value);
	return 0;
}
