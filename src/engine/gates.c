/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * At the start the kernel may have counts that go on: what a gate is about is in its name and in
 * the comment of the elements that lead to it, so that nothing has to be remembered elsewhere. A
 * gate that nothing leads to is not found; its backend is counted anew before it is used.
 */
#include "engine/gates.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/table_internal.h"
#include "kernel/nft_gates.h"

void gate_reports_fini(struct gate_reports *r)
{
	free(r->items);
	*r = (struct gate_reports){ 0 };
}

/* "web/a" */
static bool read_comment(const char *comment, struct gate_report *out)
{
	const char *slash = comment ? strchr(comment, '/') : NULL;
	size_t len = slash ? (size_t)(slash - comment) : 0;

	if (!slash || len > MODEL_NAME_MAX || strlen(slash + 1) > MODEL_NAME_MAX)
		return false;
	memcpy(out->service, comment, len);
	out->service[len] = '\0';
	strcpy(out->backend, slash + 1);
	return true;
}

int table_found_gates(struct table *t, struct gate_reports *out, struct err *err)
{
	struct image have;
	int code;

	image_init(&have);
	code = nft_read(t->nft, NULL, &have, err);
	for (size_t i = 0; code == 0 && i < have.n_elems; i++) {
		struct gate_report r = { .gate = elem_gate(&have.elems[i]) };

		if (have.elems[i].map.kind == MAP_GATES && r.gate.max > 0 &&
		    read_comment(have.elems[i].comment, &r))
			VEC_PUSH(out->items, out->n, out->cap) = r;
	}
	image_fini(&have);
	return code;
}

void table_gates(struct table *t, const struct gates_asked *of, struct gate_reports *out)
{
	for (size_t i = 0; i < of->n; i++) {
		const struct service *s = plan_service(t->plan, of->names[i]);

		for (size_t k = 0; s && k < s->n_backends; k++) {
			struct gate_report r = { .counts.n_refused = 0 };
			char name[NFT_NAME_BYTES];

			if (!plan_gate(t->plan, s, &s->backends[k], &r.gate) ||
			    nft_gate_counts(t->nft, gate_name(&r.gate, name), &r.counts) < 0)
				continue;
			snprintf(r.service, sizeof(r.service), "%s", s->name);
			snprintf(r.backend, sizeof(r.backend), "%s", s->backends[k].name);
			VEC_PUSH(out->items, out->n, out->cap) = r;
		}
	}
}
