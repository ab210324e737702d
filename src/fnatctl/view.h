/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of the API as text.
 */
#ifndef FNAT_FNATCTL_VIEW_H
#define FNAT_FNATCTL_VIEW_H

#include <jansson.h>
#include <stdint.h>

/* Room for "[ADDRESS]:PORT/PROTOCOL" of any length that the API answers. */
#define VIEW_BYTES 128

/* A member that may be missing: "" or 0 then. Borrowed. */
const char *view_string(const json_t *object, const char *key);
long long view_integer(const json_t *object, const char *key);

/* "192.0.2.10:80/tcp", "[2001:db8::1]:80/tcp", "10.1.0.11" without a port. Returns buf. */
const char *view_endpoint(const json_t *object, char buf[VIEW_BYTES]);

/* Of "time_ms": "2025-01-31 13:45:02", local time; "" when there is none. Returns buf. */
const char *view_time(const json_t *object, char buf[VIEW_BYTES]);

/* Of "uid": the user's name, its number, "fnatd" for -1. Returns buf. */
const char *view_user(const json_t *object, char buf[VIEW_BYTES]);

/* AF_INET, AF_INET6 by the object's address. */
int view_family(const json_t *object);

/* The listeners of a service, or the addresses of a pool, with ", " between; at most `most` and
 * then "and N more". Owned by the caller. */
char *view_listeners(const json_t *service, size_t most);
char *view_addresses(const json_t *pool, size_t most);

/* How many addresses of a family a pool has. */
uint64_t view_count_addresses(const json_t *pool, int family);

#endif
