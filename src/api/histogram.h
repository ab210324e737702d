/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FNAT_API_HISTOGRAM_H
#define FNAT_API_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* In the Prometheus text format. bounds: n upper ones, in seconds; counts: n + 1, the last of what
 * is longer. */
void histogram_put(const char *name, const char *help, const double *bounds, const uint64_t *counts,
		   size_t n, double sum_s, FILE *out);

#endif
