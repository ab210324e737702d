/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * application/problem+json (RFC 9457): how every error is answered.
 *
 *	{"type":"about:blank","title":"Not Found","status":404,"detail":"...",
 *	 "problems":[{"pointer":"/services/web","message":"..."}]}
 */
#ifndef FNAT_API_PROBLEM_H
#define FNAT_API_PROBLEM_H

#include <stddef.h>

#include "base/err.h"

#define PROBLEM_TYPE "application/problem+json"

/* The caller frees the text. */
char *problem_body(int status, const char *detail, size_t *len);
/* Status from the kind, detail is the first problem's message, all problems listed. */
char *problem_body_of_err(const struct err *err, size_t *len);

#endif
