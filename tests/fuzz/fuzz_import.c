/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the configuration of another balancer (READER: one of fnatctl/import.h's): what is
 * printed is a configuration that the daemon takes. Programs are made of this file, one a reader.
 */
#include <stdlib.h>
#include <string.h>

#include "fnatctl/import.h"
#include "model/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Includes are answered with the text itself, from other "files": one in another is deep enough. */
struct included {
	const char *text;
	size_t len;
	unsigned int n;
};

static int include(void *arg, const char *from, const char *pattern, import_take_fn *take,
		   void *ctx)
{
	struct included *in = arg;

	(void)from;
	if (in->n++ > 2 || !*pattern)
		return 0;
	take(ctx, pattern, in->text, in->len);
	return 1;
}

static void check_document(const json_t *document)
{
	struct err err = ERR_INIT;
	struct changes changes = { 0 };
	struct model *m = model_new();
	struct config c;

	must(config_from_json(document, &c, &err) == 0);
	config_changes(&c, m, &changes);
	must(model_check(m, &changes, &err) == 0);
	changes_fini(&changes);
	config_fini(&c);
	model_free(m);
	err_fini(&err);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	json_t *pool =
		size && data[0] & 1 ? json_pack("[ss]", "10.1.0.50-10.1.0.59", "fd00:1::50") : NULL;
	struct import im = { .pool = pool };
	struct included included = { (const char *)data, size, 0 };
	struct import_source src = { "input", (const char *)data, size, include, &included };
	struct err err = ERR_INIT;
	json_t *document;

	if (READER(&im, &src, &err) == 0) {
		document = import_finish(&im);
		check_document(document);
		json_decref(document);
	} else {
		must(err_any(&err));
	}
	err_fini(&err);
	import_fini(&im);
	json_decref(pool);
	return 0;
}
