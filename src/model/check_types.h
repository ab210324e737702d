/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The types of checks, for their table: each is in its file check_TYPE.c. Only for src/model/. */
#ifndef FNAT_MODEL_CHECK_TYPES_H
#define FNAT_MODEL_CHECK_TYPES_H

#include "model/check_field.h"

extern const struct check_type check_type_agent;
extern const struct check_type check_type_dns;
extern const struct check_type check_type_exec;
extern const struct check_type check_type_grpc;
extern const struct check_type check_type_grpcs;
extern const struct check_type check_type_http;
extern const struct check_type check_type_https;
extern const struct check_type check_type_smtp;
extern const struct check_type check_type_tls;
extern const struct check_type check_type_udp;

#endif
