/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A seed is a generation like any other: it is on disk before the kernel gets
 * it, and taken back when the kernel refuses.
 */
#include "fnatd_source.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "fnatd_config.h"

static int file_read(const char *path, struct changes *out, struct err *err)
{
	int code = fnatd_config_initial(path, out, err);

	if (code < 0) { /* with the file's name before each */
		fnatd_config_log(path, err);
		err_reset(err);
	}
	return code;
}

static void config_initial(const struct config *c, struct changes *out)
{
	struct model *empty = model_new();

	config_changes(c, empty, out);
	model_free(empty);
}

static int seed(const struct fnatd_options *o, struct source *s, struct err *err)
{
	char *what = mem_printf("--config %s", o->config);
	struct store_generation g = { .generation = 1,
				      .time_ms = (int64_t)time(NULL) * 1000,
				      .uid = -1,
				      .pid = -1,
				      .what = what,
				      .changes = &s->initial };
	int code = file_read(o->config, &s->initial, err);

	if (code == 0)
		code = store_write(s->store, &g, 1, err);
	s->generation = 1;
	s->is_pending = true;
	free(what);
	return code;
}

static int load(struct source *s, bool drop_pending, struct store_state *state, struct config *c,
		struct err *err)
{
	int code = store_load(s->store, state, c, err);

	if (code < 0 || !drop_pending || state->generation <= state->confirmed)
		return code;
	config_fini(c);
	*c = (struct config){ 0 };
	code = store_revert(s->store, state->confirmed, err);
	return code < 0 ? code : store_load(s->store, state, c, err);
}

static int from_store(const struct fnatd_options *o, bool drop_pending, struct source *s,
		      struct err *err)
{
	struct store_options opt = { .dir = o->state_dir,
				     .generations = o->history,
				     .is_renewed = o->is_new_store };
	struct store_state state = { 0 };
	struct config c = { 0 };
	int code = store_open(&opt, &s->store, err);

	if (code == 0)
		code = load(s, drop_pending, &state, &c, err);
	if (code == 0 && state.generation == 0 && o->config && !drop_pending) {
		code = seed(o, s, err);
	} else if (code == 0) {
		config_initial(&c, &s->initial);
		s->generation = state.generation;
		s->is_pending = state.generation > state.confirmed;
		s->is_unconfigured = state.generation == 0;
		s->rollback_to = state.rollback_to;
		s->rollback_at_ms = state.rollback_at_ms;
		if (o->config)
			log_info("fnatd",
				 "%s: not read, it only seeds an empty store; see "
				 "--config-readonly",
				 o->config);
	}
	config_fini(&c);
	return code;
}

int source_open(const struct fnatd_options *o, bool drop_pending, struct source *out,
		struct err *err)
{
	int code;

	*out = (struct source){ .generation = 1 };
	code = o->config_readonly ? file_read(o->config_readonly, &out->initial, err)
				  : from_store(o, drop_pending, out, err);
	if (code < 0)
		source_close(out);
	return code;
}

void source_close(struct source *s)
{
	changes_fini(&s->initial);
	store_close(s->store);
	*s = (struct source){ 0 };
}
