/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an answer over HTTP is what is expected. Pure. */
#ifndef FNAT_HEALTH_HTTP_JUDGE_H
#define FNAT_HEALTH_HTTP_JUDGE_H

#include "health/probe.h"
#include "model/check_http.h"

/* Does it matter what the body is? */
bool http_wants_body(const struct check_http *h);

/* body is what came from the network, or its begin; reason is for a person. */
enum probe_result http_judge(const struct check_http *h, long status, const void *body, size_t len,
			     char reason[PROBE_REASON_BYTES]);

#endif
