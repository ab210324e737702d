/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of checks of type grpc and grpcs. */
#ifndef FNAT_MODEL_CHECK_GRPC_H
#define FNAT_MODEL_CHECK_GRPC_H

#include "model/check_tls.h"

#define CHECK_GRPC_SERVICE_BYTES 255

struct check_grpc {
	struct check_tls tls; /* of grpcs */
	char *service;        /* whose health is asked for; NULL: the server's */
};

#endif
