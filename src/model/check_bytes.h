/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes among the options of a check, prepared from text or hexadecimal digits. */
#ifndef FNAT_MODEL_CHECK_BYTES_H
#define FNAT_MODEL_CHECK_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct check_bytes {
	uint8_t *bytes; /* owned; NULL: not given */
	size_t len;
};

#endif
