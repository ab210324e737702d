/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the drainer's files only. */
#ifndef FNAT_ENGINE_DRAIN_INTERNAL_H
#define FNAT_ENGINE_DRAIN_INTERNAL_H

#include "engine/drain.h"

struct drain {
	char *service, *backend;
	struct addr address; /* of the backend, when it began */
	uint16_t port;
	struct drain_status status;
	uint64_t chosen_until_ns; /* CLOCK_MONOTONIC: the kernel may have chosen it until then */
	bool is_cutting;
};

/* drain_memory.c */

/* {"web": {"a": {...}}} of all. The caller's. */
json_t *drains_to_json(const struct drain *items, size_t n);
/* What is remembered of one; false: nothing, or it was about another address. */
bool drain_recall(const json_t *all, struct drain *drain);

#endif
