/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine_helper.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static json_t *parse(const char *text)
{
	struct err err;
	json_t *value;

	err_init(&err);
	value = json_parse(text, strlen(text), &err);
	ck_assert_msg(value != NULL, "%s", err_text(&err));
	err_fini(&err);
	return value;
}

static void parse_document(const char *text, struct config *c)
{
	json_t *value = parse(text);
	struct err err;

	err_init(&err);
	ck_assert_msg(config_from_json(value, c, &err) == 0, "%s", err_text(&err));
	err_fini(&err);
	json_decref(value);
}

void document_changes(const char *document, struct changes *out)
{
	struct model *m = model_new();
	struct config c;

	parse_document(document, &c);
	config_changes(&c, m, out);
	config_fini(&c);
	model_free(m);
}

void lab_start(struct lab *lab, const struct engine_options *opt, const char *document)
{
	struct changes initial = { 0 };
	struct err err;

	err_init(&err);
	document_changes(document, &initial);
	lab->base = event_base_new();
	ck_assert_msg(engine_new(lab->base, opt, &lab->engine, &err) == 0, "%s", err_text(&err));
	ck_assert_msg(engine_start(lab->engine, &initial, 1, &err) == 0, "%s", err_text(&err));
	changes_fini(&initial);
	err_fini(&err);
}

void lab_stop(struct lab *lab)
{
	engine_free(lab->engine);
	event_base_free(lab->base);
	lab->engine = NULL;
}

static int ask_prepare(const struct model *m, uint64_t generation, void *arg, struct changes *out,
		       struct err *err)
{
	const struct ask *ask = arg;
	const struct service *s = NULL;
	json_t *value;

	(void)generation;
	if (ask->document) {
		struct config c;

		parse_document(ask->document, &c);
		config_changes(&c, m, out);
		config_fini(&c);
		return 0;
	}
	if (ask->json) {
		value = parse(ask->json);
		s = service_from_json(value, ask->service, "", err);
		json_decref(value);
		if (!s)
			return -1;
	}
	model_want_service(m, ask->service, s, out);
	service_unref(s);
	return 0;
}

static void ask_done(const struct engine_result *result, const struct err *err, void *arg)
{
	struct ask *ask = arg;

	ck_assert(!ask->is_done);
	ask->is_done = true;
	ask->result = *result;
	ask->n_ops = result->ops ? result->ops->stage[0].n + result->ops->stage[1].n : 0;
	ask->kind = err ? err->kind : ERR_NONE;
	snprintf(ask->message, sizeof(ask->message), "%s", err ? err_text(err) : "");
}

void lab_ask(struct lab *lab, struct ask *ask)
{
	static const struct requester self = { .uid = -1, .pid = -1, .what = "test" };

	engine_request(lab->engine, &self, ask->is_dry_run, ask_prepare, ask_done, ask);
	ck_assert_msg(!ask->is_done, "answered from within engine_request()");
}

void lab_turn(struct lab *lab)
{
	struct timeval t = { .tv_usec = 50000 };

	event_base_loopexit(lab->base, &t);
	event_base_loop(lab->base, EVLOOP_ONCE);
}

void lab_wait(struct lab *lab, struct ask *asks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		while (!asks[i].is_done)
			event_base_loop(lab->base, EVLOOP_ONCE);
	}
}

struct ask lab_put(struct lab *lab, const char *service, const char *json)
{
	struct ask ask = { .service = service, .json = json };

	lab_ask(lab, &ask);
	lab_wait(lab, &ask, 1);
	return ask;
}

struct ask lab_put_document(struct lab *lab, const char *document)
{
	struct ask ask = { .document = document };

	lab_ask(lab, &ask);
	lab_wait(lab, &ask, 1);
	return ask;
}

struct number {
	bool is_done;
	long n;
};

static void number_done(long n, const struct err *err, void *arg)
{
	struct number *number = arg;

	ck_assert_msg(err == NULL, "%s", err ? err_text(err) : "");
	number->n = n;
	number->is_done = true;
}

static long number_wait(struct lab *lab, struct number *number)
{
	while (!number->is_done)
		event_base_loop(lab->base, EVLOOP_ONCE);
	return number->n;
}

long lab_verify(struct lab *lab)
{
	struct number number = { false, 0 };

	engine_verify(lab->engine, number_done, &number);
	return number_wait(lab, &number);
}

long lab_flush(struct lab *lab)
{
	struct number number = { false, 0 };

	engine_flush(lab->engine, number_done, &number);
	return number_wait(lab, &number);
}

static void ruleset_done(char *text, size_t len, const struct err *err, void *arg)
{
	char **out = arg;

	ck_assert_msg(err == NULL, "%s", err ? err_text(err) : "");
	*out = mem_strndup(text, len);
}

char *lab_ruleset(struct lab *lab)
{
	char *text = NULL;

	engine_ruleset(lab->engine, ruleset_done, &text);
	while (!text)
		event_base_loop(lab->base, EVLOOP_ONCE);
	return text;
}

struct engine_status lab_status(const struct lab *lab)
{
	struct engine_status s;

	engine_status(lab->engine, &s);
	return s;
}

void lab_wait_garbage(struct lab *lab)
{
	while (lab_status(lab).garbage > 0)
		lab_turn(lab);
}
