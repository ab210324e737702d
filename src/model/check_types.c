/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types of checks: one row each. What a type's options are is in its own file,
 * check_TYPE.c, and how it is done in src/health/probe_TYPE.c.
 */
#include "model/check_types.h"

#include "model/service_check.h"

static const struct check_type type_none = { .name = "none" };
static const struct check_type type_tcp = { .name = "tcp" };
static const struct check_type type_icmp = { .name = "icmp" };

static const struct check_type *const types[] = {
	&type_none,       &type_tcp,        &type_icmp,        &check_type_udp, &check_type_dns,
	&check_type_exec, &check_type_http, &check_type_https, &check_type_tls, &check_type_agent,
	&check_type_smtp, &check_type_grpc, &check_type_grpcs,
};

const struct check_type *check_type_at(size_t i)
{
	return i < sizeof(types) / sizeof(types[0]) ? types[i] : NULL;
}

const char *check_type_name(const struct check_type *type)
{
	return type->name;
}
