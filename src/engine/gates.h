/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gates of backends with an exact limit, as the kernel has them. What is found travels from the
 * kernel writer to the main loop.
 */
#ifndef FNAT_ENGINE_GATES_H
#define FNAT_ENGINE_GATES_H

#include "kernel/nft_gates.h"
#include "model/model.h"
#include "plan/program.h"

/* One that counts. */
struct gate_report {
	char service[MODEL_NAME_MAX + 1], backend[MODEL_NAME_MAX + 1];
	struct gate gate;
	struct nft_gate_counts counts;
};

struct gate_reports {
	struct gate_report *items;
	size_t n, cap;
};
void gate_reports_fini(struct gate_reports *r);

/* Services of which gates are asked for. */
#define GATES_ASKED_MAX 64
struct gates_asked {
	char names[GATES_ASKED_MAX][MODEL_NAME_MAX + 1];
	size_t n;
};

#endif
