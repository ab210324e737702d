/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Weights to numbers of slots.
 */
#ifndef FNAT_PLAN_QUOTA_H
#define FNAT_PLAN_QUOTA_H

#include "plan/scheduler.h"

/* Up to this many slots, a table has the weights exactly. */
#define QUOTA_EXACT_MAX 128u
/* Above that, the smallest class with no larger relative error than this is taken ... */
#define QUOTA_ERROR_PPM 20000u
/* ... of the powers of two from this one to this one (or eight slots a candidate). */
#define QUOTA_CLASS_MIN 64u
#define QUOTA_CLASS_MAX 4096u

/* Candidates that have weight. */
size_t quota_weighted(const struct candidate *c, size_t n);

/* Slots it takes to have the weights as described above; 0 when there is no weight. */
uint32_t quota_size(const struct candidate *c, size_t n);

/*
 * quota[i] = number of slots of candidate i; they add up to size, which must not be less than
 * the number of candidates with weight. Each of these gets at least one, and (but for those that
 * one is too much for, and for what the others lose to them) its share, rounded up or down.
 */
void quota_fill(const struct candidate *c, size_t n, uint32_t size, uint32_t *quota);

/* Largest relative deviation of quota / size from the share of the weights, in parts per million.
 */
uint32_t quota_error_ppm(const struct candidate *c, size_t n, const uint32_t *quota, uint32_t size);

#endif
