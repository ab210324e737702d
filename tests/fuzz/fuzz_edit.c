/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the body of any change: refused with problems that can be shown, or a change that
 * the model takes and gives back. The first byte chooses the route, the second the object.
 */
#include <stdlib.h>
#include <string.h>

#include "api/edit.h"
#include "api/problem.h"
#include "api/routes.h"
#include "model/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static struct model *model_of(const char *text)
{
	struct err err = ERR_INIT;
	struct changes changes = { 0 };
	struct model *m = model_new();
	struct config c;

	must(config_parse(text, strlen(text), &c, &err) == 0);
	config_changes(&c, m, &changes);
	model_apply(m, &changes);
	config_fini(&c);
	changes_fini(&changes);
	return m;
}

static const char start[] =
	"{\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.50-10.1.0.59\",\"fd00:1::50\"]},"
	"\"dmz\":{\"addresses\":[\"10.2.0.1\"]}},\"services\":{\"web\":{\"listeners\":["
	"{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\",\"port\":80}],\"pool\":\"lan\","
	"\"backends\":{\"a\":{\"address\":\"10.1.0.1\"},\"b\":{\"address\":\"10.1.0.2\"}}}}}";

static const struct edit_kind *pick_kind(unsigned int n)
{
	const struct route *r;
	unsigned int n_edits = 0;

	for (size_t i = 0; (r = route_at(i)); i++)
		n_edits += r->edit != NULL;
	n %= n_edits;
	for (size_t i = 0; (r = route_at(i)); i++)
		if (r->edit && n-- == 0)
			return r->edit;
	abort();
}

static int read_edit(struct edit *e, const char *text, size_t len, struct err *err)
{
	if (e->kind->read_text)
		return e->kind->read_text(e, text, len, err);
	if (e->kind->body != EDIT_NO_BODY && !(e->body = json_parse(text, len, err)))
		return -1;
	return e->kind->read ? e->kind->read(e, err) : 0;
}

static void check_result(const struct edit *e)
{
	json_t *value = e->kind->result ? e->kind->result(e, 1) : NULL;
	char *text;

	if (!value)
		return;
	text = json_dumps(value, 0);
	must(text != NULL);
	free(text);
	json_decref(value);
}

static void check_accepted(struct edit *e, struct model *m, const struct changes *changes)
{
	size_t n_services = model_n_services(m), n_pools = model_n_pools(m);

	check_result(e);
	model_apply(m, changes);
	model_revert(m, changes);
	must(model_n_services(m) == n_services && model_n_pools(m) == n_pools);
}

static void check_refused(const struct err *err)
{
	size_t len;
	char *text = problem_body_of_err(err, &len);
	json_t *value = json_loadb(text, len, 0, NULL);

	must(value && json_array_size(json_object_get(value, "problems")) > 0);
	json_decref(value);
	free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char *const names[][2] = {
		{ "web", "a" }, { "lan", "c" }, { "dmz", "" }, { "new", "/" }
	};
	struct changes changes = { 0 };
	struct err err = ERR_INIT;
	struct edit e = { 0 };
	struct model *m;

	if (size < 2)
		return 0;
	m = model_of(start);
	e.kind = pick_kind(data[0]);
	memcpy(e.names, names[data[1] % 4], sizeof(e.names));
	if (read_edit(&e, (const char *)data + 2, size - 2, &err) == 0 &&
	    e.kind->prepare(&e, m, &changes, &err) == 0 && model_check(m, &changes, &err) == 0)
		check_accepted(&e, m, &changes);
	else
		check_refused(&err);
	edit_fini(&e);
	changes_fini(&changes);
	err_fini(&err);
	model_free(m);
	return 0;
}
