/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a probe. One is made for a backend and started again and again, so that a type can
 * keep what is expensive to make. A balancer that has run out of something must not conclude
 * that all its backends are down: such errors are told apart from what the network said.
 */
#include "health/probe.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

#define TYPES_MAX 32

struct prober {
	struct event_base *base;
	char *programs;
	struct prober_sockets sockets;
	void *shared[TYPES_MAX]; /* by index of the type */
};

const char *probe_result_name(enum probe_result result)
{
	static const char *const names[] = { "ok", "failed", "undone" };

	return names[result];
}

const struct probe_type *probe_type_of(const struct check *c)
{
	const struct probe_type *type;

	for (size_t i = 0; (type = probe_type_at(i)); i++) {
		if (strcmp(type->name, check_type_name(c->type)) == 0)
			return type;
	}
	return NULL;
}

static size_t type_index(const struct probe_type *type)
{
	size_t i = 0;

	while (probe_type_at(i) != type)
		i++;
	assert(i < TYPES_MAX);
	return i;
}

static struct prober_sockets share_of_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		files.rlim_cur = RLIM_INFINITY;
	return (struct prober_sockets){ .kept_max = files.rlim_cur / 2,
					.open_max = files.rlim_cur / 4 * 3 };
}

struct prober *prober_new(struct event_base *base, const char *programs)
{
	struct prober *r = mem_zalloc(sizeof(*r));

	r->base = base;
	r->programs = programs ? mem_strdup(programs) : NULL;
	r->sockets = share_of_files();
	return r;
}

void prober_free(struct prober *r)
{
	const struct probe_type *type;

	if (!r)
		return;
	for (size_t i = 0; (type = probe_type_at(i)); i++) {
		if (r->shared[i])
			type->close(r->shared[i]);
	}
	free(r->programs);
	free(r);
}

struct event_base *prober_base(const struct prober *r)
{
	return r->base;
}

const char *prober_programs(const struct prober *r)
{
	return r->programs;
}

struct prober_sockets *prober_sockets(struct prober *r)
{
	return &r->sockets;
}

void *probe_shared(const struct probe *p)
{
	return p->prober->shared[type_index(p->type)];
}

struct probe *probe_new(struct prober *r, const struct check *check,
			const struct probe_target *target, probe_done_fn *done, void *arg)
{
	const struct probe_type *type = probe_type_of(check);
	struct probe *p = mem_zalloc(type->bytes);

	p->type = type;
	p->prober = r;
	p->check = check_ref(check);
	p->target = *target;
	if (check->address.family != AF_UNSPEC)
		p->target.address = check->address;
	if (check->port)
		p->target.port = (uint16_t)check->port;
	if (check->source.family == p->target.address.family)
		p->source = check->source;
	p->done = done;
	p->arg = arg;
	return p;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	probe_cancel(p);
	if (p->type->fini)
		p->type->fini(p);
	check_unref(p->check);
	free(p);
}

/* 0, or the errno that kept it from being opened. */
static int open_shared(struct probe *p)
{
	void **shared = &p->prober->shared[type_index(p->type)];

	if (!p->type->open || *shared)
		return 0;
	*shared = p->type->open(p->prober);
	return *shared ? 0 : errno ? errno : ENOMEM;
}

void probe_start(struct probe *p, uint64_t now_us)
{
	int code = open_shared(p);

	assert(!p->is_running);
	p->is_running = true;
	p->started_us = now_us;
	p->stage = "waiting";
	p->outcome = (struct probe_outcome){ .weight_percent = -1, .weight = -1 };
	if (code)
		probe_done(p, PROBE_UNDONE, "%s", strerror(code));
	else
		p->type->start(p);
}

void probe_cancel(struct probe *p)
{
	if (!p->is_running)
		return;
	p->is_running = false;
	p->type->cancel(p);
}

static void finish(struct probe *p, enum probe_result result)
{
	uint64_t now_us = clock_mono_us();

	p->is_running = false;
	p->outcome.result = result;
	p->outcome.duration_us = (uint32_t)(now_us > p->started_us ? now_us - p->started_us : 0);
	p->done(p, &p->outcome);
}

void probe_done(struct probe *p, enum probe_result result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->outcome.reason, sizeof(p->outcome.reason), fmt, ap);
	va_end(ap);
	utf8_clean(p->outcome.reason);
	utf8_clean(p->outcome.warning);
	finish(p, result);
}

void probe_expire(struct probe *p)
{
	bool is_ok = p->type->is_silence_ok && p->type->is_silence_ok(p);
	const char *stage = p->stage;

	probe_cancel(p);
	if (is_ok)
		probe_done(p, PROBE_OK, "no reply, and none is required");
	else
		probe_done(p, PROBE_FAILED, "timeout, %s", stage);
}

static bool is_our_fault(int code)
{
	static const int faults[] = { EMFILE,     ENFILE, ENOMEM,        ENOBUFS, EAGAIN,
				      EADDRINUSE, EPERM,  EADDRNOTAVAIL, EACCES };

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i] == code)
			return true;
	}
	return false;
}

void probe_done_errno(struct probe *p, const char *what, int code)
{
	char text[64];

	probe_done(p, is_our_fault(code) ? PROBE_UNDONE : PROBE_FAILED, "%s: %s", what,
		   strerror_r(code, text, sizeof(text)));
}
