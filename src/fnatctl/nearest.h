/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name of an object that was mistyped.
 */
#ifndef FNAT_FNATCTL_NEAREST_H
#define FNAT_FNATCTL_NEAREST_H

#include "fnatctl/client.h"

/* The name nearest to the first one in a path of the API that does not exist ("/v1/services/wbe",
 * "/v1/services/web/backends/x"); NULL when none is near. Owned by the caller. */
char *nearest_name(struct client *c, const char *path);

#endif
