/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel keeps its table while fnatd is gone, so what was down stays out of it; a start that
 * knew nothing would put it back until the first checks are made. Where the file is an older one,
 * after a power cut, they correct that within an interval.
 */
#include "fnatd_memory.h"

#include <string.h>

#include "engine/remember.h"

static void recall_one(struct engine *e, struct health *h, const char *service, const char *backend,
		       const char *state)
{
	const struct backend_runtime at = { .is_down = strcmp(state, "down") == 0,
					    .is_up = strcmp(state, "up") == 0 };

	if (!at.is_down && !at.is_up)
		return;
	health_remember(h, service, backend, at.is_down);
	engine_set_runtime(e, service, backend, &at);
}

json_t *memory_recall(const char *path, struct engine *e, struct health *h)
{
	json_t *all = remember_read(path, "health", "what was down is not known");
	json_t *backends, *state;
	const char *service, *backend;

	json_object_foreach (all, service, backends) {
		json_object_foreach (backends, backend, state) {
			if (json_is_string(state))
				recall_one(e, h, service, backend, json_string_value(state));
		}
	}
	return all;
}

static bool is_checked(const struct engine *e, const char *service, const char *backend)
{
	const struct service *s = model_service(engine_model(e), service);

	return s && s->check && (s->agent || strcmp(check_name_of_type(s->check), "none") != 0) &&
	       service_backend(s, backend);
}

void memory_forget(json_t *recalled, struct engine *e)
{
	const struct backend_runtime nothing = { 0 };
	const char *service, *backend;
	json_t *backends, *state;

	json_object_foreach (recalled, service, backends) {
		json_object_foreach (backends, backend, state) {
			if (!is_checked(e, service, backend))
				engine_set_runtime(e, service, backend, &nothing);
		}
	}
	json_decref(recalled);
}

static void collect(const struct health_backend *b, void *arg)
{
	bool begins_down = b->service->check->initial == CHECK_INITIAL_DOWN;
	json_t *all = arg, *backends;

	if (b->is_down == begins_down || b->state == HEALTH_DISABLED)
		return;
	backends = json_object_get(all, b->service->name);
	if (!backends) {
		backends = json_object();
		json_object_set_new(all, b->service->name, backends);
	}
	json_object_set_new(backends, b->name, json_string(b->is_down ? "down" : "up"));
}

void memory_save(const char *path, const struct health *h)
{
	json_t *all = json_object();

	health_each(h, collect, all);
	remember_write(path, "health", all);
	json_decref(all);
}
