/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arguments of `fnatctl set` as JSON: KEY=VALUE..., or JSON text, or @FILE.
 *
 *	weight=2                          {"weight": 2}
 *	pool=lan                          {"pool": "lan"}
 *	check.interval_ms=500             {"check": {"interval_ms": 500}}
 *	addresses=10.1.0.50-60,fd00::5    {"addresses": ["10.1.0.50-60", "fd00::5"]}
 *	listeners=192.0.2.1:80/tcp,[2001:db8::1]:53/udp
 *	weight=                           {"weight": null}: back to the default
 */
#ifndef FNAT_FNATCTL_ASSIGN_H
#define FNAT_FNATCTL_ASSIGN_H

#include <jansson.h>

#include "base/err.h"

/*
 * object: "service", "backend" or "pool", which tells how values are written.
 * The caller owns the value; NULL on error (ERR_SYNTAX: not as above, or
 * another kind when a file cannot be read).
 */
json_t *assign_parse(const char *object, char *const args[], size_t n, struct err *err);

/* A field that is known here: how its value is written, and for the shell's completion. */
struct assign_field {
	const char *object, *key;
	json_t *(*parse)(const char *value, struct err *err); /* NULL: JSON or a string */
	const char *values; /* "rr wrr", "POOL" for the name of a pool; or NULL */
};

/* The table's rows, i from 0; NULL after the last. */
const struct assign_field *assign_field_at(size_t i);

#endif
