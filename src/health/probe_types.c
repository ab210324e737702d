/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types of probes: one row each.
 */
#include "health/probe_types.h"

static const struct probe_type *const types[] = {
	&probe_tcp,   &probe_icmp, &probe_udp,   &probe_dns,  &probe_exec, &probe_http,
	&probe_https, &probe_tls,  &probe_agent, &probe_smtp, &probe_grpc, &probe_grpcs,
};

const struct probe_type *probe_type_at(size_t i)
{
	return i < sizeof(types) / sizeof(types[0]) ? types[i] : NULL;
}
