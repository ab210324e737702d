/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An array of texts among the options of a check. */
#ifndef FNAT_MODEL_CHECK_TEXTS_H
#define FNAT_MODEL_CHECK_TEXTS_H

#include <stddef.h>

#define CHECK_TEXTS_BYTES 1024 /* of one of them */

struct check_texts {
	char **items; /* owned, and so is each */
	size_t n;
};

#endif
