/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl does HTTP/2; what is left of gRPC is so small that a library for it would be ten times as
 * large as fnatd. Fields that are not known are passed over, as protobuf wants it.
 */
#include "health/grpc_message.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FRAME_BYTES 5
#define FIELD_NAME  (1 << 3 | 2) /* service, a string */
#define FIELD_STATE 1            /* status, an enum */
#define SERVING     1

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

size_t grpc_request(const char *service, uint8_t out[GRPC_REQUEST_BYTES])
{
	size_t len = service ? strlen(service) : 0, n = FRAME_BYTES;

	memset(out, 0, FRAME_BYTES);
	if (len == 0)
		return n;
	out[n++] = FIELD_NAME;
	if (len > 127)
		out[n++] = (uint8_t)(len & 127) | 128;
	out[n++] = (uint8_t)(len > 127 ? len >> 7 : len);
	memcpy(out + n, service, len);
	n += len;
	out[3] = (uint8_t)((n - FRAME_BYTES) >> 8);
	out[4] = (uint8_t)(n - FRAME_BYTES);
	return n;
}

static void keep(char out[GRPC_HEADER_BYTES], const char *value, size_t len)
{
	while (len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len > 0 && (unsigned char)value[len - 1] <= ' ')
		len--;
	if (len >= GRPC_HEADER_BYTES)
		len = GRPC_HEADER_BYTES - 1;
	memcpy(out, value, len);
	out[len] = '\0';
}

void grpc_header(struct grpc_answer *a, const char *line, size_t len)
{
	static const char status[] = "grpc-status:", message[] = "grpc-message:";
	size_t n_status = sizeof(status) - 1, n_message = sizeof(message) - 1;

	if (len >= n_status && strncasecmp(line, status, n_status) == 0)
		keep(a->status, line + n_status, len - n_status);
	else if (len >= n_message && strncasecmp(line, message, n_message) == 0)
		keep(a->message, line + n_message, len - n_message);
}

/* grpc/statuscodes.md; the number itself where it is another. */
static const char *status_name(const char *status)
{
	static const char *const names[] = {
		"OK",
		"CANCELLED",
		"UNKNOWN",
		"INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED",
		"NOT_FOUND",
		"ALREADY_EXISTS",
		"PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION",
		"ABORTED",
		"OUT_OF_RANGE",
		"UNIMPLEMENTED",
		"INTERNAL",
		"UNAVAILABLE",
		"DATA_LOSS",
		"UNAUTHENTICATED",
	};
	char text[4];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "%zu", i);
		if (strcmp(text, status) == 0)
			return names[i];
	}
	return status;
}

struct bytes {
	const uint8_t *at, *end;
};

static bool read_varint(struct bytes *b, uint64_t *out)
{
	*out = 0;
	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (b->at == b->end)
			return false;
		byte = *b->at++;
		*out |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			return true;
	}
	return false;
}

static bool skip(struct bytes *b, uint64_t len)
{
	if (len > (uint64_t)(b->end - b->at))
		return false;
	b->at += len;
	return true;
}

/* The value of a field: *number of a varint, else it is passed over. */
static bool read_value(struct bytes *b, unsigned int wire, uint64_t *number)
{
	uint64_t len;

	switch (wire) {
	case WIRE_VARINT:
		return read_varint(b, number);
	case WIRE_BYTES:
		return read_varint(b, &len) && skip(b, len);
	case WIRE_64:
		return skip(b, 8);
	case WIRE_32:
		return skip(b, 4);
	}
	return false;
}

/* Of a HealthCheckResponse. The last one counts, absent it is 0. */
static bool read_state(struct bytes b, uint64_t *state)
{
	uint64_t tag, number;

	*state = 0;
	while (b.at < b.end) {
		number = 0;
		if (!read_varint(&b, &tag) || !read_value(&b, tag & 7, &number))
			return false;
		if (tag == (FIELD_STATE << 3 | WIRE_VARINT))
			*state = number;
	}
	return true;
}

static const char *problem_of(const struct grpc_answer *a, uint64_t *state)
{
	const uint8_t *b = a->body;
	size_t len;

	if (a->n_body < FRAME_BYTES)
		return "an answer without a message";
	if (b[0] != 0)
		return "a message that is compressed";
	len = (size_t)b[1] << 24 | (size_t)b[2] << 16 | (size_t)b[3] << 8 | b[4];
	if (len != a->n_body - FRAME_BYTES)
		return "a message of another length than it says";
	if (!read_state((struct bytes){ b + FRAME_BYTES, b + a->n_body }, state))
		return "a message that is no HealthCheckResponse";
	return NULL;
}

enum probe_result grpc_judge(const struct grpc_answer *a, char reason[PROBE_REASON_BYTES])
{
	static const char *const states[] = { "UNKNOWN", "SERVING", "NOT_SERVING",
					      "SERVICE_UNKNOWN" };
	const char *problem = NULL;
	uint64_t state = 0;

	if (a->http_status != 200)
		snprintf(reason, PROBE_REASON_BYTES, "answered %ld", a->http_status);
	else if (!*a->status)
		snprintf(reason, PROBE_REASON_BYTES, "answered without grpc-status");
	else if (strcmp(a->status, "0") != 0)
		snprintf(reason, PROBE_REASON_BYTES, "answered %.30s%s%.70s",
			 status_name(a->status), *a->message ? ": " : "", a->message);
	else if ((problem = problem_of(a, &state)))
		snprintf(reason, PROBE_REASON_BYTES, "%s", problem);
	else if (state < sizeof(states) / sizeof(states[0]))
		snprintf(reason, PROBE_REASON_BYTES, "%s", states[state]);
	else
		snprintf(reason, PROBE_REASON_BYTES, "state %llu", (unsigned long long)state);
	return state == SERVING ? PROBE_OK : PROBE_FAILED;
}
