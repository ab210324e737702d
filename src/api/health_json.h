/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FNAT_API_HEALTH_JSON_H
#define FNAT_API_HEALTH_JSON_H

#include <jansson.h>

#include "health/health.h"

/* The health of the backends of a service (schema ServiceHealth of the API): none when
 * they are not checked. The caller owns it. */
json_t *health_to_json(const struct health *h, const struct service *s);

#endif
