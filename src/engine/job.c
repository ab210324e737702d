/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One struct for every kind of job: there are few at a time, and one place frees them. */
#include "engine/job.h"

#include <stdlib.h>

#include "base/mem.h"

struct job *job_new(enum job_kind kind)
{
	struct job *job = mem_zalloc(sizeof(*job));

	job->kind = kind;
	err_init(&job->err);
	ops_init(&job->ops);
	return job;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < job->n_services; i++)
		service_unref(job->services[i]);
	for (size_t i = 0; i < job->n_pools; i++)
		pool_unref(job->pools[i]);
	free(job->services);
	free(job->pools);
	changes_fini(&job->runtime);
	free(job->name);
	err_fini(&job->err);
	ops_fini(&job->ops);
	free(job->text);
	free(job->placements);
	explanation_fini(&job->explanation);
	free(job->filter.backend);
	entries_fini(&job->entries);
	gate_reports_fini(&job->gates);
	owned_services_fini(&job->owned);
	free(job->asked);
	findings_fini(&job->findings);
	free(job->appeared);
	departed_fini(&job->departed);
	free(job);
}
