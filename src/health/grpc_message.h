/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of grpc.health.v1.Health/Check (grpc/health/v1/health.proto), as gRPC sends them
 * over HTTP/2: one byte that says whether it is compressed, four of its length, and a protobuf
 * message of one field. Pure.
 */
#ifndef FNAT_HEALTH_GRPC_MESSAGE_H
#define FNAT_HEALTH_GRPC_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "health/probe.h"
#include "model/check_grpc.h"

#define GRPC_PATH "/grpc.health.v1.Health/Check"
/* Frame, tag, length in two bytes, name. */
#define GRPC_REQUEST_BYTES (5 + 3 + CHECK_GRPC_SERVICE_BYTES)
/* Of a header that is kept, with the final NUL. */
#define GRPC_HEADER_BYTES 100

/* HealthCheckRequest, service may be NULL; the length. */
size_t grpc_request(const char *service, uint8_t out[GRPC_REQUEST_BYTES]);

/* What came back. */
struct grpc_answer {
	long http_status;
	char status[GRPC_HEADER_BYTES];  /* of grpc-status; "": there was none */
	char message[GRPC_HEADER_BYTES]; /* of grpc-message, percent-encoded as it is */
	const uint8_t *body;
	size_t n_body;
};

/* A line of headers or trailers: keeps the two that matter. */
void grpc_header(struct grpc_answer *a, const char *line, size_t len);

/* Is that well? HealthCheckResponse with SERVING. */
enum probe_result grpc_judge(const struct grpc_answer *a, char reason[PROBE_REASON_BYTES]);

#endif
