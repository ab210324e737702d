/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of HTTP status codes as a field of a check. Only for src/model/. */
#ifndef FNAT_MODEL_CHECK_HTTP_STATUS_H
#define FNAT_MODEL_CHECK_HTTP_STATUS_H

#include "model/check_field.h"
#include "model/check_http.h"

#define CHECK_HTTP_STATUS_ITEMS 256 /* so that every set can be written, and read again */

/* struct check_http_status; 200-399 where absent. */
extern const struct check_kind check_http_status_kind;

#endif
