/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of TLS, for types of checks whose options begin with a struct check_tls. Only for
 * src/model/. */
#ifndef FNAT_MODEL_CHECK_TLS_READ_H
#define FNAT_MODEL_CHECK_TLS_READ_H

#include "model/check_field.h"

#define CHECK_TLS_N_FIELDS 6
extern const struct check_field check_tls_fields[CHECK_TLS_N_FIELDS];

/* struct check_type.verify() of these. */
void check_tls_verify(struct reader *r, const struct at *at, void *options);

#endif
