/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rollback is an ordinary request, made by the daemon: it is checked,
 * stored, answered and logged like any other. If it is refused (the disk is
 * full, say) it is tried again, for the operator may have lost the way in.
 */
#include "engine/confirm.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_internal.h"

#define RETRY_MS 5000

struct confirm {
	struct engine *engine;
	struct event *timer;
	uint64_t to;
	int64_t at_ms;
};

static void timer_set(struct confirm *c, int64_t ms)
{
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(c->timer, &wait);
}

static void forgotten(const struct err *err, void *arg)
{
	(void)arg;
	if (err)
		log_error("engine", "%s", err_text(err));
}

static void rolled_back(const struct engine_result *result, const struct err *err, void *arg)
{
	struct confirm *c = arg;

	if (err) {
		log_error("engine", "rollback to generation %llu failed, will be tried again: %s",
			  (unsigned long long)c->to, err_text(err));
		timer_set(c, RETRY_MS);
		return;
	}
	log_warn("engine",
		 "not confirmed in time: went back to generation %llu, as generation %llu",
		 (unsigned long long)c->to, (unsigned long long)result->generation);
	engine_confirm(c->engine, forgotten, c);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct requester who = { .uid = -1, .pid = -1, .what = "rollback: not confirmed in time" };
	struct confirm *c = arg;

	(void)fd;
	(void)what;
	engine_rollback(c->engine, &who, false, c->to, rolled_back, c);
}

struct confirm *confirm_new(struct engine *e, struct event_base *base)
{
	struct confirm *c = mem_zalloc(sizeof(*c));

	c->engine = e;
	c->timer = event_new(base, -1, 0, timer_cb, c);
	return c;
}

void confirm_free(struct confirm *c)
{
	if (!c)
		return;
	event_free(c->timer);
	free(c);
}

int confirm_check(const struct confirm *c, struct err *err)
{
	if (!c->engine->keeper)
		return err_add(err, ERR_CONFLICT, -EOPNOTSUPP, NULL,
			       "there would be no way back: fnatd runs without a store");
	if (c->at_ms)
		return err_add(err, ERR_CONFLICT, -EBUSY, NULL,
			       "generation %llu is still to be confirmed: confirm it, or wait for "
			       "the rollback to generation %llu",
			       (unsigned long long)c->engine->generation,
			       (unsigned long long)c->to);
	return 0;
}

void confirm_set(struct confirm *c, uint64_t to, int64_t at_ms)
{
	int64_t wait_ms = at_ms - clock_real_ms();

	c->to = to;
	c->at_ms = at_ms;
	event_del(c->timer);
	if (at_ms)
		timer_set(c, wait_ms > 0 ? wait_ms : 0);
}

int64_t confirm_get(const struct confirm *c, uint64_t *to)
{
	*to = c->to;
	return c->at_ms;
}
