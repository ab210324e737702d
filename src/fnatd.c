/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments and wiring. The order of the start is what can fail cheaply first (the
 * file, another daemon), then the kernel, then the API: whoever can connect finds a balancer
 * that works. The end is the reverse: what was accepted is answered, then the sockets close,
 * and the kernel goes on with the table.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/api.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/balancer.h"
#include "engine/budget.h"
#include "engine/drain.h"
#include "engine/engine.h"
#include "engine/limiter.h"
#include "engine/observer.h"
#include "engine/overlay.h"
#include "engine/session_log.h"
#include "engine/tally.h"
#include "fnatd_config.h"
#include "fnatd_health.h"
#include "fnatd_hook.h"
#include "fnatd_options.h"
#include "fnatd_process.h"
#include "fnatd_source.h"
#include "kernel/assigner.h"
#include "kernel/nft.h"
#include "kernel/trace.h"

struct fnatd {
	const struct fnatd_options *options;
	struct event_base *base;
	struct engine *engine;
	struct keeper_of_health *health;
	struct assigner *assigner;
	struct observer *observer;
	struct balancer *balancer;
	struct limiter *limiter;
	struct tally *tally;
	struct drainer *drainer;
	struct overlay *overlay; /* NULL without --config-readonly */
	struct hook *hook;       /* NULL: none */
	char *memory;            /* file of health; NULL: nothing outlives fnatd */
	struct budget *budget;
	struct session_log *session_log; /* NULL: off */
	struct api *api;
	struct reload *reload; /* NULL without --config-readonly */
	struct event *signals[3];
	struct event *watchdog; /* NULL: nobody watches */
};

static void err_log(const struct err *err)
{
	for (size_t i = 0; i < err->n_problems; i++) {
		const struct problem *p = &err->problems[i];

		log_error("fnatd", "%s%s%s", p->pointer, *p->pointer ? ": " : "", p->message);
	}
}

static int check_file(const char *path)
{
	struct changes changes = { 0 };
	struct err err;
	int code;

	err_init(&err);
	code = fnatd_config_initial(path, &changes, &err);
	for (size_t i = 0; i < err.n_problems; i++) {
		const struct problem *p = &err.problems[i];

		fprintf(stderr, "%s: %s%s%s\n", path, p->pointer, *p->pointer ? ": " : "",
			p->message);
	}
	if (err.n_dropped > 0)
		fprintf(stderr, "%s: %zu more problems\n", path, err.n_dropped);
	if (code == 0)
		printf("%s: %zu objects, no problem found\n", path, changes.n);
	changes_fini(&changes);
	err_fini(&err);
	return code < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int flush_table(const char *table)
{
	struct err err;
	int code;

	err_init(&err);
	code = nft_flush(table, &err);
	if (code == 0)
		code = assigner_flush(table, &err);
	if (code < 0)
		err_log(&err);
	if (err.kind == ERR_CONFLICT)
		log_error("fnatd", "while fnatd runs: fnatctl flush");
	err_fini(&err);
	return code < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void stop_cb(evutil_socket_t signal, short what, void *arg)
{
	struct fnatd *d = arg;

	(void)what;
	log_info("fnatd", "stopping (%s); the table stays", strsignal((int)signal));
	event_base_loopbreak(d->base);
}

static void hangup_cb(evutil_socket_t signal, short what, void *arg)
{
	struct fnatd *d = arg;

	(void)signal;
	(void)what;
	process_notify_reloading();
	if (d->session_log)
		session_log_reopen(d->session_log);
	if (!d->reload) {
		if (!d->session_log)
			log_warn("fnatd",
				 "SIGHUP: there is no --config-readonly to read again; what the "
				 "store has is changed with fnatctl");
		engine_preflight(d->engine);
		process_notify("READY=1");
		return;
	}
	reload_start(d->reload);
}

static void signals_init(struct fnatd *d)
{
	d->signals[0] = evsignal_new(d->base, SIGTERM, stop_cb, d);
	d->signals[1] = evsignal_new(d->base, SIGINT, stop_cb, d);
	d->signals[2] = evsignal_new(d->base, SIGHUP, hangup_cb, d);
	for (size_t i = 0; i < 3; i++)
		event_add(d->signals[i], NULL);
}

static void watchdog_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	process_notify("WATCHDOG=1");
}

/* From the loop that serves the API: a loop that hangs is what the watchdog is to find. */
static void watchdog_init(struct fnatd *d)
{
	uint64_t half_us = process_watchdog_us() / 2;
	const struct timeval period = { .tv_sec = (time_t)(half_us / 1000000),
					.tv_usec = (suseconds_t)(half_us % 1000000) };

	if (half_us == 0)
		return;
	d->watchdog = event_new(d->base, -1, EV_PERSIST, watchdog_cb, d);
	event_add(d->watchdog, &period);
}

static void assign_cb(const struct changes *c, void *arg)
{
	assigner_follow(arg, c);
}

/* The engine and those who follow it. */
static void engine_end(struct fnatd *d)
{
	fnatd_health_free(d->health);
	limiter_free(d->limiter);
	session_log_free(d->session_log);
	budget_free(d->budget);
	balancer_free(d->balancer);
	observer_free(d->observer);
	engine_free(d->engine);
	drainer_free(d->drainer);
	tally_free(d->tally);
	overlay_free(d->overlay);
	assigner_free(d->assigner);
	d->health = NULL;
	d->limiter = NULL;
	d->tally = NULL;
	d->session_log = NULL;
	d->budget = NULL;
	d->balancer = NULL;
	d->observer = NULL;
	d->drainer = NULL;
	d->overlay = NULL;
	d->engine = NULL;
	d->assigner = NULL;
}

static struct observer *start_observer(struct fnatd *d)
{
	struct observer_options opt = d->options->observer;
	char *path = mem_printf("%s/counters", d->options->state_dir);
	struct observer *o;

	opt.saved_path = path;
	o = observer_new(d->base, d->engine, &opt);
	free(path);
	return o;
}

static void overlay_cb(const struct changes *c, void *arg)
{
	struct fnatd *d = arg;

	(void)c;
	overlay_follow(d->overlay, engine_model(d->engine));
}

/* States of backends that were set over the API, over what the file says. */
static void start_overlay(struct fnatd *d, struct changes *initial)
{
	char *path = mem_printf("%s/states.json", d->options->state_dir);

	d->overlay = overlay_new(path);
	overlay_changes(d->overlay, initial);
	engine_observe(d->engine, overlay_cb, d);
	free(path);
}

static struct drainer *start_drainer(struct fnatd *d)
{
	char *path = mem_printf("%s/drains.json", d->options->state_dir);
	struct drainer *drainer = drainer_new(d->base, d->engine, d->observer, path);

	free(path);
	return drainer;
}

static int try_engine(struct fnatd *d, struct source *s, struct err *err)
{
	struct engine_options opt = d->options->engine;
	int code;

	opt.store = s->store;
	opt.is_read_only = d->options->config_readonly != NULL;
	opt.is_unconfigured = s->is_unconfigured;
	s->store = NULL; /* the engine's, whatever comes */
	if (!d->memory && !d->options->config_readonly)
		d->memory = mem_printf("%s/health.json", d->options->state_dir);
	code = engine_new(d->base, &opt, &d->engine, err);
	if (code == 0)
		code = assigner_new(opt.table, &d->assigner, err);
	if (code == 0) {
		engine_observe(d->engine, assign_cb, d->assigner);
		d->observer = start_observer(d);
		d->balancer = balancer_new(d->base, d->engine, d->observer);
		d->limiter = limiter_new(d->base, d->engine, d->observer);
		d->tally = tally_new(d->base, d->engine, d->observer, opt.table);
		d->drainer = start_drainer(d);
		if (d->options->config_readonly)
			start_overlay(d, &s->initial);
		d->budget = budget_new(d->engine, d->observer);
		d->health = fnatd_health_new(d->base, d->engine, d->observer, d->options->programs,
					     d->memory);
	}
	if (code == 0)
		code = engine_start(d->engine, &s->initial, s->generation, err);
	if (code == 0)
		observer_restore(d->observer);
	if (code == 0) {
		fnatd_health_started(d->health);
		drainer_started(d->drainer);
	}
	if (code == 0)
		engine_resume_rollback(d->engine, s->rollback_to, s->rollback_at_ms);
	return code;
}

/*
 * The newest generations on disk may be ones that the kernel never had: fnatd
 * was killed between the two. If the kernel refuses them, they were never answered, and go.
 */
static int start_engine(struct fnatd *d, struct source *s, struct err *err)
{
	int code = try_engine(d, s, err);
	uint64_t refused = s->generation;
	struct err retry = ERR_INIT;

	if (code == 0 || !s->is_pending || err->kind != ERR_KERNEL)
		return code;
	engine_end(d);
	source_close(s);
	if (source_open(d->options, true, s, &retry) == 0 && s->generation > 0) {
		log_warn("fnatd",
			 "generation %llu was not answered yet and is refused: %s; going "
			 "back to generation %llu",
			 (unsigned long long)refused, err_text(err),
			 (unsigned long long)s->generation);
		err_reset(err);
		code = try_engine(d, s, err);
	}
	err_fini(&retry);
	return code;
}

static int start_api(struct fnatd *d, struct err *err)
{
	const struct api_options opt = {
		.observer = d->observer,
		.balancer = d->balancer,
		.limiter = d->limiter,
		.tally = d->tally,
		.drainer = d->drainer,
		.overlay = d->overlay,
		.budget = d->budget,
		.session_log = d->session_log,
		.socket_path = d->options->socket_path,
		.table = d->options->engine.table,
		.socket_fd = process_activated_socket(),
		.group = d->options->group,
		.read_group = d->options->read_group,
		.status_address = d->options->status_address,
		.origin_address = d->options->origin_address,
		.origin_allow = d->options->origin_allow,
		.limits = d->options->limits,
		.health = fnatd_health(d->health),
	};

	return api_new(d->base, d->engine, &opt, &d->api, err);
}

static int own_socket_ready(const char *path, struct err *err)
{
	int code = process_make_parents(path, err);

	return code < 0 ? code : process_check_socket(path, err);
}

static int start(struct fnatd *d, struct source *s, struct err *err)
{
	const struct fnatd_options *o = d->options;
	int code = process_check_files(err);

	if (code < 0)
		return code;
	code = process_activated_socket() ? 0 : own_socket_ready(o->socket_path, err);
	if (code == 0)
		code = source_open(o, false, s, err);
	malloc_trim(0); /* the JSON tree is gone, and was the larger half of what is needed */
	d->base = event_base_new();
	if (code == 0 && !d->base)
		code = err_add(err, ERR_SYSTEM, -ENOMEM, NULL, "no event loop");
	if (code == 0)
		code = start_engine(d, s, err);
	if (code == 0 && o->session_log)
		code = session_log_new(d->base, observer_stats(d->observer), o->session_log,
				       &d->session_log, err);
	if (code == 0)
		code = start_api(d, err);
	if (code < 0)
		return code;
	if (o->config_readonly)
		d->reload = reload_new(d->base, d->engine, d->overlay, o->config_readonly);
	if (o->on_change)
		d->hook = hook_new(d->base, engine_events(d->engine), o->on_change);
	signals_init(d);
	watchdog_init(d);
	return 0;
}

static void stop(struct fnatd *d)
{
	if (d->engine)
		engine_drain(d->engine);
	tally_drain(d->tally);
	observer_drain(d->observer);
	drainer_drain(d->drainer);
	api_free(d->api);
	reload_free(d->reload);
	hook_free(d->hook);
	engine_end(d);
	for (size_t i = 0; i < 3; i++) {
		if (d->signals[i])
			event_free(d->signals[i]);
	}
	if (d->watchdog)
		event_free(d->watchdog);
	if (d->base)
		event_base_free(d->base);
	libevent_global_shutdown();
	free(d->memory);
}

static int serve(const struct fnatd_options *o, int ready_fd)
{
	struct fnatd d = { .options = o };
	struct source source = { 0 };
	struct err err;
	int code;

	err_init(&err);
	code = start(&d, &source, &err);
	source_close(&source);
	malloc_trim(0); /* the batch of the start is the largest there will ever be */
	if (code < 0) {
		err_log(&err);
	} else {
		process_ready(ready_fd);
		event_base_dispatch(d.base);
		process_notify("STOPPING=1");
	}
	stop(&d);
	err_fini(&err);
	return code < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct fnatd_options o;
	const char **paths[] = { &o.config,    &o.config_readonly, &o.socket_path,
				 &o.state_dir, &o.on_change,       &o.programs };
	char *absolute[6];
	int status, ready_fd = -1;

	/* Without memory jansson leaves members out, and what lacks them would be stored. */
	json_set_alloc_funcs(mem_alloc, free);
	if (!fnatd_options_parse(argc, argv, &o, &status))
		return status;
	log_set_level(o.log_level);
	log_set_json(o.is_log_json);
	if (o.is_trace)
		trace_enable();
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	process_raise_files();
	if (o.check)
		return check_file(o.check);
	if (o.is_flush)
		return flush_table(o.engine.table);
	if (!o.is_foreground)
		ready_fd = process_daemonize();
	for (size_t i = 0; i < 6; i++)
		*paths[i] = absolute[i] = process_absolute(*paths[i]);
	status = serve(&o, ready_fd);
	for (size_t i = 0; i < 6; i++)
		free(absolute[i]);
	return status;
}
