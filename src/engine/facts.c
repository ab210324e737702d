/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What others know, and want to know, of the configuration: health and load come in here, accepted
 * changes go out.
 */
#include <assert.h>

#include "engine/engine_internal.h"

void engine_set_runtime(struct engine *e, const char *service, const char *backend,
			const struct backend_runtime *at)
{
	struct backend_runtime was = runtime_get(e->runtime, service, backend), now = *at;
	const struct service *s = model_service(e->model, service);

	const struct backend *b = s ? service_backend(s, backend) : NULL;

	if (b && was.is_down != now.is_down)
		warmup_runtime(e->warmup, s, backend, &was, &now);
	if (b && now.is_down && !was.is_down)
		departed_add_down(&e->departed, s, b);
	if (runtime_set(e->runtime, service, backend, &now))
		event_active(e->wake, EV_READ, 0);
}

size_t engine_set_detour(struct engine *e, const char *pool, const struct detour *at, bool is_set)
{
	if (runtime_set_detour(e->runtime, pool, at, is_set))
		event_active(e->wake, EV_READ, 0);
	return runtime_detours(e->runtime, pool, at);
}

struct backend_runtime engine_runtime(const struct engine *e, const char *service,
				      const char *backend)
{
	return runtime_get(e->runtime, service, backend);
}

void engine_on_overflow(struct engine *e, engine_overflow_fn *fn, void *arg)
{
	e->on_overflow = fn;
	e->on_overflow_arg = arg;
}

uint64_t engine_runtime_mark(const struct engine *e)
{
	return e->n_told + runtime_is_dirty(e->runtime);
}

bool engine_runtime_done(const struct engine *e, uint64_t mark)
{
	return e->n_known >= mark;
}

void facts_adopt(struct engine *e, const struct changes *initial, const struct gate_reports *found)
{
	for (size_t i = 0; i < found->n; i++) {
		const struct gate_report *r = &found->items[i];
		const struct change *c = changes_find(initial, OBJECT_SERVICE, r->service);
		struct backend_runtime at = runtime_get(e->runtime, r->service, r->backend);

		if (!c || !c->service.after || !service_has_gates(c->service.after))
			continue;
		at.gate = (struct gate_runtime){
			.to = r->gate.to,
			.port = r->gate.port,
			.epoch = r->gate.epoch,
			.of = r->gate.max,
			.tokens = r->gate.tokens,
			.room = r->gate.room,
		};
		runtime_set(e->runtime, r->service, r->backend, &at);
	}
}

void engine_weights(const struct engine *e, const struct service *s, uint32_t *out)
{
	runtime_weights(e->runtime, s, out);
}

struct standing engine_standing(const struct engine *e, const struct service *s)
{
	return runtime_standing(e->runtime, s);
}

void engine_cut(struct engine *e, const struct service *s, const struct backend *b,
		engine_cut_fn *done, void *arg)
{
	struct job *job = job_new(JOB_CUT);

	departed_add_all(&job->departed, s, b);
	job->is_settled = true;
	job->tell.cut = done;
	job->arg = arg;
	e->n_jobs++;
	sweeper_send(e->sweeper, job);
}

void facts_warm(const char *service, const char *backend, uint16_t permille, void *arg)
{
	struct engine *e = arg;
	struct backend_runtime at = runtime_get(e->runtime, service, backend);

	at.warm_permille = permille;
	engine_set_runtime(e, service, backend, &at);
}

void engine_observe(struct engine *e, engine_observe_fn *fn, void *arg)
{
	assert(e->n_observers < ENGINE_OBSERVERS_MAX);
	e->observers[e->n_observers].fn = fn;
	e->observers[e->n_observers++].arg = arg;
}
