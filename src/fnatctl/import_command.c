/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No daemon is asked: what is printed is for a person to read, to complete and to apply. The
 * document goes to stdout, what is not in it to stderr, so that the one can go to a file while the
 * other is read.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/assign.h"
#include "fnatctl/commands.h"
#include "fnatctl/document.h"
#include "fnatctl/import.h"
#include "fnatctl/text.h"
#include "model/json.h"

typedef int reader_fn(struct import *im, const struct import_source *src, struct err *err);

static const struct {
	const char *name;
	reader_fn *read;
} readers[] = {
	{ "ipvsadm", import_ipvsadm },
	{ "keepalived", import_keepalived },
	{ "nftlb", import_nftlb },
};

static reader_fn *find_reader(const char *name)
{
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
		if (!strcmp(readers[i].name, name))
			return readers[i].read;
	abort(); /* the table of commands names one that is not here */
}

static int take_each(const glob_t *found, import_take_fn *take, void *ctx)
{
	int n = 0;

	for (size_t i = 0; i < found->gl_pathc; i++) {
		struct err err = ERR_INIT;
		struct document d;

		if (document_read(found->gl_pathv[i], &d, &err) == 0) {
			take(ctx, found->gl_pathv[i], d.text, d.len);
			document_fini(&d);
			n++;
		}
		cli_problems(&err);
		err_fini(&err);
	}
	return n;
}

/* As keepalived does it: relative to the file that includes. */
static int include(void *arg, const char *from, const char *pattern, import_take_fn *take,
		   void *ctx)
{
	const char *slash = strrchr(from, '/');
	size_t len = *pattern != '/' && slash ? (size_t)(slash - from) + 1 : 0;
	char *path = mem_printf("%.*s%s", (int)len, from, pattern);
	glob_t found;
	int code = glob(path, 0, NULL, &found), n;

	(void)arg;
	free(path);
	n = code == 0 ? take_each(&found, take, ctx) : code == GLOB_NOMATCH ? 0 : -EIO;
	if (code == 0)
		globfree(&found);
	return n;
}

/* --pool as the addresses of a pool; NULL, and the reason printed, when they cannot be one's. */
static json_t *read_pool(const char *text)
{
	char *assignment = mem_printf("addresses=%s", text);
	struct err err = ERR_INIT;
	json_t *value = assign_parse("pool", &assignment, 1, &err), *addresses = NULL;
	const struct pool *pool = value ? pool_from_json(value, "local", "", &err) : NULL;

	if (pool)
		addresses = json_incref(json_object_get(value, "addresses"));
	cli_problems(&err);
	err_fini(&err);
	pool_unref(pool);
	json_decref(value);
	free(assignment);
	return addresses;
}

static void print_notes(const struct import *im)
{
	for (size_t i = 0; i < im->n_notes; i++) {
		const struct import_note *n = &im->notes[i];

		if (n->at.file)
			cli_error("%s:%zu: %s", n->at.file, n->at.line, n->text);
		else
			cli_error("%s", n->text);
	}
	if (im->n_dropped)
		cli_error("and %zu more", im->n_dropped);
}

static int print_document(struct import *im)
{
	json_t *document = import_finish(im);
	size_t n = json_object_size(json_object_get(document, "services"));
	char services[64], notes[64];

	print_notes(im);
	if (n > 0) {
		json_dumpf(document, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(document);
	if (n == 0)
		cli_error("no service was found that can be carried over");
	else if (im->n_notes)
		cli_error("%s carried over, with %s above", text_count(n, "service", services),
			  text_count(im->n_notes + im->n_dropped, "note", notes));
	return n > 0 ? CLI_OK : CLI_REFUSED;
}

static int read_and_print(const struct cli *cli, const struct document *d, const json_t *pool)
{
	struct import im = { .pool = pool };
	struct import_source src = {
		.name = d->name, .text = d->text, .len = d->len, .include = include
	};
	struct err err = ERR_INIT;
	int ret = CLI_REFUSED;

	if (find_reader(cli->command->object)(&im, &src, &err) == 0)
		ret = print_document(&im);
	else if (!document_explain(d, stderr))
		cli_problems(&err);
	err_fini(&err);
	import_fini(&im);
	return ret;
}

int run_import(struct cli *cli, char *const args[], size_t n)
{
	json_t *pool = cli->pool ? read_pool(cli->pool) : NULL;
	struct err err = ERR_INIT;
	int ret = CLI_REFUSED;
	struct document d;

	if (cli->pool && !pool)
		return CLI_USAGE;
	if (document_read(n > 0 ? args[0] : "-", &d, &err) == 0) {
		ret = read_and_print(cli, &d, pool);
		document_fini(&d);
	}
	cli_problems(&err);
	err_fini(&err);
	json_decref(pool);
	return ret;
}
