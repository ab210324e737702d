/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/histogram.h"

#include <inttypes.h>

void histogram_put(const char *name, const char *help, const double *bounds, const uint64_t *counts,
		   size_t n, double sum_s, FILE *out)
{
	uint64_t total = 0;

	fprintf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
	for (size_t i = 0; i < n; i++) {
		total += counts[i];
		fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[i], total);
	}
	total += counts[n];
	fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9g\n%s_count %" PRIu64 "\n",
		name, total, name, sum_s, name, total);
}
