/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of hosts among the options of checks. */
#ifndef FNAT_MODEL_CHECK_HOST_H
#define FNAT_MODEL_CHECK_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* Could it be the name of a host: letters, digits, '-', '_', in labels with dots between? An
 * address is none. */
bool check_is_host_name(const char *name, size_t len);

#endif
