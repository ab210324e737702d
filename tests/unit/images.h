/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images compared, copied and made at random, for the tests of the plan. */
#ifndef FNAT_TESTS_IMAGES_H
#define FNAT_TESTS_IMAGES_H

#include "plan/image.h"

/* A generator of its own: a failing case must be the same on every machine. */
extern uint64_t rnd_seed;
uint32_t rnd(uint32_t below);

bool images_equal(const struct image *a, const struct image *b);
void image_copy(const struct image *from, struct image *to);
/* A ruleset that the kernel would take: base, some programs, pools and elements; sorted. */
void image_random(struct image *out);

/* Of a pool with so many addresses. */
void chain_of_pool(const char *name, uint32_t n4, uint32_t n6, struct chain *out);

#endif
