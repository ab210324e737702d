/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of checks of type http and https. */
#ifndef FNAT_MODEL_CHECK_HTTP_H
#define FNAT_MODEL_CHECK_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "model/check_texts.h"
#include "model/check_tls.h"

#define CHECK_HTTP_STATUS_MIN 100
#define CHECK_HTTP_STATUS_MAX 599

/* A set of status codes: bit (code - CHECK_HTTP_STATUS_MIN). */
struct check_http_status {
	uint64_t bits[8];
};

enum check_http_version { CHECK_HTTP_1_1, CHECK_HTTP_1_0, CHECK_HTTP_2 };

struct pattern;

struct check_http {
	struct check_tls tls; /* first; of https */
	char *method, *path;
	char *host;                 /* the header, as it is; or NULL */
	struct check_texts headers; /* "Name: value" */
	char *payload;              /* or NULL */
	struct check_http_status status;
	char *expect, *expect_regex; /* in the body, or NULL */
	uint32_t version;            /* enum check_http_version */
	struct pattern *regex;       /* of expect_regex */
};

bool check_http_status_has(const struct check_http_status *s, long code);

/* The name of a host that stands in `host`, with its length in *len, or NULL: there is none. */
const char *check_http_host_name(const struct check_http *h, size_t *len);

#endif
