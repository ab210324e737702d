/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An engine and its loop for tests: ask, wait for the answers, look. */
#ifndef FNAT_TESTS_ENGINE_HELPER_H
#define FNAT_TESTS_ENGINE_HELPER_H

#include "engine/engine.h"
#include "model/json.h"

struct lab {
	struct event_base *base;
	struct engine *engine;
};

/* Starts with this document; fails the test when that fails. */
void lab_start(struct lab *lab, const struct engine_options *opt, const char *document);
void lab_stop(struct lab *lab);

/* A request to replace the whole document, or one service (document NULL). */
struct ask {
	const char *document;
	const char *service, *json; /* json NULL: remove it */
	bool is_dry_run;
	/* Once it is answered */
	bool is_done;
	struct engine_result result;
	size_t n_ops;
	enum err_kind kind;
	char message[512];
};

void lab_ask(struct lab *lab, struct ask *ask);
/* Runs the loop until all n are answered. */
void lab_wait(struct lab *lab, struct ask *asks, size_t n);
/* lab_ask() + lab_wait() of one service. */
struct ask lab_put(struct lab *lab, const char *service, const char *json);
struct ask lab_put_document(struct lab *lab, const char *document);

long lab_verify(struct lab *lab);
long lab_flush(struct lab *lab);
/* The caller frees it. */
char *lab_ruleset(struct lab *lab);
/* Runs the loop until nothing waits for removal. */
void lab_wait_garbage(struct lab *lab);
struct engine_status lab_status(const struct lab *lab);
/* One round of the loop, or 50 ms. */
void lab_turn(struct lab *lab);

/* What config_from_json() and the differences to an empty model make of the document. */
void document_changes(const char *document, struct changes *out);

#endif
