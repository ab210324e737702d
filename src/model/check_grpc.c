/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of grpc and grpcs.
 */
#include "model/check_grpc.h"

#include <stddef.h>

#include "model/check_tls_read.h"
#include "model/check_types.h"

static const struct check_field check_grpc_fields[] = {
	{ "grpc_service", false, .kind = &check_text,
	  .offset = offsetof(struct check_grpc, service), .min = 1,
	  .max = CHECK_GRPC_SERVICE_BYTES },
};

#define N_FIELDS (sizeof(check_grpc_fields) / sizeof(check_grpc_fields[0]))

const struct check_type check_type_grpc = {
	.name = "grpc",
	.options_bytes = sizeof(struct check_grpc),
	.fields = check_grpc_fields,
	.n_fields = N_FIELDS,
};

const struct check_type check_type_grpcs = {
	.name = "grpcs",
	.options_bytes = sizeof(struct check_grpc),
	.fields = check_grpc_fields,
	.n_fields = N_FIELDS,
	.more_fields = check_tls_fields,
	.n_more_fields = CHECK_TLS_N_FIELDS,
	.verify = check_tls_verify,
};
