/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel/nft.h, kernel/ct.h and kernel/preflight.h over an image in memory. What
 * links it gets these functions instead of the library's.
 */
#ifndef FNAT_TESTS_FAKE_KERNEL_H
#define FNAT_TESTS_FAKE_KERNEL_H

#include "plan/image.h"

void fake_init(void);
void fake_fini(void);

/* A batch that names this backend ("web/a") in a comment is refused; NULL: none. */
void fake_refuse(const char *comment);
/* The next n batches fail as when the socket breaks. */
void fake_break(unsigned int n);
/* Somebody else: removes the table; or one element of the kind; or adds a chain. */
void fake_foreign_delete_table(void);
void fake_foreign_delete_element(enum map_kind kind);
void fake_foreign_add_chain(const char *name);

unsigned int fake_batches(void);
size_t fake_elements(enum map_kind kind);
/* Elements of any map with this comment. */
size_t fake_commented(const char *comment);
bool fake_has_chain(const char *name);
/* Listeners that were swept since the last call. */
size_t fake_swept(void);
/* Backends whose connections were deleted since the last call. */
size_t fake_departed(void);

#endif
